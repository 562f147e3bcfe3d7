// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/claims.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/claims_parts.h"

void claims_deinit(struct claims *claims)
{
	for (size_t i = 0; i < claims->n_items; i++) {
		free(claims->items[i].top);
		free(claims->items[i].sets);
		free(claims->items[i].reason);
		explanation_deinit(&claims->items[i].explanation);
	}
	free(claims->items);
	for (size_t i = 0; i < claims->n_classes; i++)
		free(claims->classes[i].path);
	free(claims->classes);
	memset(claims, 0, sizeof(*claims));
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct claim *)item)->vm->name);
}

const struct claim *claims_find(const struct claims *claims, const char *vm_name)
{
	if (!claims->n_items)
		return NULL;
	return bsearch(vm_name, claims->items, claims->n_items, sizeof(*claims->items),
		compare_name);
}

static int collect(const struct desired_input *input, const struct pools *pools,
	struct claims *claims)
{
	for (size_t i = 0; i < input->vms->n_items; i++) {
		const struct vm *vm = &input->vms->items[i];
		struct policy policy;
		struct claim *claim;

		config_policy(input->config, vm->name, &policy);
		if (policy.kind != POLICY_DEDICATED && policy.kind != POLICY_SHARED)
			continue;
		claim = array_push(&claims->items, &claims->n_items);
		if (!claim)
			return -ENOMEM;
		claim->vm = vm;
		claim->pins = config_find_vm(input->config, vm->name);
		claim->policy = policy;
		if (claim_init(claim, input, pools))
			return -ENOMEM;
	}
	return classes_collect(claims, input);
}

/*
 * Without remote partitions the slice must be the only one of its level with its CPUs: if
 * it were not, all VMs' partitions would be invalid.
 */
static int check_beside(struct claim *claim, const struct ledger *ledger)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	const struct tree *tree = ledger->input->tree;
	const struct group *slice = tree_find(tree, SLICE);

	if (tree->remote || claim->layout != LAYOUT_OWN)
		return 0;
	for (size_t i = 0; i < tree->n_beside; i++) {
		struct cpuset both = claim->all;

		if (class)
			cpuset_or(&both, &class->shared);
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

/* Who came first keeps: 0 is pinned to what it holds, 1 holds other CPUs, 2 is new. */
static int rank(const struct ledger *ledger, const struct claim *claim)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	const struct cpuset *held = class ? &class->held : &claim->held;

	if (!claim->group || (claim->layout == LAYOUT_LIBVIRT && cpuset_empty(held)))
		return 2;
	return cpuset_subset(&claim->all, held) ? 0 : 1;
}

/* What it is pinned to becomes its, if it is nobody's. */
static int take_pins(struct claim *claim, struct ledger *ledger)
{
	uint16_t number = ledger_number(ledger, claim);
	char who[VM_NAME_SIZE + 16];
	int cpu;

	cpu = ledger_meets(&claim->all, ledger->claimed, number);
	if (cpu < 0) {
		ledger_claim(ledger, &claim->all, number);
		return 0;
	}
	ledger_describe(ledger, ledger->claimed[cpu], who, sizeof(who));
	return claim_refuse(claim, "CPU %d is reserved by %s", cpu, who);
}

static int take_pins_of_rank(struct ledger *ledger, const uint8_t *ranks, uint8_t which)
{
	struct claims *claims = ledger->claims;

	for (size_t i = 0; i < claims->n_items; i++)
		if (ranks[i] == which && !claims->items[i].reason &&
			take_pins(&claims->items[i], ledger))
			return -ENOMEM;
	return 0;
}

/*
 * What another's group holds cannot be had before that VM gave it up, in this pass or
 * never: until then this one stays as it is, for two partitions that overlap make each
 * other invalid.
 */
static int check_held(struct claim *claim, struct ledger *ledger)
{
	struct cpuset wanted = claim->all;
	char who[VM_NAME_SIZE + 16];
	int cpu;

	/* What both have somebody has written over the other's. */
	cpuset_andnot(&wanted, &claim->held);
	cpu = ledger_meets(&wanted, ledger->held, ledger_holder(ledger, claim));
	if (cpu < 0)
		return 0;
	ledger_describe(ledger, ledger->held[cpu], who, sizeof(who));
	return claim_refuse(claim, "CPU %d is still held by %s", cpu, who);
}

static int grant_in_turn(struct ledger *ledger, const uint8_t *ranks)
{
	struct claims *claims = ledger->claims;

	if (take_pins_of_rank(ledger, ranks, 0))
		return -ENOMEM;
	if (ledger->input->rebalance && claims_rebalance(ledger))
		return -ENOMEM;
	for (size_t i = 0; i < claims->n_items; i++)
		if (!claims->items[i].reason && claim_keep(&claims->items[i], ledger))
			return -ENOMEM;
	if (classes_keep(ledger) || take_pins_of_rank(ledger, ranks, 1) ||
		take_pins_of_rank(ledger, ranks, 2) || classes_choose(ledger))
		return -ENOMEM;
	for (size_t i = 0; i < claims->n_items; i++) {
		struct claim *claim = &claims->items[i];

		if (!claim->reason && claim_choose(claim, ledger))
			return -ENOMEM;
		if (!claim->reason && check_beside(claim, ledger))
			return -ENOMEM;
	}
	for (size_t i = 0; i < claims->n_items; i++)
		if (!claims->items[i].reason && check_held(&claims->items[i], ledger))
			return -ENOMEM;
	return 0;
}

static int grant(struct ledger *ledger)
{
	struct claims *claims = ledger->claims;
	cleanup_free uint8_t *ranks = calloc(claims->n_items + 1, sizeof(*ranks));

	if (!ranks)
		return -ENOMEM;
	for (size_t i = 0; i < claims->n_items; i++) {
		if (claim_sum_up(&claims->items[i], ledger->input))
			return -ENOMEM;
		ranks[i] = (uint8_t)rank(ledger, &claims->items[i]);
	}
	return grant_in_turn(ledger, ranks);
}

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

/*
 * The host itself needs a CPU, also while a VM has both its old CPUs and its new ones.
 * They change one by one, by name; who finds nothing left goes without. before[i] is what
 * those from i on hold as long as it is not their turn.
 */
static int leave_some(const struct desired_input *input, struct claims *claims)
{
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
	for (size_t i = 0; i < claims->n_classes; i++) {
		cpuset_or(&taken, &claims->classes[i].held);
		cpuset_or(&taken, &claims->classes[i].all);
	}
	for (size_t i = 0; i < n; i++) {
		struct claim *claim = &claims->items[i];
		struct cpuset left = input->topology->online,
			      held = held_really(input, claim);

		cpuset_andnot(&left, &taken);
		cpuset_andnot(&left, &before[i]);
		if (!claim->reason)
			cpuset_andnot(&left, &claim->all);
		if (!claim->reason && cpuset_empty(&left) &&
			claim_refuse(claim, "no CPU would be left for the host"))
			return -ENOMEM;
		if (needs_spare(input, claim) && cpuset_weight(&left) < 2 &&
			claim_refuse(claim,
				"this kernel gives a VM in use more CPUs only where the host has "
				"one to spare meanwhile (Linux 6.7 does without)"))
			return -ENOMEM;
		cpuset_or(&taken, claim->reason ? &held : &claim->all);
	}
	return 0;
}

/* Housekeeping CPUs are the host's, and yet an operator can have pinned a VM to one. */
static int open_sets(struct claims *claims)
{
	struct cpuset taken = {};

	for (size_t i = 0; i < claims->n_items; i++)
		if (!claims->items[i].reason)
			cpuset_or(&taken, &claims->items[i].all);
	for (size_t i = 0; i < claims->n_items; i++)
		for (size_t j = 0; j < claims->items[i].n_sets; j++) {
			struct claim *claim = &claims->items[i];
			struct claim_set *set = &claim->sets[j];

			if (!set->open || claim->reason)
				continue;
			cpuset_andnot(&set->cpus, &taken);
			if (cpuset_empty(&set->cpus) &&
				claim_refuse(claim,
					"all housekeeping CPUs are reserved by VMs"))
				return -ENOMEM;
		}
	return 0;
}

int claims_compute(const struct desired_input *input, struct claims *ret_claims)
{
	struct pools pools = pools_of(input->config, input->topology);
	cleanup_free struct ledger *ledger = malloc(sizeof(*ledger));
	struct claims claims = {};
	int r;

	if (!ledger)
		return -ENOMEM;
	r = collect(input, &pools, &claims);
	if (!r) {
		r = ledger_init(ledger, input, &pools, &claims);
		if (!r)
			r = grant(ledger);
		if (!r)
			classes_lend(ledger);
		ledger_deinit(ledger);
	}
	if (!r)
		r = leave_some(input, &claims);
	if (!r)
		r = open_sets(&claims);
	for (size_t i = 0; !r && i < claims.n_items; i++)
		r = claim_explain(&claims.items[i], input);
	if (r) {
		claims_deinit(&claims);
		return -ENOMEM;
	}
	*ret_claims = claims;
	return 0;
}
