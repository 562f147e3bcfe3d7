// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hwloc gives a tree of objects; a topology gives numbers to each CPU. So every CPU first
 * gets, for its core, cache and package, the lowest CPU of the object above it. Those
 * names are then numbered from 0, in the order in which they come up.
 *
 * What hwloc does not tell: a CPU without a core is one of its own, without a cache it
 * shares its package's, without a package it is in one with all others that have none,
 * and near no memory node it is in node 0.
 */
#include "user/host/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/model/cpulist.h"

enum {
	LIST_MAX = 65536, /* every other one of 8192 CPUs takes 20 KiB */
	NO_PACKAGE = CPUSET_CPUS,
};

static void cleanup_hwloc_fn(hwloc_topology_t *hwloc)
{
	if (*hwloc)
		hwloc_topology_destroy(*hwloc);
}

/* They name files to read instead of /sys, plugins to load, and what is to be printed. */
static void clean_environment(void)
{
	static const char prefix[] = "HWLOC_";
	char **variable = environ;

	while (variable && *variable) {
		char name[128];
		size_t length = strcspn(*variable, "=");

		if (strncmp(*variable, prefix, strlen(prefix)) ||
			length >= sizeof(name)) {
			variable++;
			continue;
		}
		memcpy(name, *variable, length);
		name[length] = '\0';
		if (unsetenv(name)) /* moves those that follow */
			variable++;
	}
	/* There are no other switches: no plugin (they look for GPUs and X servers), and
	 * not a word on standard error. */
	setenv("HWLOC_PLUGINS_PATH", "/dev/null", 1);
	setenv("HWLOC_HIDE_ERRORS", "2", 1);
}

/*
 * Not loaded yet. The flags: a VM's CPUs are not allowed to us, who are not in its
 * partition, and must be there all the same; the x86 component would bind us to one CPU
 * after the other, reserved ones too. The rest is left out to save time.
 */
static int start(hwloc_topology_t *ret_hwloc, struct problem *problem)
{
	static const unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED |
					   HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING |
					   HWLOC_TOPOLOGY_FLAG_NO_DISTANCES |
					   HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS |
					   HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS;
	static const hwloc_obj_type_t types[] = {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_CORE,
		HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE,
		HWLOC_OBJ_L5CACHE};
	CLEANUP(cleanup_hwloc_fn) hwloc_topology_t hwloc = NULL;
	int r;

	clean_environment();
	r = hwloc_topology_init(&hwloc);
	if (!r)
		r = hwloc_topology_set_flags(hwloc, flags);
	if (!r)
		r = hwloc_topology_set_all_types_filter(
			hwloc, HWLOC_TYPE_FILTER_KEEP_NONE);
	for (size_t i = 0; !r && i < sizeof(types) / sizeof(*types); i++)
		r = hwloc_topology_set_type_filter(
			hwloc, types[i], HWLOC_TYPE_FILTER_KEEP_ALL);
	/* A node that is neither a package nor a cache hangs on a group. */
	if (!r)
		r = hwloc_topology_set_type_filter(
			hwloc, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	if (r)
		return problem_set(
			problem, -EIO, "hwloc cannot be set up: %s", strerror(errno));
	*ret_hwloc = take_ptr(hwloc);
	return 0;
}

static int to_cpuset(
	hwloc_const_bitmap_t bitmap, struct cpuset *ret_set, struct problem *problem)
{
	struct cpuset set = {};
	int cpu;

	if (hwloc_bitmap_weight(bitmap) < 0 || hwloc_bitmap_last(bitmap) >= CPUSET_CPUS)
		return problem_set(problem, -ERANGE,
			"hwloc knows of CPU %d, and %d is the highest that can be used",
			hwloc_bitmap_last(bitmap), CPUSET_CPUS - 1);
	hwloc_bitmap_foreach_begin(cpu, bitmap)
	{
		cpuset_add(&set, (unsigned int)cpu);
	}
	hwloc_bitmap_foreach_end();
	*ret_set = set;
	return 0;
}

/* The lowest CPU of an object, as its name. */
static uint16_t name_of(hwloc_obj_t object, unsigned int otherwise)
{
	int first = object ? hwloc_bitmap_first(object->cpuset) : -1;

	return (uint16_t)(first < 0 ? otherwise : (unsigned int)first);
}

static struct cpu_place place_of(hwloc_obj_t pu)
{
	hwloc_obj_t core = NULL, cache = NULL, package = NULL;
	struct cpu_place place = {.node = TOPOLOGY_UNKNOWN};

	for (hwloc_obj_t object = pu->parent; object; object = object->parent) {
		if (object->type == HWLOC_OBJ_CORE)
			core = object;
		else if (object->type == HWLOC_OBJ_PACKAGE)
			package = object;
		else if (hwloc_obj_type_is_dcache(object->type))
			cache = object; /* the last is the largest */
	}
	place.core = name_of(core, pu->os_index);
	place.package = name_of(package, NO_PACKAGE);
	place.cache = name_of(cache, place.package);
	return place;
}

static void number(struct topology *topology, size_t offset)
{
	uint16_t numbers[CPUSET_CPUS + 1], next = 0;

	memset(numbers, 0xff, sizeof(numbers));
	cpuset_for_each (cpu, &topology->online) {
		uint16_t *name = (uint16_t *)((char *)&topology->places[cpu] + offset);

		if (numbers[*name] == TOPOLOGY_UNKNOWN)
			numbers[*name] = next++;
		*name = numbers[*name];
	}
}

static void take_cpus(hwloc_topology_t hwloc, struct topology *topology)
{
	hwloc_obj_t pu = NULL;

	for (unsigned int cpu = 0; cpu < CPUSET_CPUS; cpu++)
		topology->places[cpu] = (struct cpu_place){TOPOLOGY_UNKNOWN,
			TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN};
	/* A CPU that came online since hwloc looked has no object. */
	cpuset_for_each (cpu, &topology->online)
		topology->places[cpu] = (struct cpu_place){
			TOPOLOGY_UNKNOWN, NO_PACKAGE, NO_PACKAGE, (uint16_t)cpu};
	while ((pu = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_PU, pu)))
		if (cpuset_has(&topology->online, pu->os_index))
			topology->places[pu->os_index] = place_of(pu);
	number(topology, offsetof(struct cpu_place, package));
	number(topology, offsetof(struct cpu_place, cache));
	number(topology, offsetof(struct cpu_place, core));
}

/*
 * The kernel has each CPU in one node. hwloc also says of memory that is nobody's own
 * (CXL, HBM, persistent) which CPUs it is near to, so one CPU may have several. What has
 * CPUs of its own is nearest, and was found first when the host started.
 */
static int take_nodes(hwloc_topology_t hwloc, const struct cpuset *with_cpus,
	struct topology *topology, struct problem *problem)
{
	int nearest[CPUSET_CPUS];
	hwloc_obj_t node = NULL;

	for (unsigned int cpu = 0; cpu < CPUSET_CPUS; cpu++)
		nearest[cpu] = INT_MAX;
	while ((node = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, node))) {
		int cpu, weight = hwloc_bitmap_weight(node->cpuset);

		if (node->os_index >= NODES_MAX)
			return problem_set(problem, -ERANGE,
				"hwloc knows of memory node %u, and %d is the highest that can be used",
				node->os_index, NODES_MAX - 1);
		topology->node_memory[node->os_index] = node->attr->numanode.local_memory;
		if (node->attr->numanode.local_memory)
			cpuset_add(&topology->with_memory, node->os_index);
		if (with_cpus && !cpuset_has(with_cpus, node->os_index))
			continue;
		hwloc_bitmap_foreach_begin(cpu, node->cpuset)
		{
			struct cpu_place *place;

			if (!cpuset_has(&topology->online, (unsigned int)cpu))
				continue;
			place = &topology->places[cpu];
			if (weight > nearest[cpu] ||
				(weight == nearest[cpu] && node->os_index > place->node))
				continue;
			nearest[cpu] = weight;
			place->node = (uint16_t)node->os_index;
		}
		hwloc_bitmap_foreach_end();
	}
	cpuset_for_each (cpu, &topology->online)
		if (topology->places[cpu].node == TOPOLOGY_UNKNOWN)
			topology->places[cpu].node = 0;
	return 0;
}

/* With the sets of CPUs as they are. with_cpus: nodes; NULL: that is not known. */
static int translate(hwloc_topology_t hwloc, const struct cpuset *with_cpus,
	struct topology *topology, struct problem *problem)
{
	int r;

	if (cpuset_empty(&topology->online))
		return problem_set(problem, -EINVAL, "no CPU is online");
	take_cpus(hwloc, topology);
	r = take_nodes(hwloc, with_cpus, topology, problem);
	if (!r)
		topology_complete(topology);
	return r;
}

static int read_list(const char *path, struct cpuset *ret_set, struct problem *problem)
{
	cleanup_free char *text = NULL;
	struct cpuset set;
	int r = file_read_all_at(AT_FDCWD, path, LIST_MAX, &text);

	if (!r)
		r = cpulist_parse_kernel(text, &set);
	if (r)
		return problem_set(problem, r, "%s: %s", path,
			r == -EINVAL ? "not a list of CPUs" : strerror(-r));
	*ret_set = set;
	return 0;
}

int topology_read(struct topology *ret_topology, struct problem *problem)
{
	CLEANUP(cleanup_hwloc_fn) hwloc_topology_t hwloc = NULL;
	struct topology topology = {};
	struct cpuset with_cpus;
	bool numa = true;
	int r;

	r = start(&hwloc, problem);
	if (!r && hwloc_topology_load(hwloc))
		r = problem_set(problem, -EIO,
			"hwloc cannot read the host's topology: %s", strerror(errno));
	if (!r)
		r = read_list(
			"/sys/devices/system/cpu/possible", &topology.possible, problem);
	if (!r)
		r = read_list(
			"/sys/devices/system/cpu/present", &topology.present, problem);
	if (!r)
		r = read_list(
			"/sys/devices/system/cpu/online", &topology.online, problem);
	if (!r) {
		r = read_list(
			"/sys/devices/system/cpu/isolated", &topology.isolated, problem);
		r = r == -ENOENT ? 0 : r;
	}
	if (!r) {
		r = read_list("/sys/devices/system/node/has_cpu", &with_cpus, problem);
		numa = r != -ENOENT;
		r = numa ? r : 0;
	}
	if (!r)
		r = translate(hwloc, numa ? &with_cpus : NULL, &topology, problem);
	if (!r)
		*ret_topology = topology;
	return r;
}

int topology_read_xml(const char *xml, size_t size, struct topology *ret_topology,
	struct problem *problem)
{
	CLEANUP(cleanup_hwloc_fn) hwloc_topology_t hwloc = NULL;
	struct topology topology = {};
	hwloc_obj_t root;
	int r;

	r = start(&hwloc, problem);
	if (r)
		return r;
	if (size > INT_MAX || hwloc_topology_set_xmlbuffer(hwloc, xml, (int)size) ||
		hwloc_topology_load(hwloc))
		return problem_set(problem, -EINVAL, "not a topology in hwloc's XML");
	root = hwloc_get_root_obj(hwloc);
	r = to_cpuset(root->complete_cpuset, &topology.possible, problem);
	if (!r)
		r = to_cpuset(root->cpuset, &topology.online, problem);
	topology.present = topology.possible;
	if (!r)
		r = translate(hwloc, NULL, &topology, problem);
	if (!r)
		*ret_topology = topology;
	return r;
}
