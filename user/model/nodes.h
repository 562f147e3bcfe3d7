/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Memory nodes. Sets of them are sets of numbers like those of CPUs, below NODES_MAX. */
#include "user/model/cpuset.h"

enum { NODES_MAX = 1024 }; /* 1 << NODES_SHIFT of the largest x86 kernels */

struct cpu_nodes {
	uint16_t of_cpu[CPUSET_CPUS]; /* the node of each CPU; 0 where nothing is known */
	struct cpuset with_memory;
};

/* The nodes of these CPUs, as far as they have memory. */
static inline struct cpuset cpu_nodes_of(
	const struct cpu_nodes *nodes, const struct cpuset *cpus)
{
	struct cpuset set = {};

	cpuset_for_each (cpu, cpus)
		cpuset_add(&set, nodes->of_cpu[cpu]);
	cpuset_and(&set, &nodes->with_memory);
	return set;
}
