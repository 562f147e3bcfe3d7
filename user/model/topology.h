/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The host's CPUs and what they share: cores (SMT siblings), last-level caches, packages,
 * memory nodes. Pure data; host/topology.h reads it. Nodes have the kernel's numbers;
 * cores, caches and packages are numbered from 0 in the order of their lowest CPU, as
 * lscpu does.
 */
#include "user/model/cpuset.h"

enum {
	NODES_MAX = 1024,	      /* 1 << NODES_SHIFT of the largest x86 kernels */
	TOPOLOGY_UNKNOWN = UINT16_MAX /* of a CPU that is offline */
};

/* Where a CPU is. */
struct cpu_place {
	uint16_t node, package, cache, core;
};

struct topology {
	struct cpuset possible, present, online;
	struct cpuset first_cores; /* the first core of each node, its online CPUs */
	/* Out of load balancing by the boot command line (isolcpus=domain). Newer kernels
	 * count CPUs of isolated partitions here, too. */
	struct cpuset isolated;
	struct cpu_place places[CPUSET_CPUS];
	/* Numbers are below these. A host without NUMA is one node. */
	unsigned int n_nodes, n_packages, n_caches, n_cores;
	struct cpuset with_memory;	 /* node numbers */
	uint64_t node_memory[NODES_MAX]; /* bytes */
};

/* Sets first_cores and the n_*, from the rest. */
void topology_complete(struct topology *topology);

/* The online CPUs that share the core of this one, itself included. */
struct cpuset topology_siblings(const struct topology *topology, unsigned int cpu);

/* The nodes of these CPUs, as far as they have memory. */
struct cpuset topology_nodes(const struct topology *topology, const struct cpuset *cpus);
