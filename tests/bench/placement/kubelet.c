// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kubelet's static CPU manager policy, its packed strategy, as described by
 * takeByTopologyNUMAPacked in Kubernetes' pkg/kubelet/cm/cpumanager/cpu_assignment.go,
 * written anew:
 *
 * 1. Whole free sockets and nodes, where the request is at least as large (nodes first
 *    where there are no more nodes than sockets).
 * 2. Whole free cores, where the request is at least as large.
 * 3. Single CPUs.
 *
 * Each in an order by the number of CPUs that are free in it, least first, then by
 * number: nodes or sockets, cores in those, CPUs in those. What is free is counted anew
 * before each step.
 *
 * With the option full-pcpus-only a request must fill cores; here it is rounded up, as
 * its author would have to. The topology manager, policy best-effort, has the CPUs taken
 * from the fewest nodes that have enough, of those the lowest mask; by single-numa-node,
 * which `single` stands for, from the lowest node that has enough.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/bench/placement/rules.h"

struct taking {
	const struct topology *topology;
	struct cpuset left, taken;
	unsigned int n; /* still to be taken */
};

enum level { SOCKET, NODE, CORE, ALL };

static unsigned int number(const struct topology *topology, enum level level, int cpu)
{
	const struct cpu_place *place = &topology->places[cpu];

	return level == SOCKET ? place->package
	       : level == NODE ? place->node
	       : level == CORE ? place->core
			       : 0;
}

static struct cpuset members(const struct topology *topology, const struct cpuset *cpus,
	enum level level, unsigned int id)
{
	struct cpuset set = {};

	cpuset_for_each (cpu, cpus)
		if (number(topology, level, cpu) == id)
			cpuset_add(&set, (unsigned int)cpu);
	return set;
}

struct unit_of {
	unsigned int id, n_free;
};

static int compare_units(const void *a, const void *b)
{
	const struct unit_of *one = a, *other = b;

	if (one->n_free != other->n_free)
		return one->n_free < other->n_free ? -1 : 1;
	return one->id < other->id ? -1 : one->id > other->id;
}

/* The units of a level among these free CPUs, in the kubelet's order. */
static size_t sorted(const struct topology *topology, const struct cpuset *cpus,
	enum level level, struct unit_of *units)
{
	size_t n = 0;

	cpuset_for_each (cpu, cpus) {
		unsigned int id = number(topology, level, cpu);
		size_t i = 0;

		while (i < n && units[i].id != id)
			i++;
		if (i == n)
			units[n++] = (struct unit_of){.id = id};
		units[i].n_free++;
	}
	qsort(units, n, sizeof(*units), compare_units);
	return n;
}

static void take(struct taking *taking, const struct cpuset *cpus)
{
	cpuset_or(&taking->taken, cpus);
	cpuset_andnot(&taking->left, cpus);
	taking->n -= cpuset_weight(cpus);
}

/* Takes the units of a level that are free as a whole and no larger than what is wanted.
 */
static void take_whole(
	struct taking *taking, const struct cpuset *among, enum level level)
{
	static struct unit_of units[CPUSET_CPUS];
	size_t n = sorted(taking->topology, among, level, units);

	for (size_t i = 0; i < n && taking->n; i++) {
		struct cpuset all = members(
			taking->topology, &taking->topology->online, level, units[i].id);

		if (cpuset_subset(&all, &taking->left) &&
			cpuset_weight(&all) <= taking->n)
			take(taking, &all);
	}
}

/* The upper level, sorted, and in each of it the lower one; in that whole cores or single
 * CPUs. */
static void take_within(struct taking *taking, const enum level *levels, bool whole)
{
	static struct unit_of units[2][NODES_MAX], cores[CPUSET_CPUS];
	struct cpuset before = taking->left;
	size_t n = sorted(taking->topology, &before, levels[0], units[0]);

	for (size_t i = 0; i < n; i++) {
		struct cpuset upper =
			members(taking->topology, &before, levels[0], units[0][i].id);
		size_t n_lower = sorted(taking->topology, &upper, levels[1], units[1]);

		for (size_t j = 0; j < n_lower && taking->n; j++) {
			struct cpuset lower = members(
				taking->topology, &upper, levels[1], units[1][j].id);
			size_t n_cores =
				whole ? 0 : sorted(taking->topology, &lower, CORE, cores);

			if (whole)
				take_whole(taking, &lower, CORE);
			for (size_t k = 0; k < n_cores; k++) {
				struct cpuset core = members(
					taking->topology, &lower, CORE, cores[k].id);

				cpuset_for_each (cpu, &core) {
					struct cpuset one = {};

					cpuset_add(&one, (unsigned int)cpu);
					if (taking->n)
						take(taking, &one);
				}
			}
		}
	}
}

static bool take_packed(const struct topology *topology, const struct cpuset *candidates,
	unsigned int n, struct cpuset *ret_cpus)
{
	static const enum level nodes_first[] = {NODE, SOCKET};
	static const enum level sockets_first[] = {SOCKET, NODE};
	const enum level *levels =
		topology->n_packages >= topology->n_nodes ? nodes_first : sockets_first;
	struct taking taking = {.topology = topology, .left = *candidates, .n = n};

	if (cpuset_weight(candidates) < n)
		return false;
	for (int i = 0; i < 2; i++) {
		struct cpuset among = taking.left;

		take_whole(&taking, &among, levels[i]);
	}
	take_within(&taking, levels, true);
	take_within(&taking, levels, false);
	*ret_cpus = taking.taken;
	return true;
}

/* The CPUs of the nodes of the narrowest mask that has enough, the lowest of those;
 * `most` limits its width. */
static bool align(const struct topology *topology, const struct cpuset *candidates,
	unsigned int n, unsigned int most, struct cpuset *ret_aligned)
{
	for (unsigned int width = 1; width <= most; width++)
		for (unsigned int mask = 1; mask < 1u << topology->n_nodes; mask++) {
			struct cpuset aligned = {};

			if ((unsigned int)__builtin_popcount(mask) != width)
				continue;
			for (unsigned int i = 0; i < topology->n_nodes; i++)
				if (mask >> i & 1) {
					struct cpuset node =
						rules_in_node(topology, candidates, i);

					cpuset_or(&aligned, &node);
				}
			if (cpuset_weight(&aligned) >= n) {
				*ret_aligned = aligned;
				return true;
			}
		}
	return false;
}

static bool place(const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, bool best_effort, struct cpuset *ret_cpus)
{
	struct cpuset candidates;
	unsigned int n = rules_translate(topology, available, ask, &candidates);

	if ((best_effort || ask->numa == NUMA_SINGLE) &&
		!align(topology, &candidates, n,
			ask->numa == NUMA_SINGLE ? 1 : topology->n_nodes, &candidates))
		return false;
	return take_packed(topology, &candidates, n, ret_cpus);
}

bool rules_kubelet(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus)
{
	(void)allocator;
	return place(topology, available, ask, false, ret_cpus);
}

bool rules_kubelet_full_cores(const struct allocator *allocator,
	const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, struct cpuset *ret_cpus)
{
	struct ask_for whole = *ask;

	(void)allocator;
	if (ask->smt == SMT_PREFER)
		whole.smt = SMT_REQUIRE;
	return place(topology, available, &whole, false, ret_cpus);
}

bool rules_kubelet_best_effort(const struct allocator *allocator,
	const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, struct cpuset *ret_cpus)
{
	(void)allocator;
	return place(topology, available, ask, true, ret_cpus);
}
