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
		policy_ref_deinit(&claims->items[i].wish);
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

enum { FORGIVEN_MAX = 16 };

/* Who cannot be granted, by claims. */
struct refused {
	char **reasons; /* owned, as is each */
	bool *stays;	/* not refused, if only it is not moved; owned */
	size_t n, n_forgiven;
	struct explanation explanation; /* of the VM that was asked for, if it is one */
};

static void refused_deinit(struct refused *refused)
{
	for (size_t i = 0; refused->reasons && i < refused->n; i++)
		free(refused->reasons[i]);
	free(refused->reasons);
	free(refused->stays);
	explanation_deinit(&refused->explanation);
}

static int collect(const struct desired_input *input, const struct pools *pools,
	const struct refused *refused, struct claims *claims)
{
	for (size_t i = 0; i < input->vms->n_items; i++) {
		const struct vm *vm = &input->vms->items[i];
		CLEANUP(policy_ref_deinit) struct policy_ref wish = {};
		struct claim *claim;

		if (config_refer(input->config, vm->name, &wish))
			return -ENOMEM;
		if (wish.policy->kind != POLICY_DEDICATED &&
			wish.policy->kind != POLICY_SHARED)
			continue;
		claim = array_push(&claims->items, &claims->n_items);
		if (!claim)
			return -ENOMEM;
		claim->vm = vm;
		claim->pins = config_find_vm(input->config, vm->name);
		claim->wish = wish;
		wish.own = NULL; /* the claim's now */
		if (claim_init(claim, input, pools))
			return -ENOMEM;
		claim->stays = refused->stays[claims->n_items - 1];
		if (refused->reasons[claims->n_items - 1] &&
			claim_refuse(claim, "%s", refused->reasons[claims->n_items - 1]))
			return -ENOMEM;
	}
	return classes_collect(claims, input);
}

/* Of a VM of a class: do the vCPUs have what they are pinned to, and alone? */
static bool has_its_pins(const struct claim *claim)
{
	const struct group *emulator = claim->sets[0].group;

	for (size_t i = 0; i < claim->n_sets; i++) {
		const struct claim_set *set = &claim->sets[i];

		if (set->pinned &&
			(!set->group || !cpuset_subset(&set->cpus, &set->group->cpus) ||
				!emulator ||
				cpuset_intersects(&set->cpus, &emulator->cpus)))
			return false;
	}
	return true;
}

/* Who came first keeps: 0 is pinned to what it holds, 1 holds other CPUs, 2 is new. */
static int rank(const struct claim *claim)
{
	if (!claim->group ||
		(claim->layout == LAYOUT_LIBVIRT && cpuset_empty(&claim->held)))
		return 2;
	if (claim->scheme == SCHEME_CLASS)
		return has_its_pins(claim) ? 0 : 1;
	return cpuset_subset(&claim->all, &claim->held) ? 0 : 1;
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
		if (!claim->reason && claim_check_kernel(claim, ledger))
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
		ranks[i] = (uint8_t)rank(&claims->items[i]);
	}
	return grant_in_turn(ledger, ranks);
}

/* All claims, without those that are refused by now. */
static int compute(const struct desired_input *input, const struct pools *pools,
	const struct refused *refused, struct ledger *ledger, struct claims *claims)
{
	if (collect(input, pools, refused, claims) ||
		ledger_init(ledger, input, pools, claims))
		return -ENOMEM;
	if (grant(ledger))
		return -ENOMEM;
	classes_lend(ledger);
	return claims_leave_some(ledger) || claims_open_sets(ledger) ? -ENOMEM : 0;
}

/* Has it taken something from others, although it gets nothing? Or does it keep what it
 * was thought to give up? */
static bool has_taken(const struct ledger *ledger, const struct claim *claim)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	uint16_t number = ledger_number(ledger, claim);

	if (claim_former_home(ledger, claim) || !cpuset_subset(&claim->held, &claim->all))
		return true;
	if (class && (claim->admitted || (!class->n_vms && !cpuset_subset(&class->shared,
								   &class->held))))
		return true;
	cpuset_for_each (cpu, &ledger->input->topology->online)
		if (ledger->claimed[cpu] == number &&
			ledger->held[cpu] != ledger_holder(ledger, claim))
			return true;
	return false;
}

/* Who is there goes before who is new, else the order is by name. */
static bool comes_after(const struct claims *claims, size_t a, size_t b)
{
	bool a_is_new = !claims->items[a].group, b_is_new = !claims->items[b].group;

	return a_is_new == b_is_new ? a > b : a_is_new;
}

/* Those after one that is refused may find a place without it. */
static void forgive_later(
	struct refused *refused, const struct claims *claims, size_t index)
{
	refused->n_forgiven++;
	for (size_t i = 0; i < claims->n_items; i++) {
		if (!comes_after(claims, i, index))
			continue;
		free(refused->reasons[i]);
		refused->reasons[i] = NULL;
	}
}

static void refuse_for_good(struct refused *refused, struct claim *claim, size_t index)
{
	refused->reasons[index] = claim->reason;
	claim->reason = NULL;
	if (!claim->explanation.n_lines)
		return;
	explanation_deinit(&refused->explanation);
	refused->explanation = claim->explanation;
	claim->explanation = (struct explanation){};
}

/*
 * The first that was refused only after it had taken something, of those that are new if
 * there is one: all is computed again without it. Returns whether there is one. Since
 * those that are forgiven may in turn take something from others, this goes on only for a
 * while; then it is all of them.
 */
static bool find_late(
	struct ledger *ledger, struct claims *claims, struct refused *refused)
{
	bool one_by_one = refused->n_forgiven < FORGIVEN_MAX, found = false;

	for (size_t k = 0; k < 2 * claims->n_items && !(found && one_by_one); k++) {
		size_t i = k % claims->n_items;
		struct claim *claim = &claims->items[i];
		bool is_turn = !claim->group == (k < claims->n_items);

		if (!is_turn || !claim->reason || refused->reasons[i] ||
			!has_taken(ledger, claim))
			continue;
		found = true;
		if (claim->moved) {
			refused->stays[i] = true;
			continue;
		}
		if (one_by_one)
			forgive_later(refused, claims, i);
		refuse_for_good(refused, claim, i);
	}
	return found;
}

static int explain(
	const struct desired_input *input, struct claims *claims, struct refused *refused)
{
	int r = 0;

	for (size_t i = 0; !r && i < claims->n_items; i++) {
		struct claim *claim = &claims->items[i];

		if (refused->reasons[i] && refused->explanation.n_lines &&
			!strcmp(claim->vm->name, input->explain)) {
			claim->explanation = refused->explanation;
			refused->explanation = (struct explanation){};
		}
		r = claim_explain(claim, input);
	}
	return r;
}

int claims_compute(const struct desired_input *input, struct claims *ret_claims)
{
	struct pools pools = pools_of(input->config, input->topology);
	CLEANUP(refused_deinit)
	struct refused refused = {
		.reasons = calloc(input->vms->n_items + 1, sizeof(*refused.reasons)),
		.stays = calloc(input->vms->n_items + 1, sizeof(*refused.stays)),
		.n = input->vms->n_items};
	cleanup_free struct ledger *ledger = malloc(sizeof(*ledger));
	struct claims claims = {};
	bool again = true;
	int r = 0;

	if (!ledger || !refused.reasons || !refused.stays)
		return -ENOMEM;
	while (!r && again) {
		claims_deinit(&claims);
		memset(ledger, 0, sizeof(*ledger));
		r = compute(input, &pools, &refused, ledger, &claims);
		again = !r && find_late(ledger, &claims, &refused);
		ledger_deinit(ledger);
	}
	if (!r)
		r = explain(input, &claims, &refused);
	if (r) {
		claims_deinit(&claims);
		return -ENOMEM;
	}
	*ret_claims = claims;
	return 0;
}
