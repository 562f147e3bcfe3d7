/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Hosts of any regular shape. What is odd about a real one (offline CPUs, a node without
 * memory, a core with one thread) is taken out afterwards, and topology_complete() called
 * again.
 */
#include <string.h>

#include "user/model/topology.h"

enum numbering {
	THREADS_LAST,  /* all first threads, then all second ones, as most x86 hosts */
	THREADS_FIRST, /* siblings are neighbours, as in QEMU's guests and on POWER */
	NODES_IN_TURN, /* CPU 0 in node 0, CPU 1 in node 1, ...: some vendors' firmware */
};

/* The CPU that is thread `thread` of the core `core` (counted node by node). */
static inline unsigned int cpu_number(unsigned int core, unsigned int thread,
	unsigned int n_nodes, unsigned int n_cores, unsigned int threads,
	enum numbering numbering)
{
	unsigned int per_node = n_cores / n_nodes;

	if (numbering == THREADS_FIRST)
		return core * threads + thread;
	if (numbering == NODES_IN_TURN)
		core = core % per_node * n_nodes + core / per_node;
	return thread * n_cores + core;
}

/* Cores, caches and packages are numbered in the order of their lowest CPU, nodes as
 * firmware does: package by package. All CPUs are online, each node has 64 GiB. */
static inline struct topology topology_build(unsigned int packages,
	unsigned int nodes_per_package, unsigned int caches_per_node,
	unsigned int cores_per_cache, unsigned int threads, enum numbering numbering)
{
	unsigned int n_nodes = packages * nodes_per_package,
		     per_node = caches_per_node * cores_per_cache,
		     n_cores = n_nodes * per_node;
	unsigned int n_seen_caches = 0, n_seen_cores = 0, n_seen_packages = 0;
	uint16_t caches[CPUSET_CPUS], cores[CPUSET_CPUS], package_numbers[CPUSET_CPUS];
	struct topology topology = {};

	memset(topology.places, 0xff, sizeof(topology.places));
	for (unsigned int core = 0; core < n_cores; core++)
		for (unsigned int thread = 0; thread < threads; thread++) {
			unsigned int cpu = cpu_number(
				core, thread, n_nodes, n_cores, threads, numbering);

			topology.places[cpu] = (struct cpu_place){
				.node = (uint16_t)(core / per_node),
				.package =
					(uint16_t)(core / per_node / nodes_per_package),
				.cache = (uint16_t)(core / cores_per_cache),
				.core = (uint16_t)core};
			cpuset_add(&topology.online, cpu);
		}
	memset(caches, 0xff, sizeof(caches));
	memset(cores, 0xff, sizeof(cores));
	memset(package_numbers, 0xff, sizeof(package_numbers));
	cpuset_for_each (cpu, &topology.online) {
		struct cpu_place *place = &topology.places[cpu];

		if (caches[place->cache] == TOPOLOGY_UNKNOWN)
			caches[place->cache] = (uint16_t)n_seen_caches++;
		if (cores[place->core] == TOPOLOGY_UNKNOWN)
			cores[place->core] = (uint16_t)n_seen_cores++;
		if (package_numbers[place->package] == TOPOLOGY_UNKNOWN)
			package_numbers[place->package] = (uint16_t)n_seen_packages++;
		place->cache = caches[place->cache];
		place->core = cores[place->core];
		place->package = package_numbers[place->package];
	}
	for (unsigned int node = 0; node < n_nodes; node++) {
		cpuset_add(&topology.with_memory, node);
		topology.node_memory[node] = UINT64_C(64) << 30;
	}
	topology.possible = topology.present = topology.online;
	topology_complete(&topology);
	return topology;
}
