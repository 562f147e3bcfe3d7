// SPDX-License-Identifier: GPL-2.0-or-later
/* CPU sets in the maps: those who may run on the same CPUs share a slot. */
#include "user/observer/maps.h"

#include <stdlib.h>

void cpuset_from_words(const volatile struct cpu_set_words *words, struct cpuset *ret_set)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		ret_set->words[i] = words->words[i];
}

static bool same_words(
	const volatile struct cpu_set_words *words, const struct cpuset *set)
{
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		if (words->words[i] != set->words[i])
			return false;
	return true;
}

bool *observer_sets_in_use(const struct observer *observer)
{
	bool *used = calloc(observer->n_cpu_sets, 1);

	if (!used)
		return NULL;
	used[SET_NONE] = used[SET_ALL] = used[SET_RESERVED] = true;
	for (u32 i = 1; i < observer->n_tasks; i++) {
		used[observer->tasks[i].set % observer->n_cpu_sets] = true;
		used[observer->tasks[i].old_set % observer->n_cpu_sets] = true;
	}
	for (u32 i = 1; i < observer->n_vms; i++) {
		used[observer->vms[i].set % observer->n_cpu_sets] = true;
		used[observer->vms[i].old_set % observer->n_cpu_sets] = true;
	}
	return used;
}

u32 observer_intern_set(struct observer *observer, bool *used, const struct cpuset *set)
{
	u32 free_slot = 0;

	for (u32 i = SET_ALL; i < observer->n_cpu_sets; i++) {
		if (i == SET_RESERVED)
			continue; /* it changes with the rules */
		if (!used[i])
			free_slot = free_slot ? free_slot : i;
		else if (same_words(&observer->cpu_sets[i], set))
			return i;
	}
	if (!free_slot)
		return 0;
	for (size_t i = 0; i < CPUSET_WORDS; i++)
		observer->cpu_sets[free_slot].words[i] = set->words[i];
	used[free_slot] = true;
	return free_slot;
}
