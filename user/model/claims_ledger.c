// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose each CPU is, while claims are granted one after the other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/claims_parts.h"

uint16_t ledger_number(const struct ledger *ledger, const struct claim *claim)
{
	return (uint16_t)(claim - ledger->claims->items + 1);
}

uint16_t ledger_class_number(const struct ledger *ledger, const struct claim_class *class)
{
	return class ? (uint16_t)(ledger->claims->n_items +
				  (size_t)(class - ledger->claims->classes) + 1)
		     : 0;
}

struct claim_class *ledger_class_of(
	const struct ledger *ledger, const struct claim *claim)
{
	struct claims *claims = ledger->claims;

	for (size_t i = 0; claim->scheme == SCHEME_CLASS && i < claims->n_classes; i++)
		if (!strcmp(claims->classes[i].wish.name, claim->wish.policy->class))
			return &claims->classes[i];
	return NULL;
}

uint16_t ledger_holder(const struct ledger *ledger, const struct claim *claim)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);

	return class ? ledger_class_number(ledger, class) : ledger_number(ledger, claim);
}

void ledger_describe(const struct ledger *ledger, uint16_t number, char *buf, size_t size)
{
	const struct claims *claims = ledger->claims;

	if (number <= claims->n_items)
		snprintf(buf, size, "VM %s", claims->items[number - 1].vm->name);
	else
		snprintf(buf, size, "class %s",
			claims->classes[number - claims->n_items - 1].wish.name);
}

static bool has_partitions(const struct claim *claim)
{
	return !claim->reason && (claim->layout == LAYOUT_OWN || claim_partitions(claim));
}

/* To what somebody has bound the vCPUs of VMs that get no CPUs of their own. */
static void spare_pinned(const struct desired_input *input, const struct claims *claims,
	struct cpuset *cpus)
{
	const struct claim *claim = claims->items, *end = claim + claims->n_items;

	for (size_t i = 0; i < input->vms->n_items; i++) {
		const struct vm *vm = &input->vms->items[i];
		bool placed = claim < end && claim->vm == vm && has_partitions(claim);

		if (claim < end && claim->vm == vm)
			claim++;
		for (size_t j = 0; !placed && j < vm->n_threads; j++)
			if (vm->threads[j].class == THREAD_VCPU &&
				!cpuset_subset(&input->tree->root_effective,
					&vm->threads[j].affinity))
				cpuset_andnot(cpus, &vm->threads[j].affinity);
	}
}

/* The one CPU that libvirt leaves to a VM's other threads is for nobody's vCPUs. */
static void spare_others(const struct claim *claim, struct cpuset *cpus)
{
	for (size_t i = 0; i < claim->n_sets; i++)
		if (claim->layout == LAYOUT_LIBVIRT && claim->sets[i].pinned &&
			claim->sets[i].class != THREAD_VCPU &&
			cpuset_weight(&claim->sets[i].cpus) == 1)
			cpuset_andnot(cpus, &claim->sets[i].cpus);
}

/*
 * What the VM's group has, or has claimed as exclusive, however it keeps it. It stays so
 * where the claim is refused. What libvirt allows a group as a whole is nobody's alone,
 * nor is what a class lends a VM.
 */
static void find_held(struct claim *claim)
{
	const struct group *group = claim->group;

	if (!group || claim->scheme == SCHEME_CLASS)
		return;
	claim->held = group->exclusive;
	/* A member may run on the host's CPUs, too, which are not its. */
	if (claim->layout == LAYOUT_OWN &&
		(group->partition.kind != PARTITION_MEMBER ||
			(claim->scheme == SCHEME_ROOT && cpuset_empty(&claim->held))))
		cpuset_or(&claim->held, &group->cpus);
}

/* Two that hold the same CPU have it by somebody's hand: the first is noted. */
static void note_held(struct ledger *ledger, const struct cpuset *cpus, uint16_t number)
{
	cpuset_for_each (cpu, cpus)
		if (!ledger->held[cpu])
			ledger->held[cpu] = number;
	cpuset_andnot(&ledger->available, cpus);
}

const struct group *claim_former_home(
	const struct ledger *ledger, const struct claim *claim)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	const struct vm *vm = claim->vm;
	const struct group *home = NULL;
	cleanup_free char *path = NULL;

	if (claim->layout != LAYOUT_OWN || !vm->n_threads ||
		!path_is_below(vm->threads[0].cgroup, SLICE))
		return NULL;
	path = strdup(vm->threads[0].cgroup);
	if (path)
		*strchrnul(path + strlen(SLICE "/"), '/') = '\0';
	if (path && strcmp(path, class ? class->path : claim->top))
		home = tree_find(ledger->input->tree, path);
	return home;
}

/* A VM that is to be kept in another way than by now, and is refused, stays where it is.
 */
static void note_former_homes(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->claims->n_items; i++) {
		struct claim *claim = &ledger->claims->items[i];
		const struct group *home =
			claim->reason ? claim_former_home(ledger, claim) : NULL;

		if (!home)
			continue;
		cpuset_or(&claim->held, &home->exclusive);
		if (home->partition.kind != PARTITION_MEMBER)
			cpuset_or(&claim->held, &home->cpus);
		note_held(ledger, &claim->held, ledger_number(ledger, claim));
	}
}

static void note_all_held(struct ledger *ledger)
{
	struct claims *claims = ledger->claims;

	for (size_t i = 0; i < claims->n_items; i++) {
		find_held(&claims->items[i]);
		note_held(ledger, &claims->items[i].held,
			ledger_number(ledger, &claims->items[i]));
	}
	for (size_t i = 0; i < claims->n_classes; i++) {
		struct claim_class *class = &claims->classes[i];
		const struct group *group = tree_find(ledger->input->tree, class->path);

		if (group) {
			class->held = group->exclusive;
			cpuset_or(&class->held, &group->cpus);
		}
		note_held(ledger, &class->held, ledger_class_number(ledger, class));
	}
	note_former_homes(ledger);
}

/* Without remote partitions the slice shares with no group beside it, and takes none that
 * the boot command line isolates. */
static void spare_beside(
	const struct tree *tree, const struct cpuset *isolated, struct cpuset *cpus)
{
	const struct group *slice = tree_find(tree, SLICE);

	if (tree->remote)
		return;
	cpuset_andnot(cpus, isolated);
	for (size_t i = 0; i < tree->n_beside; i++) {
		struct cpuset beside = tree->beside[i].cpus;

		if (slice)
			cpuset_andnot(&beside, &slice->cpus);
		cpuset_andnot(cpus, &beside);
	}
}

int ledger_init(struct ledger *ledger, const struct desired_input *input,
	const struct pools *pools, struct claims *claims)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->input = input;
	ledger->claims = claims;
	ledger->pools = *pools;
	spare_pinned(input, claims, &ledger->pools.given);
	for (size_t i = 0; i < claims->n_items; i++)
		spare_others(&claims->items[i], &ledger->pools.given);
	spare_beside(input->tree, &input->topology->isolated, &ledger->pools.given);
	ledger->available = ledger->pools.given;
	/* What somebody else's partition holds is not the host's to give. */
	if (!cpuset_empty(&input->tree->root_effective))
		cpuset_and(&ledger->available, &input->tree->root_effective);
	note_all_held(ledger);
	ledger->allocator = allocator_new(input->topology);
	return ledger->allocator ? 0 : -ENOMEM;
}

void ledger_deinit(struct ledger *ledger)
{
	allocator_free(ledger->allocator);
}

int ledger_meets(const struct cpuset *cpus, const uint16_t *whose, uint16_t number)
{
	cpuset_for_each (cpu, cpus)
		if (whose[cpu] && whose[cpu] != number)
			return cpu;
	return -1;
}

void ledger_claim(struct ledger *ledger, const struct cpuset *cpus, uint16_t number)
{
	cpuset_for_each (cpu, cpus)
		ledger->claimed[cpu] = number;
	cpuset_andnot(&ledger->available, cpus);
}

void ledger_return(struct ledger *ledger, const struct cpuset *cpus, uint16_t number)
{
	cpuset_for_each (cpu, cpus) {
		if (ledger->claimed[cpu] != number)
			continue;
		ledger->claimed[cpu] = 0;
		if (!ledger->held[cpu] &&
			cpuset_has(&ledger->pools.given, (unsigned int)cpu))
			cpuset_add(&ledger->available, (unsigned int)cpu);
	}
}

struct cpuset ledger_available(const struct ledger *ledger, const struct cpuset *held,
	uint16_t holder, uint16_t number)
{
	struct cpuset cpus = ledger->available, own = *held;

	cpuset_and(&own, &ledger->pools.given);
	cpuset_for_each (cpu, &own)
		if ((!ledger->claimed[cpu] || ledger->claimed[cpu] == number) &&
			ledger->held[cpu] == holder)
			cpuset_add(&cpus, (unsigned int)cpu);
	return cpus;
}
