// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/claims_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

int claim_refuse(struct claim *claim, const char *format, ...)
{
	va_list args;
	int n;

	if (claim->reason)
		return 0;
	va_start(args, format);
	n = vasprintf(&claim->reason, format, args);
	va_end(args);
	/* Groups, which are in it, have names of anybody's choice. */
	if (n < 0)
		claim->reason = NULL;
	else
		make_printable(claim->reason);
	return n < 0 ? -ENOMEM : 0;
}

void claim_set_describe(const struct claim_set *set, char *buf, size_t size)
{
	if (set->class == THREAD_EMULATOR)
		snprintf(buf, size, "the emulator");
	else if (set->class == THREAD_VCPU)
		snprintf(buf, size, "vCPU %d", set->index);
	else
		snprintf(buf, size, "iothread %d", set->index);
}

bool claim_partitions(const struct claim *claim)
{
	return claim->wish.policy->partition != PARTITION_MEMBER;
}

/* The group of a set as it is, or NULL. -ENOMEM. */
static int find_group(const struct claim *claim, const struct desired_input *input,
	struct claim_set *set)
{
	cleanup_free char *leaf = NULL;

	/* Without the one above there is none below. */
	if (!claim->group)
		return 0;
	leaf = layout_leaf(claim->top, set->class, set->index);
	if (!leaf)
		return -ENOMEM;
	set->group = tree_find(input->tree, leaf);
	return 0;
}

/*
 * What libvirt has pinned a set to: what its group has, unless we have written that; then
 * what it had before. NULL: nothing. For a vCPU all CPUs are no pin either, for this is
 * how virsh takes one back.
 */
static const struct cpuset *libvirt_pin(const struct desired_input *input,
	const struct claim *claim, const struct claim_set *set)
{
	const struct group *group = set->group;
	const struct found_group *found = NULL;
	const struct cpuset *pin;

	if (!group)
		return NULL;
	pin = &group->cpus;
	if (claim->record)
		found = found_vm_group(claim->record, group->path);
	if (found && found_group_wrote(found, pin))
		pin = &found->cpus;
	if (cpuset_empty(pin) || (set->class == THREAD_VCPU &&
					 cpuset_subset(&input->topology->online, pin)))
		return NULL;
	return pin;
}

/* Where policy wants a thread that nobody has pinned. A list is as good as a pin. */
static enum place place_of(const struct claim *claim, const struct claim_set *set,
	const struct cpuset **ret_list)
{
	const struct policy *policy = claim->wish.policy;
	bool emulator = set->class == THREAD_EMULATOR;

	*ret_list = emulator ? &policy->emulator_cpus : &policy->iothread_cpus;
	return emulator ? policy->emulator : policy->iothreads;
}

/* Who said where the set is to be: our files, then libvirt, then policy. */
static const struct cpuset *find_pin(const struct claim *claim,
	const struct desired_input *input, const struct pools *pools,
	const struct claim_set *set)
{
	const struct vm_policy *pins = claim->pins;
	unsigned int index = (unsigned int)set->index;
	const struct cpuset *pin = NULL, *list;
	enum place place;

	if (pins && set->class == THREAD_EMULATOR && pins->has_emulator_pin)
		pin = &pins->emulator_pin;
	else if (pins && set->class == THREAD_VCPU)
		pin = vm_policy_vcpu_pin(pins, index);
	else if (pins && set->class == THREAD_IOTHREAD)
		pin = vm_policy_iothread_pin(pins, index);
	if (!pin && claim->layout == LAYOUT_LIBVIRT)
		pin = libvirt_pin(input, claim, set);
	/* Where a class is, there its VMs' other threads are. */
	if (pin || set->class == THREAD_VCPU || claim->scheme == SCHEME_CLASS)
		return pin;
	place = place_of(claim, set, &list);
	if (place == PLACE_LIST)
		return list;
	return place == PLACE_HOUSEKEEPING && claim->layout == LAYOUT_LIBVIRT
		       ? &pools->housekeeping
		       : NULL;
}

/* A VM of a class: but for vCPUs of their own all its threads are where the class is. */
static int share(struct claim *claim, const struct claim_set *set, bool pinned, bool *ret)
{
	bool vcpu = set->class == THREAD_VCPU;
	char who[32];

	*ret = !vcpu || (!pinned && !cpuset_has(&claim->wish.policy->dedicated,
					    (unsigned int)set->index));
	if (vcpu || !pinned)
		return 0;
	claim_set_describe(set, who, sizeof(who));
	return claim_refuse(claim,
		"%s of a VM with policy = shared runs on the CPUs of its class, and cannot be "
		"pinned",
		who);
}

static int add_set(struct claim *claim, const struct desired_input *input,
	const struct pools *pools, enum thread_class class, int index)
{
	struct claim_set set = {.class = class, .index = index}, *slot;
	bool libvirt = claim->layout == LAYOUT_LIBVIRT;
	const struct cpuset *pin, *list;
	char who[32];

	if (find_group(claim, input, &set))
		return -ENOMEM;
	pin = find_pin(claim, input, pools, &set);
	claim_set_describe(&set, who, sizeof(who));
	if (libvirt && !set.group &&
		claim_refuse(claim, "libvirt has no group for %s below /%s", who,
			claim->top ? claim->top : "machine.slice"))
		return -ENOMEM;
	if (claim->scheme == SCHEME_CLASS && share(claim, &set, pin, &set.shares))
		return -ENOMEM;
	if (class != THREAD_VCPU && !libvirt && !pin && !set.shares)
		set.open = place_of(claim, &set, &list) == PLACE_HOUSEKEEPING;
	/* An iothread of ours that is to be with the emulator is in its group. */
	if (class == THREAD_IOTHREAD && !libvirt && !pin &&
		claim->wish.policy->iothreads == PLACE_EMULATOR)
		return 0;
	slot = array_push(&claim->sets, &claim->n_sets);
	if (!slot)
		return -ENOMEM;
	*slot = set;
	slot->pinned = pin && !set.shares;
	slot->floats = libvirt && !pin && class != THREAD_VCPU;
	if (slot->pinned)
		slot->cpus = *pin;
	else if (set.open)
		slot->cpus = pools->housekeeping;
	return 0;
}

/*
 * Threads on housekeeping CPUs cannot be in a group that is a partition, so that the
 * VM's is none then, and no CPU can be the VM's but its vCPUs'.
 */
static int check_open(struct claim *claim, const struct desired_input *input)
{
	bool open = false, closed = false;

	for (size_t i = 0; i < claim->n_sets; i++) {
		open |= claim->sets[i].open;
		closed |= !claim->sets[i].open && claim->sets[i].class != THREAD_VCPU;
	}
	if (!open)
		return 0;
	claim->scheme = SCHEME_LEAVES;
	if (closed)
		return claim_refuse(claim,
			"of the emulator and the iothreads either all are on housekeeping CPUs or "
			"none is: iothreads = emulator puts them together");
	if (!claim_partitions(claim))
		return claim_refuse(claim,
			"with partition = member and threads on housekeeping CPUs nothing "
			"would keep others off its vCPUs: use policy = observe with pins, or "
			"partition = isolated");
	if (!input->tree->remote)
		return claim_refuse(claim,
			"threads on housekeeping CPUs take partitions below a group that is none, "
			"which this kernel has not (Linux 6.7 has): emulator = own or a list "
			"of CPUs that are not housekeeping does without");
	return 0;
}

static int add_sets(
	struct claim *claim, const struct desired_input *input, const struct pools *pools)
{
	size_t n_vcpus = 0;

	if (add_set(claim, input, pools, THREAD_EMULATOR, 0))
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++) {
		enum thread_class class = pass ? THREAD_IOTHREAD : THREAD_VCPU;

		for (size_t i = 0; i < claim->vm->n_threads; i++) {
			if (claim->vm->threads[i].class != class)
				continue;
			n_vcpus += class == THREAD_VCPU;
			if (add_set(claim, input, pools, class,
				    claim->vm->threads[i].index))
				return -ENOMEM;
		}
	}
	if (!n_vcpus)
		return claim_refuse(claim, "no vCPU thread was found: %s",
			claim->vm->problem ? claim->vm->problem
					   : "is it still starting?");
	return 0;
}

/* Remote partitions are the only way to one below groups that are not to be partitions.
 */
static int check_kernel(struct claim *claim, const struct desired_input *input)
{
	if (claim->layout != LAYOUT_LIBVIRT || !claim_partitions(claim) ||
		input->tree->remote || claim->reason)
		return 0;
	claim->pins_hold = true;
	/* Ours cannot be had either. */
	for (size_t i = 0; i < claim->n_sets; i++) {
		struct claim_set *set = &claim->sets[i];
		const struct cpuset *pin = libvirt_pin(input, claim, set);

		set->pinned = pin;
		set->floats = !pin;
		set->cpus = pin ? *pin : (struct cpuset){};
	}
	return claim_refuse(claim,
		"this kernel has no cpuset.cpus.exclusive (Linux 6.7 has), without which libvirt's "
		"groups cannot become partitions where they are: libvirt's pins hold and are "
		"watched, but others may run on the same CPUs (partition = member asks for no "
		"more)");
}

/* Where its groups are, and how they keep others out. -ENOMEM. */
static int find_place(struct claim *claim, const struct desired_input *input)
{
	int r;

	claim->layout = layout_of(claim->vm);
	claim->scheme = claim->layout == LAYOUT_LIBVIRT ? SCHEME_LEAVES : SCHEME_ROOT;
	if (claim->wish.policy->kind == POLICY_SHARED && claim->layout == LAYOUT_OWN) {
		if (!config_has_class(input->config, claim->wish.policy->class) &&
			claim_refuse(claim,
				"its class is %s, and there is no section [class %s]",
				claim->wish.policy->class, claim->wish.policy->class))
			return -ENOMEM;
		claim->scheme = SCHEME_CLASS;
		claim->top = class_vm_path(claim->wish.policy->class, claim->vm->name);
		return claim->top ? 0 : -ENOMEM;
	}
	/* Of two vCPUs the one that libvirt has not pinned yet would get what it is about
	 * to pin the other to, and then the start fails. */
	if (claim->layout == LAYOUT_LIBVIRT && claim->vm->starting &&
		claim_refuse(claim, "libvirt is still starting it"))
		return -ENOMEM;
	r = layout_top(claim->vm, &claim->top);
	if (r == -ENOENT)
		r = claim_refuse(claim,
			"its threads are in /%s and not in groups that libvirt made for them",
			claim->vm->n_threads ? claim->vm->threads[0].cgroup : "");
	if (!r && claim->wish.policy->kind == POLICY_SHARED)
		r = claim_refuse(claim,
			"policy = shared puts a VM's groups below its class's, and these are "
			"libvirt's: policy = dedicated, or pins to CPUs of your choice in its "
			"<cputune> with policy = observe, leave them where they are");
	return r;
}

int claim_init(
	struct claim *claim, const struct desired_input *input, const struct pools *pools)
{
	if (find_place(claim, input))
		return -ENOMEM;
	if (claim->top)
		claim->group = tree_find(input->tree, claim->top);
	if (claim->layout == LAYOUT_LIBVIRT)
		claim->record = desired_record(input, claim->vm);
	if (add_sets(claim, input, pools) || check_open(claim, input) ||
		claim_check_pins(claim, input, pools))
		return -ENOMEM;
	return check_kernel(claim, input);
}

/* What of a set's CPUs nobody else may have. */
static bool is_reserved(const struct claim *claim, const struct claim_set *set)
{
	if (set->open || set->shares)
		return false;
	return claim->layout == LAYOUT_OWN ||
	       (set->class == THREAD_VCPU && claim_partitions(claim));
}

/* libvirt's other threads stay on what they have, less the vCPUs' CPUs. */
static int leave_others(struct claim *claim, const struct desired_input *input)
{
	for (size_t i = 0; i < claim->n_sets; i++) {
		struct claim_set *set = &claim->sets[i];
		char who[32];

		if (set->class == THREAD_VCPU)
			continue;
		if (set->floats)
			set->cpus = input->topology->online;
		cpuset_andnot(&set->cpus, &claim->all);
		claim_set_describe(set, who, sizeof(who));
		if (cpuset_empty(&set->cpus) &&
			claim_refuse(claim, "its vCPUs' CPUs are all that %s has", who))
			return -ENOMEM;
	}
	return 0;
}

int claim_sum_up(struct claim *claim, const struct desired_input *input)
{
	memset(&claim->all, 0, sizeof(claim->all));
	if (claim->reason)
		return 0;
	for (size_t i = 0; i < claim->n_sets; i++)
		if (is_reserved(claim, &claim->sets[i]))
			cpuset_or(&claim->all, &claim->sets[i].cpus);
	cpuset_or(&claim->all, &claim->spare);
	return claim->layout == LAYOUT_LIBVIRT ? leave_others(claim, input) : 0;
}
