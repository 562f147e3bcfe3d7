// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPUs that are in no partition and yet not the root's. The kernel keeps one set of all
 * CPUs in partitions (subpartitions_cpus in kernel/cgroup/cpuset.c), from which a remote
 * partition takes out, when it ends, only what it can still claim. 6.12: with the claim
 * of an ancestor gone, nothing; and no remote partition may have what is in that set. A
 * partition next to the root is not asked, and takes out what it had.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/hierarchy.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/model/cpulist.h"

#define RECLAIM "cpuwarden.reclaim"

enum {
	LIST_MAX = 64 * 1024,
	DEPTH_MAX = 32,
};

static int add_partition(int dir, struct cpuset *cpus)
{
	cleanup_free char *list = NULL;
	struct cpuset held;
	char state[256];
	int r;

	if (file_read_at(dir, "cpuset.cpus.partition", state, sizeof(state)) < 0 ||
		(strcmp(state, "root") && strcmp(state, "isolated")))
		return 0;
	r = file_read_all_at(dir, "cpuset.cpus.exclusive.effective", LIST_MAX, &list);
	if (r == -ENOENT)
		r = file_read_all_at(dir, "cpuset.cpus.effective", LIST_MAX, &list);
	if (!r)
		r = cpulist_parse_kernel(list, &held);
	if (r)
		return r;
	cpuset_or(cpus, &held);
	return 0;
}

/* A group that vanishes meanwhile holds nothing. Closes fd. */
static int add_below(int fd, unsigned int depth, struct cpuset *cpus)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	r = depth ? add_partition(fd, cpus) : 0;
	while (!r && depth < DEPTH_MAX && (entry = readdir(dir))) {
		int below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
			(!depth && !strcmp(entry->d_name, RECLAIM)))
			continue;
		below = openat(fd, entry->d_name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (below >= 0)
			r = add_below(below, depth + 1, cpus);
	}
	closedir(dir);
	return r == -ENODEV || r == -ENOENT ? 0 : r;
}

int hierarchy_accounted(const struct hierarchy *hierarchy, struct cpuset *ret_cpus,
	struct problem *problem)
{
	cleanup_free char *list = NULL;
	struct cpuset cpus = {}, root;
	int fd = openat(hierarchy->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : add_below(fd, 0, &cpus);

	/* After the partitions: what one of them gives up meanwhile is the root's. */
	if (!r)
		r = file_read_all_at(
			hierarchy->root, "cpuset.cpus.effective", LIST_MAX, &list);
	if (!r)
		r = cpulist_parse_kernel(list, &root);
	if (r)
		return problem_set(problem, r, "cannot look for partitions below %s: %s",
			hierarchy->mount, strerror(-r));
	cpuset_or(&cpus, &root);
	*ret_cpus = cpus;
	return 0;
}

bool hierarchy_has_reclaim(const struct hierarchy *hierarchy)
{
	return !faccessat(hierarchy->root, RECLAIM, F_OK, AT_SYMLINK_NOFOLLOW);
}

int hierarchy_reclaim(const struct hierarchy *hierarchy, const struct cpuset *cpus,
	struct problem *problem)
{
	struct group group = {};
	int r, removed;

	r = group_make(hierarchy, RECLAIM, problem);
	if (!r)
		r = group_read(hierarchy, RECLAIM, &group, problem);
	if (!r && group.populated)
		r = problem_set(problem, -EBUSY, "/" RECLAIM " has tasks in it");
	group_deinit(&group);
	if (r)
		return r;
	if (!cpuset_empty(cpus)) {
		r = group_set_cpus(hierarchy, RECLAIM, cpus, problem);
		if (!r)
			r = group_set_partition(
				hierarchy, RECLAIM, PARTITION_ROOT, problem);
	}
	/* Whatever became of it, it goes. */
	group_set_partition(hierarchy, RECLAIM, PARTITION_MEMBER, NULL);
	removed = group_remove(hierarchy, RECLAIM, r ? NULL : problem);
	return r ? r : removed;
}
