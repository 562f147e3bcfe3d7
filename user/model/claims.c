// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/model/claims_parts.h"

void claims_deinit(struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
		free(claims->items[i].top);
		free(claims->items[i].sets);
		free(claims->items[i].reason);
	}
	free(claims->items);
	memset(claims, 0, sizeof(*claims));
}

const struct claim *claims_find(const struct claims *claims, const char *vm_name)
{
	for (size_t i = 0; i < claims->n_items; i++)
		if (!strcmp(claims->items[i].vm->name, vm_name))
			return &claims->items[i];
	return NULL;
}

/*
 * Without remote partitions the slice must be the only one of its level with its CPUs: if
 * it were not, all VMs' partitions would be invalid.
 */
static int check_beside(struct claim *claim, const struct desired_input *input)
{
	const struct tree *tree = input->tree;
	const struct group *slice = tree_find(tree, SLICE);

	if (tree->remote || claim->layout != LAYOUT_OWN)
		return 0;
	for (size_t i = 0; i < tree->n_beside; i++) {
		struct cpuset both = claim->all;

		cpuset_and(&both, &tree->beside[i].cpus);
		if (slice)
			cpuset_andnot(&both, &slice->cpus);
		if (!cpuset_empty(&both))
			return claim_refuse(claim,
				"CPU %d is also set for /%s, and this kernel lets no group share "
				"with the partitions beside it",
				cpuset_next(&both, 0), tree->beside[i].path);
	}
	return 0;
}

static int check_others(struct claim *claim, const struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
		const struct claim *other = &claims->items[i];
		struct cpuset both = other->all;

		cpuset_and(&both, &claim->all);
		if (other != claim && other->granted && !cpuset_empty(&both))
			return claim_refuse(claim, "CPU %d is reserved by VM %s",
				cpuset_next(&both, 0), other->vm->name);
	}
	return 0;
}

/* The one CPU that a set without a pin has now and may keep, or -1. */
static int kept_cpu(const struct claim *claim, const struct desired_input *input,
	const struct claim_set *set, const struct cpuset *available)
{
	const struct group *now = claim_group(input, claim, set);

	return now && cpuset_weight(&now->cpus) == 1 &&
			       cpuset_subset(&now->cpus, available)
		       ? cpuset_next(&now->cpus, 0)
		       : -1;
}

/*
 * Gives every set without a pin one CPU out of `available`, and takes it from there:
 * first to those that have one, then the lowest to the others.
 */
static int choose(
	struct claim *claim, const struct desired_input *input, struct cpuset *available)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < claim->n_sets; i++) {
			struct claim_set *set = &claim->sets[i];
			char who[32];
			int cpu;

			if (set->pinned || set->floats || !cpuset_empty(&set->cpus))
				continue;
			cpu = pass ? cpuset_next(available, 0)
				   : kept_cpu(claim, input, set, available);
			if (cpu < 0 && !pass)
				continue;
			claim_set_describe(set, who, sizeof(who));
			if (cpu < 0)
				return claim_refuse(claim,
					"no CPU is free for %s: all others are "
					"housekeeping or reserved",
					who);
			cpuset_add(&set->cpus, (unsigned int)cpu);
			cpuset_drop(available, (unsigned int)cpu);
		}
	return 0;
}

/* What the VM's group has, or has claimed as exclusive. It stays so where the claim is
 * refused. What libvirt allows a group as a whole is nobody's alone. */
static struct cpuset held_cpus(
	const struct desired_input *input, const struct claim *claim)
{
	const struct group *group = claim_group(input, claim, NULL);
	struct cpuset held = {};

	if (group) {
		held = group->exclusive;
		if (claim->layout == LAYOUT_OWN)
			cpuset_or(&held, &group->cpus);
	}
	return held;
}

static bool has_partitions(const struct claims *claims, const struct vm *vm)
{
	const struct claim *claim = claims_find(claims, vm->name);

	return claim && !claim->reason &&
	       (claim->layout == LAYOUT_OWN || claim_partitions(claim));
}

/* To what somebody has bound the vCPUs of VMs that get no CPUs of their own. */
static struct cpuset shared_pins(
	const struct desired_input *input, const struct claims *claims)
{
	struct cpuset cpus = {};

	for (size_t i = 0; i < input->vms->n_items; i++) {
		const struct vm *vm = &input->vms->items[i];

		for (size_t j = 0; j < vm->n_threads && !has_partitions(claims, vm); j++)
			if (vm->threads[j].class == THREAD_VCPU &&
				!cpuset_subset(&input->tree->root_effective,
					&vm->threads[j].affinity))
				cpuset_or(&cpus, &vm->threads[j].affinity);
	}
	return cpus;
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

/* What may be given where nobody said which: all but housekeeping and what anybody claims
 * or holds. */
static struct cpuset available_cpus(const struct desired_input *input,
	const struct claims *claims, const struct claim *claim)
{
	struct cpuset cpus = input->topology->online, open = held_cpus(input, claim);
	struct cpuset shared = shared_pins(input, claims);

	cpuset_andnot(&cpus, &shared);
	for (size_t i = 0; i < claims->n_items; i++)
		spare_others(&claims->items[i], &cpus);
	/* What somebody else's partition holds is not the host's to give. */
	cpuset_or(&open, &input->tree->root_effective);
	if (!cpuset_empty(&input->tree->root_effective))
		cpuset_and(&cpus, &open);
	cpuset_andnot(&cpus, input->config->has_housekeeping
				     ? &input->config->housekeeping
				     : &input->topology->first_cores);
	for (size_t i = 0; i < claims->n_items; i++) {
		const struct claim *other = &claims->items[i];
		struct cpuset held = held_cpus(input, other);

		if (!other->reason)
			cpuset_andnot(&cpus, &other->all);
		if (other != claim)
			cpuset_andnot(&cpus, &held);
	}
	return cpus;
}

static int collect(const struct desired_input *input, struct claims *claims)
{
	for (size_t i = 0; i < input->vms->n_items; i++) {
		const struct vm *vm = &input->vms->items[i];
		const struct vm_policy *pins = config_find_vm(input->config, vm->name);
		struct policy policy = pins ? pins->policy : input->config->defaults;
		struct claim *claim;

		if (policy.kind != POLICY_DEDICATED)
			continue;
		claim = array_push(&claims->items, &claims->n_items);
		if (!claim)
			return -ENOMEM;
		claim->vm = vm;
		claim->pins = pins;
		claim->policy = policy;
		if (claim_init(claim, input))
			return -ENOMEM;
	}
	return 0;
}

/* Who came first keeps: 0 is pinned to what it holds, 1 holds other CPUs, 2 is new. */
static int rank(const struct desired_input *input, const struct claim *claim)
{
	struct cpuset held = held_cpus(input, claim);

	if (!claim_group(input, claim, NULL) ||
		(claim->layout == LAYOUT_LIBVIRT && cpuset_empty(&held)))
		return 2;
	return cpuset_subset(&claim->all, &held) ? 0 : 1;
}

/*
 * What another's group holds cannot be had before that VM gave it up, in this pass or
 * never: until then this one stays as it is, for two partitions that overlap make each
 * other invalid.
 */
static int check_held(struct claim *claim, const struct desired_input *input,
	const struct claims *claims)
{
	struct cpuset own = held_cpus(input, claim);

	for (size_t i = 0; i < claims->n_items; i++) {
		struct cpuset both = held_cpus(input, &claims->items[i]);

		cpuset_and(&both, &claim->all);
		/* What both have somebody has written over the other's. */
		cpuset_andnot(&both, &own);
		if (&claims->items[i] != claim && !cpuset_empty(&both))
			return claim_refuse(claim, "CPU %d is still held by VM %s",
				cpuset_next(&both, 0), claims->items[i].vm->name);
	}
	return 0;
}

/* Pins first, then what is left to choose. */
static int grant(const struct desired_input *input, struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++)
		if (claim_sum_up(&claims->items[i], input))
			return -ENOMEM;
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < claims->n_items; i++) {
			struct claim *claim = &claims->items[i];

			if (rank(input, claim) != turn || claim->reason)
				continue;
			if (check_others(claim, claims))
				return -ENOMEM;
			claim->granted = !claim->reason;
		}
	for (size_t i = 0; i < claims->n_items; i++) {
		struct claim *claim = &claims->items[i];
		struct cpuset available;

		if (claim->reason)
			continue;
		available = available_cpus(input, claims, claim);
		if (choose(claim, input, &available) || claim_sum_up(claim, input) ||
			check_beside(claim, input))
			return -ENOMEM;
	}
	for (size_t i = 0; i < claims->n_items; i++)
		if (check_held(&claims->items[i], input, claims))
			return -ENOMEM;
	return 0;
}

/* Without remote partitions the slice must keep a CPU when a VM's group in use gets more.
 */
static bool needs_spare(const struct desired_input *input, const struct claim *claim)
{
	const struct group *group = claim_group(input, claim, NULL);

	return !input->tree->remote && claim->layout == LAYOUT_OWN && group &&
	       group->populated &&
	       cpuset_weight(&claim->all) > cpuset_weight(&group->cpus);
}

/*
 * The host itself needs a CPU, also while a VM has both its old CPUs and its new ones.
 * They change one by one, by name; who finds nothing left goes without.
 */
static int leave_some(const struct desired_input *input, struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
		struct cpuset left = input->topology->online;

		for (size_t j = 0; j < claims->n_items; j++) {
			const struct claim *claim = &claims->items[j];
			struct cpuset held = held_cpus(input, claim);

			/* The kernel leaves the host something, whatever is written. */
			if (cpuset_subset(&input->topology->online, &held))
				held = claim->all;
			if (j <= i && !claim->reason)
				cpuset_andnot(&left, &claim->all);
			if (j >= i || claim->reason)
				cpuset_andnot(&left, &held);
		}
		if (!claims->items[i].reason && cpuset_empty(&left) &&
			claim_refuse(
				&claims->items[i], "no CPU would be left for the host"))
			return -ENOMEM;
		if (needs_spare(input, &claims->items[i]) && cpuset_weight(&left) < 2 &&
			claim_refuse(&claims->items[i],
				"this kernel gives a VM in use more CPUs only where the host has "
				"one to spare meanwhile (Linux 6.7 does without)"))
			return -ENOMEM;
	}
	return 0;
}

int claims_compute(const struct desired_input *input, struct claims *ret_claims)
{
	struct claims claims = {};

	if (collect(input, &claims) || grant(input, &claims) ||
		leave_some(input, &claims)) {
		claims_deinit(&claims);
		return -ENOMEM;
	}
	*ret_claims = claims;
	return 0;
}
