// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/cpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/model/cpulist.h"

enum { LIST_MAX = 65536 }; /* every other one of 8192 CPUs takes 20 KiB */

static void cleanup_closedir_fn(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int read_list(
	int sysfs, const char *path, struct cpuset *ret_set, struct problem *problem)
{
	cleanup_free char *text = NULL;
	struct cpuset set;
	int r = file_read_all_at(sysfs, path, LIST_MAX, &text);

	if (!r)
		r = cpulist_parse_kernel(text, &set);
	if (r)
		return problem_set(problem, r, "sysfs: %s: %s", path,
			r == -EINVAL ? "not a list of CPUs" : strerror(-r));
	*ret_set = set;
	return 0;
}

/* core_cpus_list since Linux 5.3, thread_siblings_list before; neither: a CPU on its own.
 */
static int read_siblings(
	int sysfs, int cpu, struct cpuset *ret_set, struct problem *problem)
{
	static const char *const files[] = {"core_cpus_list", "thread_siblings_list"};
	struct cpuset alone = {0};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[96];
		int r;

		snprintf(path, sizeof(path), "devices/system/cpu/cpu%d/topology/%s", cpu,
			files[i]);
		r = read_list(sysfs, path, ret_set, problem);
		if (r != -ENOENT)
			return r;
	}
	cpuset_add(&alone, (unsigned int)cpu);
	*ret_set = alone;
	return 0;
}

static int add_first_core(int sysfs, const struct cpuset *node, struct topology *cpus,
	struct problem *problem)
{
	struct cpuset online = *node, siblings;
	int first, r;

	cpuset_and(&online, &cpus->online);
	first = cpuset_next(&online, 0);
	if (first < 0)
		return 0; /* memory only, or all offline */
	r = read_siblings(sysfs, first, &siblings, problem);
	if (r)
		return r;
	cpuset_add(&siblings, (unsigned int)first);
	cpuset_and(&siblings, &cpus->online);
	cpuset_or(&cpus->first_cores, &siblings);
	return 0;
}

static bool is_node(const char *name, uint64_t *ret_number)
{
	return !strncmp(name, "node", 4) &&
	       !parse_u64(name + 4, NODES_MAX - 1, ret_number);
}

static int add_nodes(int sysfs, struct topology *cpus, struct problem *problem)
{
	static const char where[] = "devices/system/node";
	CLEANUP(cleanup_closedir_fn) DIR *dir = NULL;
	cleanup_close int fd = -1;
	struct dirent *entry;
	struct cpuset node;
	uint64_t number;
	int r;

	r = read_list(
		sysfs, "devices/system/node/has_memory", &cpus->with_memory, problem);
	if (r == -ENOENT)
		r = 0;
	if (r)
		return r;
	fd = openat(sysfs, where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0; /* a kernel without NUMA */
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return problem_set(
			problem, -errno, "sysfs: %s: %s", where, strerror(errno));
	take_fd(&fd); /* dir closes it */
	while (!r) {
		char path[sizeof(where) + sizeof(entry->d_name) + sizeof("//cpulist")];

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? problem_set(problem, -errno, "sysfs: %s: %s",
					       where, strerror(errno))
				     : 0;
		if (!is_node(entry->d_name, &number))
			continue;
		snprintf(path, sizeof(path), "%s/%s/cpulist", where, entry->d_name);
		r = read_list(sysfs, path, &node, problem);
		if (r)
			break;
		cpuset_for_each (cpu, &node)
			cpus->places[cpu].node = (uint16_t)number;
		r = add_first_core(sysfs, &node, cpus, problem);
	}
	return r;
}

int host_cpus_read_at(
	const char *sysfs, struct topology *ret_cpus, struct problem *problem)
{
	struct topology cpus = {0};
	cleanup_close int fd = -1;
	int r;

	fd = open(sysfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return problem_set(problem, -errno, "%s: %s", sysfs, strerror(errno));
	r = read_list(fd, "devices/system/cpu/possible", &cpus.possible, problem);
	if (!r)
		r = read_list(fd, "devices/system/cpu/present", &cpus.present, problem);
	if (!r)
		r = read_list(fd, "devices/system/cpu/online", &cpus.online, problem);
	if (!r && cpuset_empty(&cpus.online))
		r = problem_set(problem, -EINVAL, "sysfs: no CPU is online");
	if (!r)
		r = add_nodes(fd, &cpus, problem);
	/* No node, or none with a CPU: the host is one node. */
	if (!r && cpuset_empty(&cpus.first_cores))
		r = add_first_core(fd, &cpus.online, &cpus, problem);
	if (!r)
		*ret_cpus = cpus;
	return r;
}

int host_cpus_read(struct topology *ret_cpus, struct problem *problem)
{
	return host_cpus_read_at("/sys", ret_cpus, problem);
}
