/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the allocator's wishes mean, said another way than there: choices that keep them,
 * and whether there is any at all, by looking at each. For small hosts.
 */
#include "tests/unit/ask.h"

/* A choice: for each want its CPUs, and the spare ones. */
struct choice {
	const struct topology *topology;
	const struct request *request;
	struct cpuset available;
	struct cpuset cpus[ASK_WANTS];
	struct cpuset spare;
};

static inline const struct cpu_place *place_of(const struct choice *choice, int cpu)
{
	return &choice->topology->places[cpu];
}

/* A core with CPUs in two nodes or caches. */
static inline bool is_split(const struct choice *choice, int cpu)
{
	const struct cpu_place *place = place_of(choice, cpu);
	struct cpuset siblings = topology_siblings(choice->topology, (unsigned int)cpu);

	cpuset_for_each (sibling, &siblings) {
		const struct cpu_place *other = place_of(choice, sibling);

		if (other->node != place->node || other->cache != place->cache)
			return true;
	}
	return false;
}

static inline struct cpuset own_cpus(const struct choice *choice)
{
	struct cpuset own = {};

	for (size_t i = 0; i < choice->request->n_wants; i++)
		cpuset_or(&own, &choice->cpus[i]);
	cpuset_and(&own, &choice->topology->online);
	return own;
}

static inline unsigned int count_nodes(const struct choice *choice, bool vcpus_only)
{
	struct cpuset nodes = {};

	for (size_t i = 0; i < choice->request->n_wants; i++)
		if (!vcpus_only || choice->request->wants[i].class == THREAD_VCPU ||
			choice->request->wants[i].fixed)
			cpuset_for_each (cpu, &choice->cpus[i])
				if (cpuset_has(&choice->topology->online, (unsigned)cpu))
					cpuset_add(&nodes, place_of(choice, cpu)->node);
	return cpuset_weight(&nodes);
}

static inline unsigned int count_caches(const struct choice *choice)
{
	struct cpuset caches = {};

	for (size_t i = 0; i < choice->request->n_wants; i++)
		if (choice->request->wants[i].class == THREAD_VCPU)
			cpuset_for_each (cpu, &choice->cpus[i])
				if (cpuset_has(&choice->topology->online, (unsigned)cpu))
					cpuset_add(&caches, place_of(choice, cpu)->cache);
	return cpuset_weight(&caches);
}

/* Nobody else on any core of the VM's. */
static inline bool keeps_require(const struct choice *choice)
{
	struct cpuset own = own_cpus(choice), reach = choice->available;

	cpuset_or(&reach, &own);
	cpuset_for_each (cpu, &own) {
		struct cpuset siblings =
			topology_siblings(choice->topology, (unsigned int)cpu);

		if (is_split(choice, cpu) || !cpuset_subset(&siblings, &reach))
			return false;
	}
	return true;
}

/* Beside each vCPU free CPUs only. */
static inline bool keeps_isolate(const struct choice *choice)
{
	struct cpuset own = own_cpus(choice), idle = choice->available;

	cpuset_andnot(&idle, &own);
	for (size_t i = 0; i < choice->request->n_wants; i++) {
		struct cpuset mine = choice->cpus[i];

		if (choice->request->wants[i].class != THREAD_VCPU)
			continue;
		cpuset_and(&mine, &choice->topology->online);
		cpuset_for_each (cpu, &mine) {
			struct cpuset siblings =
				topology_siblings(choice->topology, (unsigned int)cpu);

			/* A second vCPU that is fixed to the same CPU. */
			for (size_t j = 0; j < choice->request->n_wants; j++)
				if (j != i &&
					cpuset_intersects(&choice->cpus[j], &siblings) &&
					cpuset_weight(&siblings) > 1)
					return false;
			cpuset_andnot(&siblings, &mine);
			if (is_split(choice, cpu) || !cpuset_subset(&siblings, &idle))
				return false;
		}
	}
	return true;
}

static inline bool keeps_wishes(const struct choice *choice)
{
	const struct request *request = choice->request;

	if (request->numa == NUMA_SINGLE && count_nodes(choice, false) > 1)
		return false;
	if (request->smt == SMT_REQUIRE)
		return keeps_require(choice);
	return request->smt != SMT_ISOLATE || keeps_isolate(choice);
}

/* What the search looks for besides a choice that keeps the wishes. */
struct limits {
	unsigned int nodes, vcpu_nodes, caches;
};

/* Is there any choice within the limits? Threads of one class are alike, so each takes a
 * CPU above that of the one before. */
static inline bool search(
	struct choice *choice, size_t want, int after, const struct limits *limits)
{
	const struct request *request = choice->request;
	struct cpuset own = own_cpus(choice);

	if (count_nodes(choice, false) > limits->nodes ||
		count_nodes(choice, true) > limits->vcpu_nodes ||
		count_caches(choice) > limits->caches)
		return false;
	while (want < request->n_wants && request->wants[want].fixed)
		want++;
	if (want == request->n_wants)
		return keeps_wishes(choice);
	cpuset_for_each (cpu, &choice->available) {
		bool found;

		if (cpu <= after || cpuset_has(&own, (unsigned int)cpu))
			continue;
		cpuset_add(&choice->cpus[want], (unsigned int)cpu);
		found = search(choice, want + 1,
			want + 1 < request->n_wants && request->wants[want + 1].class ==
							       request->wants[want].class
				? cpu
				: -1,
			limits);
		cpuset_drop(&choice->cpus[want], (unsigned int)cpu);
		if (found)
			return true;
	}
	return false;
}

static inline struct choice open_choice(const struct topology *topology,
	const struct request *request, const struct cpuset *free_cpus)
{
	struct choice choice = {
		.topology = topology, .request = request, .available = *free_cpus};

	cpuset_and(&choice.available, &topology->online);
	if (request->allowed)
		cpuset_and(&choice.available, request->allowed);
	for (size_t i = 0; i < request->n_wants; i++)
		if (request->wants[i].fixed) {
			choice.cpus[i] = *request->wants[i].fixed;
			cpuset_andnot(&choice.available, &choice.cpus[i]);
		}
	return choice;
}

static inline bool exists(const struct topology *topology, const struct request *request,
	const struct cpuset *free_cpus, struct limits limits)
{
	struct choice choice = open_choice(topology, request, free_cpus);

	return search(&choice, 0, -1, &limits);
}

static const struct limits no_limits = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
