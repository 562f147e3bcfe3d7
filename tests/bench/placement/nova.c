// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OpenStack Nova's cpu_policy=dedicated, as described by numa_fit_instance_to_host and
 * _pack_instance_onto_cores in nova/virt/hardware.py, written anew:
 *
 * - A guest has one cell unless hw:numa_nodes says otherwise; a cell of the guest is in
 * one cell of the host, two are never in the same. What is larger than a host's cell has
 * as many as it takes here, as its flavor would have to say.
 * - The host's cells are tried in the order of the CPUs used in them: most first with
 *   packing_host_numa_cells_allocation_strategy (the default up to Yoga), least first
 *   without.
 * - cpu_thread_policy=prefer: cores by their numbers. If those with at least t free
 *   threads give enough when t of each are taken, t are taken of each until the guest is
 *   served, the last one perhaps in part; t falls from all threads to one. If none does,
 *   free threads one after the other.
 */
#include <stdlib.h>

#include "tests/bench/placement/rules.h"

enum { THREADS_MAX_OF_CORE = 8 };

/* The free threads of each core of the cell, cores by number. */
static size_t free_siblings(const struct topology *topology, const struct cpuset *cell,
	struct cpuset *siblings)
{
	static unsigned int position[CPUSET_CPUS];
	size_t n = 0;

	for (unsigned int i = 0; i < topology->n_cores; i++)
		position[i] = UINT32_MAX;
	/* A core's number follows its lowest CPU, so does this order. */
	cpuset_for_each (cpu, cell) {
		unsigned int core = topology->places[cpu].core;

		if (position[core] == UINT32_MAX) {
			siblings[n] = (struct cpuset){};
			position[core] = (unsigned int)n++;
		}
		cpuset_add(&siblings[position[core]], (unsigned int)cpu);
	}
	return n;
}

static bool pack_cell(const struct topology *topology, const struct cpuset *cell,
	unsigned int n, struct cpuset *ret_cpus)
{
	static struct cpuset siblings[CPUSET_CPUS];
	size_t n_cores = free_siblings(topology, cell, siblings);
	unsigned int threads, taken = 0;

	*ret_cpus = (struct cpuset){};
	if (cpuset_weight(cell) < n)
		return false;
	for (threads = THREADS_MAX_OF_CORE; threads; threads--) {
		size_t n_fit = 0;

		for (size_t i = 0; i < n_cores; i++)
			n_fit += cpuset_weight(&siblings[i]) >= threads;
		if (threads * n_fit >= n)
			break;
	}
	for (size_t i = 0; i < n_cores; i++) {
		unsigned int of_core = 0, limit = threads ? threads : UINT32_MAX;

		if (threads && cpuset_weight(&siblings[i]) < threads)
			continue;
		cpuset_for_each (cpu, &siblings[i])
			if (taken < n && of_core++ < limit) {
				cpuset_add(ret_cpus, (unsigned int)cpu);
				taken++;
			}
	}
	return true;
}

struct cell {
	unsigned int node, n_free;
};

static int compare_packed(const void *a, const void *b)
{
	const struct cell *one = a, *other = b;

	if (one->n_free != other->n_free)
		return one->n_free < other->n_free ? -1 : 1;
	return one->node < other->node ? -1 : 1;
}

static int compare_spread(const void *a, const void *b)
{
	const struct cell *one = a, *other = b;

	if (one->n_free != other->n_free)
		return one->n_free > other->n_free ? -1 : 1;
	return one->node < other->node ? -1 : 1;
}

static bool place(const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, bool pack, struct cpuset *ret_cpus)
{
	struct cell cells[NODES_MAX];
	struct cpuset candidates, all = {};
	unsigned int n = rules_translate(topology, available, ask, &candidates);
	unsigned int size = cpuset_weight(&topology->online) / topology->n_nodes;
	unsigned int n_guest = (n + size - 1) / size, done = 0;

	if (n_guest > 1 && ask->numa == NUMA_SINGLE)
		return false;
	for (unsigned int i = 0; i < topology->n_nodes; i++) {
		struct cpuset in_node = rules_in_node(topology, available, i);

		cells[i] = (struct cell){i, cpuset_weight(&in_node)};
	}
	qsort(cells, topology->n_nodes, sizeof(*cells),
		pack ? compare_packed : compare_spread);
	/* Guest cells are of one size but for a rest, so the first that fit will do. */
	for (unsigned int i = 0; i < topology->n_nodes && done < n_guest; i++) {
		struct cpuset cell = rules_in_node(topology, &candidates, cells[i].node);
		unsigned int share = n / n_guest + (done < n % n_guest);
		struct cpuset cpus;

		if (!pack_cell(topology, &cell, share, &cpus))
			continue;
		cpuset_or(&all, &cpus);
		done++;
	}
	*ret_cpus = all;
	return done == n_guest;
}

bool rules_nova_pack(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus)
{
	(void)allocator;
	return place(topology, available, ask, true, ret_cpus);
}

bool rules_nova_spread(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus)
{
	(void)allocator;
	return place(topology, available, ask, false, ret_cpus);
}
