// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/allocator_parts.h"

#include <errno.h>
#include <stdlib.h>

struct tidiness allocator_tidiness(const struct allocator *allocator,
	const struct cpuset *vms, size_t n_vms, const struct cpuset *available)
{
	struct tidiness tidiness = {};

	for (size_t i = 0; i < n_vms; i++) {
		int node = -1, cache = -1;
		bool one_node = true, one_cache = true;

		cpuset_for_each (cpu, &vms[i]) {
			const struct cpu_place *place = &allocator->topology->places[cpu];

			one_node &= node < 0 || node == place->node;
			one_cache &= cache < 0 || cache == place->cache;
			node = place->node;
			cache = place->cache;
		}
		tidiness.in_one_node += one_node;
		tidiness.in_one_cache += one_cache;
	}
	for (size_t i = 0; i < allocator->n_cores; i++) {
		const struct core *core = &allocator->cores[i];
		bool whole = !core->split;

		for (unsigned int j = 0; whole && j < core->width; j++)
			whole = cpuset_has(available, allocator->cpus[core->first + j]);
		tidiness.whole_cores += whole;
	}
	return tidiness;
}

int tidiness_compare(const struct tidiness *a, const struct tidiness *b)
{
	if (a->in_one_node != b->in_one_node)
		return a->in_one_node > b->in_one_node ? 1 : -1;
	if (a->in_one_cache != b->in_one_cache)
		return a->in_one_cache > b->in_one_cache ? 1 : -1;
	if (a->whole_cores != b->whole_cores)
		return a->whole_cores > b->whole_cores ? 1 : -1;
	return 0;
}

struct turn {
	size_t vm, n_wants, n_fixed;
};

/* Who has fixed CPUs may need what is beside them; then the big ones. */
static int compare_turns(const void *a, const void *b)
{
	const struct turn *one = a, *other = b;

	if (!one->n_fixed != !other->n_fixed)
		return one->n_fixed ? -1 : 1;
	if (one->n_wants != other->n_wants)
		return one->n_wants > other->n_wants ? -1 : 1;
	return one->vm < other->vm ? -1 : 1;
}

static void forget(struct placement *placements, size_t n)
{
	for (size_t i = 0; i < n; i++)
		placement_deinit(&placements[i]);
}

static int place_in_turn(const struct allocator *allocator,
	const struct request *requests, const struct turn *turns, size_t n_vms,
	const struct cpuset *available, struct placement *placements, struct cpuset *all,
	struct cpuset *ret_left, struct problem *problem)
{
	struct cpuset left = *available;

	/* What is pinned is nobody's to be given. */
	for (size_t i = 0; i < n_vms; i++)
		for (size_t j = 0; j < requests[i].n_wants; j++)
			if (requests[i].wants[j].fixed)
				cpuset_andnot(&left, requests[i].wants[j].fixed);
	for (size_t i = 0; i < n_vms; i++) {
		size_t vm = turns[i].vm;
		int r = allocator_place(
			allocator, &requests[vm], &left, NULL, &placements[vm], problem);

		if (r)
			return r;
		all[vm] = placement_all(&placements[vm], &requests[vm]);
		cpuset_andnot(&left, &all[vm]);
	}
	*ret_left = left;
	return 0;
}

static int repack(const struct allocator *allocator, const struct request *requests,
	const struct cpuset *now, size_t n_vms, const struct cpuset *available,
	struct placement *placements, struct turn *turns, struct cpuset *all,
	struct problem *problem)
{
	struct tidiness before, after;
	struct cpuset left = *available;
	int r;

	for (size_t i = 0; i < n_vms; i++) {
		turns[i] = (struct turn){.vm = i, .n_wants = requests[i].n_wants};
		for (size_t j = 0; j < requests[i].n_wants; j++)
			turns[i].n_fixed += requests[i].wants[j].fixed != NULL;
		cpuset_andnot(&left, &now[i]);
	}
	before = allocator_tidiness(allocator, now, n_vms, &left);
	qsort(turns, n_vms, sizeof(*turns), compare_turns);
	r = place_in_turn(allocator, requests, turns, n_vms, available, placements, all,
		&left, problem);
	if (r)
		return r;
	after = allocator_tidiness(allocator, all, n_vms, &left);
	if (tidiness_compare(&after, &before) > 0)
		return 0;
	return problem_set(problem, 1,
		"nothing is gained: of %zu VMs %zu are in one node and %zu in one cache, with "
		"%zu whole cores free; placed anew %zu, %zu and %zu",
		n_vms, before.in_one_node, before.in_one_cache, before.whole_cores,
		after.in_one_node, after.in_one_cache, after.whole_cores);
}

int allocator_repack(const struct allocator *allocator, const struct request *requests,
	const struct cpuset *now, size_t n_vms, const struct cpuset *available,
	struct placement *ret_placements, struct problem *problem)
{
	struct placement *placements = calloc(n_vms + 1, sizeof(*placements));
	struct turn *turns = calloc(n_vms + 1, sizeof(*turns));
	struct cpuset *all = calloc(n_vms + 1, sizeof(*all));
	int r = -ENOMEM;

	if (placements && turns && all)
		r = repack(allocator, requests, now, n_vms, available, placements, turns,
			all, problem);
	else
		problem_nomem(problem);
	for (size_t i = 0; !r && i < n_vms; i++)
		ret_placements[i] = placements[i];
	if (r && placements)
		forget(placements, n_vms);
	free(placements);
	free(turns);
	free(all);
	return r;
}
