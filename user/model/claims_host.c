// SPDX-License-Identifier: GPL-2.0-or-later
/* What the host itself keeps: at least a CPU, and its housekeeping CPUs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/model/claims_parts.h"

static const char no_spare[] =
	"this kernel gives a group in use more CPUs only where the host has one to spare "
	"meanwhile (Linux 6.7 does without)";

/* Without remote partitions the slice must keep a CPU when a VM's group in use gets more.
 */
static bool needs_spare(const struct desired_input *input, const struct claim *claim)
{
	const struct group *group = claim->group;

	return !input->tree->remote && claim->scheme == SCHEME_ROOT && group &&
	       group->populated &&
	       cpuset_weight(&claim->all) > cpuset_weight(&group->cpus);
}

/* What is taken from the host while a VM of that claim changes. The kernel leaves the
 * host something, whatever is written. */
static struct cpuset held_really(
	const struct desired_input *input, const struct claim *claim)
{
	return cpuset_subset(&input->topology->online, &claim->held) ? claim->all
								     : claim->held;
}

/* Whoever only keeps what he has is not refused for the sake of the host. What single
 * vCPUs of a class have is the class's. */
static bool takes_more(const struct claim *claim)
{
	return !claim->reason && claim->scheme != SCHEME_CLASS &&
	       !cpuset_subset(&claim->all, &claim->held);
}

static bool class_needs_spare(
	const struct ledger *ledger, const struct claim_class *class)
{
	return !ledger->input->tree->remote && !cpuset_empty(&class->held);
}

/* Classes grow before VMs come. */
static int leave_some_by_classes(
	struct ledger *ledger, const struct cpuset *before, struct cpuset *taken)
{
	for (size_t i = 0; i < ledger->claims->n_classes; i++)
		cpuset_or(taken, &ledger->claims->classes[i].held);
	for (size_t i = 0; i < ledger->claims->n_classes; i++) {
		const struct claim_class *class = &ledger->claims->classes[i];
		struct cpuset left = ledger->input->topology->online;

		cpuset_andnot(&left, taken);
		cpuset_andnot(&left, &class->all);
		cpuset_andnot(&left, before);
		if (cpuset_subset(&class->all, &class->held) ||
			cpuset_weight(&left) >=
				(class_needs_spare(ledger, class) ? 2 : 1))
			cpuset_or(taken, &class->all);
		else if (class_refuse_new(ledger, class,
				 cpuset_empty(&left) ? "no CPU would be left for the host"
						     : no_spare))
			return -ENOMEM;
	}
	return 0;
}

/*
 * The host itself needs a CPU, also while a VM has both its old CPUs and its new ones.
 * They change one by one, by name; who finds nothing left goes without. before[i] is what
 * those from i on hold as long as it is not their turn.
 */
int claims_leave_some(struct ledger *ledger)
{
	const struct desired_input *input = ledger->input;
	struct claims *claims = ledger->claims;
	size_t n = claims->n_items;
	cleanup_free struct cpuset *before = calloc(n + 1, sizeof(*before));
	struct cpuset taken = {};

	if (!before)
		return -ENOMEM;
	for (size_t i = n; i-- > 0;) {
		struct cpuset held = held_really(input, &claims->items[i]);

		before[i] = before[i + 1];
		cpuset_or(&before[i], &held);
	}
	if (leave_some_by_classes(ledger, &before[0], &taken))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct claim *claim = &claims->items[i];
		struct cpuset left = input->topology->online,
			      held = held_really(input, claim);

		cpuset_andnot(&left, &taken);
		cpuset_andnot(&left, &before[i]);
		if (!claim->reason)
			cpuset_andnot(&left, &claim->all);
		if (takes_more(claim) && cpuset_empty(&left) &&
			claim_refuse(claim, "no CPU would be left for the host"))
			return -ENOMEM;
		if (needs_spare(input, claim) && cpuset_weight(&left) < 2 &&
			claim_refuse(claim, "%s", no_spare))
			return -ENOMEM;
		cpuset_or(&taken, claim->reason ? &held : &claim->all);
	}
	return 0;
}

/* Who takes one of these only now. */
static bool takes(const struct cpuset *all, const struct cpuset *held,
	const struct cpuset *cpus, int *ret_cpu)
{
	struct cpuset fresh = *all;

	cpuset_andnot(&fresh, held);
	cpuset_and(&fresh, cpus);
	*ret_cpu = cpuset_next(&fresh, 0);
	return *ret_cpu >= 0;
}

/*
 * No housekeeping CPU is left for the VM. If it runs there by now, whoever takes the last
 * ones is refused.
 */
static int refuse_last(
	struct ledger *ledger, struct claim *claim, const struct cpuset *housekeeping)
{
	static const char *const format =
		"CPU %d is a housekeeping CPU on which threads of VM %s run, and no other is "
		"left for them";
	struct claims *claims = ledger->claims;
	char why[PROBLEM_SIZE];
	int cpu;

	for (size_t i = 0; claim->group && i < claims->n_items; i++) {
		struct claim *taker = &claims->items[i];

		if (!taker->reason && taker->scheme != SCHEME_CLASS &&
			takes(&taker->all, &taker->held, housekeeping, &cpu))
			return claim_refuse(taker, format, cpu, claim->vm->name);
	}
	for (size_t i = 0; claim->group && i < claims->n_classes; i++) {
		const struct claim_class *class = &claims->classes[i];

		if (!takes(&class->all, &class->held, housekeeping, &cpu))
			continue;
		snprintf(why, sizeof(why), format, cpu, claim->vm->name);
		return class_refuse_new(ledger, class, why);
	}
	return claim_refuse(claim, "all housekeeping CPUs are reserved by VMs");
}

/* Housekeeping CPUs are the host's, and yet an operator can have pinned a VM to one. */
int claims_open_sets(struct ledger *ledger)
{
	struct claims *claims = ledger->claims;
	struct cpuset taken = {};

	for (size_t i = 0; i < claims->n_classes; i++)
		cpuset_or(&taken, &claims->classes[i].all);
	for (size_t i = 0; i < claims->n_items; i++)
		cpuset_or(&taken, claims->items[i].reason ? &claims->items[i].held
							  : &claims->items[i].all);
	for (size_t i = 0; i < claims->n_items; i++)
		for (size_t j = 0; j < claims->items[i].n_sets; j++) {
			struct claim *claim = &claims->items[i];
			struct claim_set *set = &claim->sets[j];
			struct cpuset housekeeping = set->cpus;

			if (!set->open || claim->reason)
				continue;
			cpuset_andnot(&set->cpus, &taken);
			if (cpuset_empty(&set->cpus) &&
				refuse_last(ledger, claim, &housekeeping))
				return -ENOMEM;
		}
	return 0;
}
