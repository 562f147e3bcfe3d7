// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/placement/rules.h"

#include <stdlib.h>

bool rules_allocator(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus)
{
	struct want wants[256];
	struct request request = {
		.wants = wants, .n_wants = ask->n, .numa = ask->numa, .smt = ask->smt};
	struct placement placement;

	(void)topology;
	for (unsigned int i = 0; i < ask->n; i++)
		wants[i] = (struct want){.class = THREAD_VCPU, .index = (int)i};
	if (allocator_place(allocator, &request, available, NULL, &placement, NULL))
		return false;
	*ret_cpus = placement_all(&placement, &request);
	placement_deinit(&placement);
	return true;
}

static unsigned int threads_of(const struct topology *topology)
{
	return cpuset_weight(&topology->online) / topology->n_cores;
}

unsigned int rules_translate(const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_candidates)
{
	unsigned int threads = threads_of(topology), *left;

	*ret_candidates = *available;
	if (ask->smt == SMT_PREFER)
		return ask->n;
	left = calloc(topology->n_cores, sizeof(*left));
	if (!left)
		abort();
	cpuset_for_each (cpu, available)
		left[topology->places[cpu].core]++;
	cpuset_for_each (cpu, available)
		if (left[topology->places[cpu].core] < threads)
			cpuset_drop(ret_candidates, (unsigned int)cpu);
	free(left);
	return ask->smt == SMT_ISOLATE ? ask->n * threads
				       : (ask->n + threads - 1) / threads * threads;
}

struct cpuset rules_in_node(
	const struct topology *topology, const struct cpuset *cpus, unsigned int node)
{
	struct cpuset in_node = {};

	cpuset_for_each (cpu, cpus)
		if (topology->places[cpu].node == node)
			cpuset_add(&in_node, (unsigned int)cpu);
	return in_node;
}
