// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPUs that are in no partition and yet not the root's. The kernel keeps one set of all
 * CPUs in partitions (subpartitions_cpus in kernel/cgroup/cpuset.c), from which a remote
 * partition takes out, when it ends, only what it can still claim. 6.12: with the claim
 * of an ancestor gone, nothing; and no remote partition may have what is in that set. A
 * partition next to the root is not asked, and takes out what it had.
 *
 * So it is with the set of isolated CPUs (isolated_cpus), in which 6.12 leaves those of
 * isolated partitions whose parent stops being one. What is taken back is therefore
 * isolated for the moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/files.h"

#define RECLAIM "cpuwarden.reclaim"

enum { DEPTH_MAX = 32 };

struct accounted {
	struct cpuset cpus;	/* of all partitions */
	struct cpuset isolated; /* of isolated ones */
};

static int add_partition(int dir, struct accounted *accounted)
{
	struct partition_state state;
	struct cpuset held;
	int r;

	r = partition_read(dir, &state);
	if (r || !partition_holds(&state))
		return r;
	r = cpus_read(dir, "cpuset.cpus.exclusive.effective", &held);
	if (r == -ENOENT)
		r = cpus_read(dir, "cpuset.cpus.effective", &held);
	if (r)
		return r;
	cpuset_or(&accounted->cpus, &held);
	if (state.kind == PARTITION_ISOLATED)
		cpuset_or(&accounted->isolated, &held);
	return 0;
}

/* A group that vanishes meanwhile holds nothing. Closes its children. */
static int add_below(DIR *children, unsigned int depth, struct accounted *accounted)
{
	const char *name = NULL;
	int r;

	r = depth ? add_partition(dirfd(children), accounted) : 0;
	errno = 0;
	while (!r && depth < DEPTH_MAX && (name = children_next(children))) {
		DIR *below;

		if (!depth && !strcmp(name, RECLAIM))
			continue;
		below = children_open(dirfd(children), name);
		if (below)
			r = add_below(below, depth + 1, accounted);
		else
			r = is_gone(-errno) ? 0 : -errno;
	}
	if (!r && !name)
		r = -errno;
	closedir(children);
	return is_gone(r) ? 0 : r;
}

int hierarchy_accounted(const struct hierarchy *hierarchy, struct cpuset *ret_cpus,
	struct cpuset *ret_isolated, struct problem *problem)
{
	struct accounted accounted = {};
	struct cpuset root;
	DIR *children = children_open(hierarchy->root, "");
	int r = children ? add_below(children, 0, &accounted) : -errno;

	/* After the partitions: what one of them gives up meanwhile is the root's. */
	if (!r)
		r = cpus_read(hierarchy->root, "cpuset.cpus.effective", &root);
	if (r)
		return problem_set(problem, r, "cannot look for partitions below %s: %s",
			hierarchy->mount, strerror(-r));
	cpuset_or(&accounted.cpus, &root);
	*ret_cpus = accounted.cpus;
	*ret_isolated = accounted.isolated;
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
				hierarchy, RECLAIM, PARTITION_ISOLATED, problem);
	}
	/* Whatever became of it, it goes. */
	group_set_partition(hierarchy, RECLAIM, PARTITION_MEMBER, NULL);
	removed = group_remove(hierarchy, RECLAIM, r ? NULL : problem);
	return r ? r : removed;
}
