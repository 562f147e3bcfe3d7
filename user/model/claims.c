// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/claims.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

void claims_deinit(struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
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

__attribute__((format(printf, 2, 3))) static int refuse(
	struct claim *claim, const char *format, ...)
{
	va_list args;
	int n;

	if (claim->reason)
		return 0;
	va_start(args, format);
	n = vasprintf(&claim->reason, format, args);
	va_end(args);
	if (n < 0)
		claim->reason = NULL;
	return n < 0 ? -ENOMEM : 0;
}

static void describe(const struct claim_set *set, char *buf, size_t size)
{
	if (set->class == THREAD_EMULATOR)
		snprintf(buf, size, "the emulator");
	else if (set->class == THREAD_VCPU)
		snprintf(buf, size, "vCPU %d", set->index);
	else
		snprintf(buf, size, "iothread %d", set->index);
}

static struct claim_set *add_set(
	struct claim *claim, enum thread_class class, int index, const struct cpuset *pin)
{
	struct claim_set *set = array_push(&claim->sets, &claim->n_sets);

	if (!set)
		return NULL;
	set->class = class;
	set->index = index;
	if (pin) {
		set->pinned = true;
		set->cpus = *pin;
	}
	return set;
}

static int add_emulator(struct claim *claim)
{
	const struct cpuset *pin = NULL;

	if (claim->pins && claim->pins->has_emulator_pin)
		pin = &claim->pins->emulator_pin;
	else if (claim->policy.emulator == EMULATOR_LIST)
		pin = &claim->policy.emulator_cpus;
	else if (
		claim->policy.emulator == EMULATOR_HOUSEKEEPING &&
		refuse(claim,
			"emulator = housekeeping cannot be had yet: a partition of the VM's own has "
			"no housekeeping CPU in it; use emulator = own, or CPUs that are not "
			"housekeeping"))
		return -ENOMEM;
	return add_set(claim, THREAD_EMULATOR, 0, pin) ? 0 : -ENOMEM;
}

static int add_sets(struct claim *claim)
{
	const struct vm_policy *pins = claim->pins;
	size_t n_vcpus = 0;

	if (add_emulator(claim))
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++) {
		enum thread_class class = pass ? THREAD_IOTHREAD : THREAD_VCPU;

		for (size_t i = 0; i < claim->vm->n_threads; i++) {
			const struct vm_thread *thread = &claim->vm->threads[i];
			unsigned int index = (unsigned int)thread->index;
			const struct cpuset *pin = NULL;

			if (thread->class != class)
				continue;
			n_vcpus += class == THREAD_VCPU;
			if (pins)
				pin = class == THREAD_VCPU
					      ? vm_policy_vcpu_pin(pins, index)
					      : vm_policy_iothread_pin(pins, index);
			/* An iothread without a pin of its own runs with the emulator. */
			if (class == THREAD_IOTHREAD && !pin)
				continue;
			if (!add_set(claim, class, thread->index, pin))
				return -ENOMEM;
		}
	}
	if (!n_vcpus)
		return refuse(claim, "no vCPU thread was found: %s",
			claim->vm->problem ? claim->vm->problem
					   : "is it still starting?");
	return 0;
}

/* Within a VM, a vCPU's partition shares its CPUs with nobody. */
static int check_own_overlap(struct claim *claim)
{
	char one[32], other[32];

	if (claim->policy.partition == PARTITION_MEMBER)
		return 0;
	for (size_t i = 0; i < claim->n_sets; i++)
		for (size_t j = i + 1; j < claim->n_sets; j++) {
			struct cpuset both = claim->sets[i].cpus;

			if (claim->sets[i].class != THREAD_VCPU &&
				claim->sets[j].class != THREAD_VCPU)
				continue;
			cpuset_and(&both, &claim->sets[j].cpus);
			if (cpuset_empty(&both))
				continue;
			describe(&claim->sets[i], one, sizeof(one));
			describe(&claim->sets[j], other, sizeof(other));
			return refuse(claim,
				"CPU %d is pinned to %s and to %s: a vCPU's partition shares with "
				"nobody (partition = member would)",
				cpuset_next(&both, 0), one, other);
		}
	return 0;
}

static int check_pins(struct claim *claim, const struct desired_input *input)
{
	for (size_t i = 0; i < claim->n_sets; i++) {
		struct cpuset bad = claim->sets[i].cpus;
		char who[32];

		describe(&claim->sets[i], who, sizeof(who));
		cpuset_andnot(&bad, &input->online);
		if (!cpuset_empty(&bad))
			return refuse(claim, "CPU %d, pinned to %s, is offline",
				cpuset_next(&bad, 0), who);
		bad = claim->sets[i].cpus;
		cpuset_and(&bad, &input->config->housekeeping);
		if (input->config->has_housekeeping && !cpuset_empty(&bad))
			return refuse(claim,
				"CPU %d, pinned to %s, is a housekeeping CPU",
				cpuset_next(&bad, 0), who);
	}
	return check_own_overlap(claim);
}

static int check_others(struct claim *claim, const struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
		const struct claim *other = &claims->items[i];
		struct cpuset both = other->all;

		cpuset_and(&both, &claim->all);
		if (other != claim && other->granted && !cpuset_empty(&both))
			return refuse(claim, "CPU %d is reserved by VM %s",
				cpuset_next(&both, 0), other->vm->name);
	}
	return 0;
}

static void sum_up(struct claim *claim)
{
	memset(&claim->all, 0, sizeof(claim->all));
	for (size_t i = 0; i < claim->n_sets; i++)
		cpuset_or(&claim->all, &claim->sets[i].cpus);
}

static const struct group *current_group(const struct desired_input *input,
	const struct claim *claim, const struct claim_set *set)
{
	cleanup_free char *group = vm_group_path(claim->vm->name);
	char path[4 * VM_NAME_SIZE + 64];

	if (!group)
		return NULL;
	if (!set)
		return tree_find(input->tree, group);
	if (set->class == THREAD_EMULATOR)
		snprintf(path, sizeof(path), "%s/emulator", group);
	else
		snprintf(path, sizeof(path), "%s/%s%d", group,
			thread_class_name(set->class), set->index);
	return tree_find(input->tree, path);
}

/* The one CPU that a set without a pin has now and may keep, or -1. */
static int kept_cpu(const struct claim *claim, const struct desired_input *input,
	const struct claim_set *set, const struct cpuset *available)
{
	const struct group *now = current_group(input, claim, set);

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

			if (set->pinned || !cpuset_empty(&set->cpus))
				continue;
			cpu = pass ? cpuset_next(available, 0)
				   : kept_cpu(claim, input, set, available);
			if (cpu < 0 && !pass)
				continue;
			describe(set, who, sizeof(who));
			if (cpu < 0)
				return refuse(claim,
					"no CPU is free for %s: all others are "
					"housekeeping or reserved",
					who);
			cpuset_add(&set->cpus, (unsigned int)cpu);
			cpuset_drop(available, (unsigned int)cpu);
		}
	return 0;
}

/* What the VM's group has, or has claimed as exclusive. It stays so where the claim is
 * refused. */
static struct cpuset held_cpus(
	const struct desired_input *input, const struct claim *claim)
{
	const struct group *group = current_group(input, claim, NULL);
	struct cpuset held = {};

	if (group) {
		held = group->cpus;
		cpuset_or(&held, &group->exclusive);
	}
	return held;
}

/* What may be given where nobody said which: all but housekeeping and what anybody claims
 * or holds. */
static struct cpuset available_cpus(const struct desired_input *input,
	const struct claims *claims, const struct claim *claim)
{
	struct cpuset cpus = input->online, open = held_cpus(input, claim);

	/* What somebody else's partition holds is not the host's to give. */
	cpuset_or(&open, &input->tree->root_effective);
	if (!cpuset_empty(&input->tree->root_effective))
		cpuset_and(&cpus, &open);
	cpuset_andnot(&cpus, input->config->has_housekeeping
				     ? &input->config->housekeeping
				     : &input->first_cores);
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
		if (vm->libvirt &&
			refuse(claim,
				"it is libvirt's, which owns its groups: such VMs can only be "
				"watched yet"))
			return -ENOMEM;
		if (add_sets(claim) || check_pins(claim, input))
			return -ENOMEM;
	}
	return 0;
}

/* Who came first keeps: 0 is pinned to what it holds, 1 holds other CPUs, 2 is new. */
static int rank(const struct desired_input *input, const struct claim *claim)
{
	struct cpuset held = held_cpus(input, claim);

	if (!current_group(input, claim, NULL))
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
	for (size_t i = 0; i < claims->n_items; i++) {
		struct cpuset both = held_cpus(input, &claims->items[i]);

		cpuset_and(&both, &claim->all);
		if (&claims->items[i] != claim && !cpuset_empty(&both))
			return refuse(claim, "CPU %d is still held by VM %s",
				cpuset_next(&both, 0), claims->items[i].vm->name);
	}
	return 0;
}

/* Pins first, then what is left to choose. */
static int grant(const struct desired_input *input, struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++)
		sum_up(&claims->items[i]);
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
		if (choose(claim, input, &available))
			return -ENOMEM;
		sum_up(claim);
	}
	for (size_t i = 0; i < claims->n_items; i++)
		if (check_held(&claims->items[i], input, claims))
			return -ENOMEM;
	return 0;
}

/*
 * The host itself needs a CPU, also while a VM has both its old CPUs and its new ones.
 * They change one by one, by name; who finds nothing left goes without.
 */
static int leave_some(const struct desired_input *input, struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
		struct cpuset left = input->online;

		for (size_t j = 0; j < claims->n_items; j++) {
			const struct claim *claim = &claims->items[j];
			struct cpuset held = held_cpus(input, claim);

			if (j <= i && !claim->reason)
				cpuset_andnot(&left, &claim->all);
			if (j >= i || claim->reason)
				cpuset_andnot(&left, &held);
		}
		if (!claims->items[i].reason && cpuset_empty(&left) &&
			refuse(&claims->items[i], "no CPU would be left for the host"))
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
