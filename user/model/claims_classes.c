// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The CPUs of classes. A class has those that its section names, or as many as its
 * overcommit asks for: these it keeps while they are enough, and gets more where its VMs
 * are more. A VM that would be too many for its class is refused; those that are there
 * already count first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/claims_parts.h"

static int compare_classes(const void *a, const void *b)
{
	return strcmp(((const struct claim_class *)a)->wish.name,
		((const struct claim_class *)b)->wish.name);
}

static int add_class(
	struct claims *claims, const struct desired_input *input, const char *name)
{
	struct claim_class *class;

	for (size_t i = 0; i < claims->n_classes; i++)
		if (!strcmp(claims->classes[i].wish.name, name))
			return 0;
	class = array_push(&claims->classes, &claims->n_classes);
	if (!class)
		return -ENOMEM;
	class->wish = config_class(input->config, name);
	class->path = class_group_path(name);
	return class->path ? 0 : -ENOMEM;
}

int classes_collect(struct claims *claims, const struct desired_input *input)
{
	for (size_t i = 0; i < claims->n_items; i++)
		if (claims->items[i].scheme == SCHEME_CLASS &&
			add_class(claims, input, claims->items[i].wish.policy->class))
			return -ENOMEM;
	if (claims->n_classes)
		qsort(claims->classes, claims->n_classes, sizeof(*claims->classes),
			compare_classes);
	return 0;
}

static size_t count_sharing(const struct claim *claim)
{
	size_t n = 0;

	for (size_t i = 0; i < claim->n_sets; i++)
		n += claim->sets[i].shares && claim->sets[i].class == THREAD_VCPU;
	return n;
}

/* How many CPUs n vCPUs ask for. One has no less, for the emulators are there, too. */
static size_t cpus_for(const struct vm_class *wish, size_t n_vcpus)
{
	size_t n = (n_vcpus * OVERCOMMIT_UNIT + wish->overcommit - 1) / wish->overcommit;

	return n ? n : 1;
}

/* All its VMs. */
static int refuse_all(
	const struct ledger *ledger, const struct claim_class *class, const char *why)
{
	for (size_t i = 0; i < ledger->claims->n_items; i++)
		if (ledger_class_of(ledger, &ledger->claims->items[i]) == class &&
			claim_refuse(&ledger->claims->items[i], "%s", why))
			return -ENOMEM;
	return 0;
}

int class_refuse_new(
	const struct ledger *ledger, const struct claim_class *class, const char *why)
{
	bool found = false;

	for (size_t i = 0; i < ledger->claims->n_items; i++) {
		struct claim *claim = &ledger->claims->items[i];

		if (ledger_class_of(ledger, claim) != class || claim->group ||
			claim->reason)
			continue;
		found = true;
		if (claim_refuse(claim, "%s", why))
			return -ENOMEM;
	}
	return found ? 0 : refuse_all(ledger, class, why);
}

/* What the section names is to be had whole. */
static int take_named(struct ledger *ledger, struct claim_class *class)
{
	uint16_t number = ledger_class_number(ledger, class);
	struct cpuset bad = class->wish.cpus;
	char who[VM_NAME_SIZE + 16], why[PROBLEM_SIZE];
	int cpu;

	cpuset_andnot(&bad, &ledger->input->topology->online);
	cpu = cpuset_next(&bad, 0);
	snprintf(
		why, sizeof(why), "CPU %d of class %s is offline", cpu, class->wish.name);
	if (cpu < 0) {
		bad = class->wish.cpus;
		cpuset_and(&bad, &ledger->pools.forbidden);
		cpu = cpuset_next(&bad, 0);
		snprintf(why, sizeof(why), "CPU %d of class %s is a housekeeping CPU",
			cpu, class->wish.name);
	}
	if (cpu < 0) {
		cpu = ledger_meets(&class->wish.cpus, ledger->claimed, number);
		if (cpu >= 0) {
			ledger_describe(ledger, ledger->claimed[cpu], who, sizeof(who));
			snprintf(why, sizeof(why), "CPU %d of class %s is reserved by %s",
				cpu, class->wish.name, who);
		}
	}
	if (cpu < 0) {
		cpu = ledger_meets(&class->wish.cpus, ledger->held, number);
		if (cpu >= 0) {
			ledger_describe(ledger, ledger->held[cpu], who, sizeof(who));
			snprintf(why, sizeof(why),
				"CPU %d of class %s is still held by %s", cpu,
				class->wish.name, who);
		}
	}
	if (cpu >= 0)
		return refuse_all(ledger, class, why);
	class->shared = class->wish.cpus;
	ledger_claim(ledger, &class->shared, number);
	return 0;
}

/* On what its VMs float by now. */
static struct cpuset lent_cpus(
	const struct ledger *ledger, const struct claim_class *class)
{
	struct cpuset lent = {};

	for (size_t i = 0; i < ledger->claims->n_items; i++) {
		const struct claim *claim = &ledger->claims->items[i];

		if (ledger_class_of(ledger, claim) == class && claim->n_sets &&
			claim->sets[0].group)
			cpuset_or(&lent, &claim->sets[0].group->cpus);
	}
	return lent;
}

/* Of what it has already and nobody has for himself the lowest n: first of those that its
 * VMs run on. */
static struct cpuset kept_cpus(
	const struct ledger *ledger, const struct claim_class *class, size_t n)
{
	uint16_t number = ledger_class_number(ledger, class);
	struct cpuset kept = {}, now = class->held, lent = lent_cpus(ledger, class);

	cpuset_and(&now, &ledger->input->topology->online);
	cpuset_andnot(&now, &ledger->pools.forbidden);
	for (int turn = 0; turn < 2; turn++)
		cpuset_for_each (cpu, &now) {
			bool is_lent = cpuset_has(&lent, (unsigned int)cpu);

			if (is_lent != !turn || !n ||
				(ledger->claimed[cpu] && ledger->claimed[cpu] != number))
				continue;
			cpuset_add(&kept, (unsigned int)cpu);
			n--;
		}
	return kept;
}

/* One more near those that it has. 1: there is none. */
static int grow(struct ledger *ledger, struct claim_class *class)
{
	uint16_t number = ledger_class_number(ledger, class);
	struct cpuset available = ledger_available(ledger, &class->held, number, number);
	struct want wants[] = {{.class = THREAD_VCPU, .fixed = &class->shared},
		{.class = THREAD_VCPU, .index = 1}};
	bool first = cpuset_empty(&class->shared);
	struct request request = {.wants = wants + first, .n_wants = 2 - (size_t)first};
	struct placement placement;
	struct problem problem;
	struct cpuset got;
	int r;

	r = allocator_place(
		ledger->allocator, &request, &available, NULL, &placement, &problem);
	if (r)
		return r;
	got = placement_all(&placement, &request);
	placement_deinit(&placement);
	cpuset_or(&class->shared, &got);
	ledger_claim(ledger, &class->shared, number);
	return 0;
}

/* What the class got for the VM alone it gives back. */
static int turn_away(struct ledger *ledger, struct claim_class *class,
	struct claim *claim, const struct cpuset *before, size_t wanted, size_t n_vcpus)
{
	struct cpuset more = class->shared;
	unsigned int most = cpuset_weight(&class->shared);

	cpuset_andnot(&more, before);
	ledger_return(ledger, &more, ledger_class_number(ledger, class));
	class->shared = *before;
	return claim_refuse(claim,
		"class %s has %u CPU%s %s, and for %zu vCPUs it would need %zu "
		"(overcommit = %u.%02u)",
		class->wish.name, most, most == 1 ? "" : "s",
		class->wish.has_cpus ? "by its section" : "and no other is free", n_vcpus,
		wanted, class->wish.overcommit / OVERCOMMIT_UNIT,
		class->wish.overcommit % OVERCOMMIT_UNIT);
}

/* The VM is one of the class's, if there are CPUs for it, too. */
static int admit(
	struct ledger *ledger, struct claim_class *class, struct claim *claim, size_t *n)
{
	size_t wanted = cpus_for(&class->wish, *n + count_sharing(claim));
	struct cpuset before = class->shared;

	while (cpuset_weight(&class->shared) < wanted) {
		int r = class->wish.has_cpus ? 1 : grow(ledger, class);

		if (r < 0)
			return r;
		if (r)
			return turn_away(ledger, class, claim, &before, wanted,
				*n + count_sharing(claim));
	}
	*n += count_sharing(claim);
	class->n_vms++;
	claim->admitted = true;
	return 0;
}

static void keep(struct ledger *ledger, struct claim_class *class)
{
	const struct claims *claims = ledger->claims;
	size_t n = 0;

	for (size_t i = 0; i < claims->n_items; i++)
		if (ledger_class_of(ledger, &claims->items[i]) == class &&
			!claims->items[i].reason)
			n += count_sharing(&claims->items[i]);
	class->shared = kept_cpus(ledger, class, cpus_for(&class->wish, n));
	ledger_claim(ledger, &class->shared, ledger_class_number(ledger, class));
}

/* VMs that were not admitted in the end had been counted when CPUs were kept. */
static void keep_less(struct ledger *ledger, struct claim_class *class, size_t n_vcpus)
{
	struct cpuset more = class->shared;

	if (class->wish.has_cpus ||
		cpuset_weight(&more) <= cpus_for(&class->wish, n_vcpus))
		return;
	class->shared = kept_cpus(ledger, class, cpus_for(&class->wish, n_vcpus));
	cpuset_andnot(&more, &class->shared);
	ledger_return(ledger, &more, ledger_class_number(ledger, class));
}

/* Who shares as now goes before who is to share more, and that one before who is new. */
static int turn_of(const struct claim *claim)
{
	const struct group *emulator = claim->sets[0].group;

	if (!claim->group)
		return 2;
	for (size_t i = 0; i < claim->n_sets; i++) {
		const struct group *group = claim->sets[i].group;

		if (claim->sets[i].shares &&
			(!emulator || !group ||
				!cpuset_equal(&group->cpus, &emulator->cpus)))
			return 1;
	}
	return 0;
}

static int choose_class(struct ledger *ledger, struct claim_class *class)
{
	struct claims *claims = ledger->claims;
	size_t n = 0;

	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < claims->n_items; i++) {
			struct claim *claim = &claims->items[i];

			if (ledger_class_of(ledger, claim) == class && !claim->reason &&
				turn_of(claim) == turn && admit(ledger, class, claim, &n))
				return -ENOMEM;
		}
	keep_less(ledger, class, n);
	return 0;
}

static bool has_vms(const struct ledger *ledger, const struct claim_class *class)
{
	for (size_t i = 0; i < ledger->claims->n_items; i++)
		if (ledger_class_of(ledger, &ledger->claims->items[i]) == class &&
			!ledger->claims->items[i].reason)
			return true;
	return false;
}

int classes_keep(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->claims->n_classes; i++) {
		struct claim_class *class = &ledger->claims->classes[i];

		if (!has_vms(ledger, class))
			continue;
		if (!class->wish.has_cpus)
			keep(ledger, class);
		else if (take_named(ledger, class))
			return -ENOMEM;
	}
	return 0;
}

int classes_choose(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->claims->n_classes; i++)
		if (choose_class(ledger, &ledger->claims->classes[i]))
			return -ENOMEM;
	return 0;
}

void classes_lend(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->claims->n_items; i++) {
		struct claim *claim = &ledger->claims->items[i];
		struct claim_class *class = ledger_class_of(ledger, claim);

		if (!class || claim->reason)
			continue;
		cpuset_or(&class->all, &class->shared);
		cpuset_or(&class->all, &claim->all);
		for (size_t j = 0; j < claim->n_sets; j++)
			if (claim->sets[j].shares)
				claim->sets[j].cpus = class->shared;
	}
}
