// SPDX-License-Identifier: GPL-2.0-or-later
/* What a VM keeps, and which CPUs the allocator gives it where nobody said which. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/claims_parts.h"
#include "user/model/cpulist.h"

/* Is the set to have a CPU that nobody named? */
static bool is_choice(const struct claim_set *set)
{
	return !set->pinned && !set->floats && !set->shares && !set->open &&
	       cpuset_empty(&set->cpus);
}

/* Of a VM of a class, a leaf that has the one CPU which the class shares has none of its
 * own. */
static bool is_shared_cpu(const struct claim *claim, unsigned int cpu)
{
	const struct group *emulator = claim->sets[0].group;

	return claim->scheme == SCHEME_CLASS && emulator &&
	       cpuset_has(&emulator->cpus, cpu);
}

/* The one CPU that a set without a pin has now, or -1. */
static int kept_cpu(const struct claim *claim, const struct ledger *ledger,
	const struct claim_set *set)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	const struct group *now = set->group;
	bool held;
	int cpu;

	if (!now || cpuset_weight(&now->cpus) != 1 ||
		!cpuset_subset(&now->cpus, &ledger->input->topology->online))
		return -1;
	cpu = cpuset_next(&now->cpus, 0);
	/* Also where somebody has written it over another's group, too. What libvirt's
	 * groups have need not be held by anybody. */
	held = cpuset_has(class ? &class->held : &claim->held, (unsigned int)cpu);
	if (!held && (claim->layout == LAYOUT_OWN ||
			     !cpuset_has(&ledger->available, (unsigned int)cpu)))
		return -1;
	/* What another set of it is pinned to by now is not this one's. */
	if (ledger->claimed[cpu] || cpuset_has(&claim->all, (unsigned int)cpu) ||
		is_shared_cpu(claim, (unsigned int)cpu))
		return -1;
	return cpu;
}

/* Idle siblings that it has; whether it still needs them is seen later. */
static int keep_spare(struct claim *claim, struct ledger *ledger)
{
	const struct topology *topology = ledger->input->topology;
	struct cpuset spare = claim->held, bad;

	if (claim->wish.policy->smt == SMT_PREFER || claim->scheme != SCHEME_ROOT ||
		claim->moved)
		return 0;
	cpuset_for_each (cpu, &claim->held) {
		struct cpuset siblings = topology_siblings(topology, (unsigned int)cpu);

		cpuset_and(&siblings, &claim->all);
		if (ledger->claimed[cpu] || cpuset_empty(&siblings))
			cpuset_drop(&spare, (unsigned int)cpu);
	}
	bad = spare;
	cpuset_and(&bad, &ledger->pools.forbidden);
	cpuset_andnot(&spare, &bad);
	claim->spare = spare;
	ledger_claim(ledger, &spare, ledger_number(ledger, claim));
	if (cpuset_empty(&bad) || ledger->input->rebalance)
		return 0;
	return claim_refuse(claim,
		"CPU %d, which is kept idle beside a vCPU, is a housekeeping CPU by now: "
		"`cpuwarden apply --rebalance` gives the VM others",
		cpuset_next(&bad, 0));
}

/* Is the CPU housekeeping by now, or one that would have to be idle beside it? */
static bool is_lost(const struct claim *claim, const struct ledger *ledger,
	const struct claim_set *set, unsigned int cpu)
{
	struct cpuset siblings = topology_siblings(ledger->input->topology, cpu);

	if (claim->wish.policy->smt == SMT_REQUIRE ||
		(claim->wish.policy->smt == SMT_ISOLATE && set->class == THREAD_VCPU))
		return cpuset_intersects(&siblings, &ledger->pools.forbidden);
	return cpuset_has(&ledger->pools.forbidden, cpu);
}

int claim_keep(struct claim *claim, struct ledger *ledger)
{
	uint16_t number = ledger_number(ledger, claim);

	for (size_t i = 0; i < claim->n_sets; i++) {
		struct claim_set *set = &claim->sets[i];
		char who[32];
		int cpu;

		cpu = is_choice(set) ? kept_cpu(claim, ledger, set) : -1;
		if (cpu < 0)
			continue;
		claim_set_describe(set, who, sizeof(who));
		if (ledger->input->rebalance &&
			is_lost(claim, ledger, set, (unsigned int)cpu))
			continue;
		if (cpuset_has(&ledger->pools.forbidden, (unsigned int)cpu) &&
			claim_refuse(claim,
				"CPU %d, which %s has, is a housekeeping CPU by now: `cpuwarden "
				"apply --rebalance` gives it another",
				cpu, who))
			return -ENOMEM;
		set->kept = true;
		cpuset_add(&set->cpus, (unsigned int)cpu);
		ledger_claim(ledger, &set->cpus, number);
	}
	if (claim_sum_up(claim, ledger->input))
		return -ENOMEM;
	return keep_spare(claim, ledger);
}

/* Is the set for CPUs that are the VM's alone? */
static bool is_own(const struct claim *claim, const struct claim_set *set)
{
	return !set->floats && !set->shares && !set->open &&
	       (claim->layout == LAYOUT_OWN || set->class == THREAD_VCPU);
}

static struct guest_shape shape_of(const struct vm *vm)
{
	return (struct guest_shape){.threads = vm->smp.threads,
		.node = vm->smp.threads * vm->smp.cores * vm->smp.dies};
}

int wanted_init(struct wanted *wanted, struct claim *claim, struct request *ret_request)
{
	size_t n = 0;

	*wanted = (struct wanted){
		.wants = calloc(claim->n_sets + 1, sizeof(*wanted->wants)),
		.sets = calloc(claim->n_sets + 1, sizeof(*wanted->sets)),
	};
	if (!wanted->wants || !wanted->sets) {
		wanted_deinit(wanted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < claim->n_sets; i++) {
		struct claim_set *set = &claim->sets[i];

		if (!is_own(claim, set))
			continue;
		wanted->sets[n] = set;
		wanted->wants[n++] = (struct want){.class = set->class,
			.index = set->index,
			.fixed = cpuset_empty(&set->cpus) ? NULL : &set->cpus};
		wanted->choice |= cpuset_empty(&set->cpus);
	}
	*ret_request = (struct request){.wants = wanted->wants,
		.n_wants = n,
		.numa = claim->wish.policy->numa,
		.smt = claim->wish.policy->smt,
		.guest = shape_of(claim->vm)};
	return 0;
}

void wanted_deinit(struct wanted *wanted)
{
	free(wanted->wants);
	free(wanted->sets);
	*wanted = (struct wanted){};
}

void wanted_give(
	struct wanted *wanted, const struct placement *placement, struct claim *claim)
{
	for (size_t i = 0; i < placement->n_cpus; i++)
		if (placement->cpus[i] >= 0)
			cpuset_add(
				&wanted->sets[i]->cpus, (unsigned int)placement->cpus[i]);
	claim->spare = placement->spare;
}

static bool is_explained(const struct claim *claim, const struct desired_input *input)
{
	return input->explain && !strcmp(input->explain, claim->vm->name);
}

static int ask(struct claim *claim, struct ledger *ledger, const struct request *request,
	struct placement *ret_placement)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	struct cpuset available =
		ledger_available(ledger, class ? &class->held : &claim->held,
			ledger_holder(ledger, claim), ledger_number(ledger, claim));
	struct problem problem;
	int r;

	cpuset_or(&available, &claim->spare);
	r = allocator_place(ledger->allocator, request, &available,
		is_explained(claim, ledger->input) ? &claim->explanation : NULL,
		ret_placement, &problem);
	if (r > 0)
		return claim_refuse(claim, "%s", problem.text) ? -ENOMEM : 1;
	return r;
}

/* Its CPUs can only be kept from others by a group of which it is the only one. */
static int check_spare(struct claim *claim)
{
	if (cpuset_empty(&claim->spare) || claim->scheme == SCHEME_ROOT)
		return 0;
	return claim_refuse(claim,
		"smt = %s keeps CPU %d idle beside a vCPU, and no group can hold it where %s",
		claim->wish.policy->smt == SMT_ISOLATE ? "isolate" : "require",
		cpuset_next(&claim->spare, 0),
		claim->layout == LAYOUT_LIBVIRT
			? "the groups are libvirt's"
			: "the VM is not in a partition of its own (emulator = own)");
}

static int choose(struct claim *claim, struct ledger *ledger, struct wanted *wanted,
	const struct request *request)
{
	struct placement placement;
	int r;

	if (!request->n_wants || (!wanted->choice && request->smt == SMT_PREFER &&
					 request->numa != NUMA_SINGLE &&
					 !is_explained(claim, ledger->input)))
		return 0;
	r = ask(claim, ledger, request, &placement);
	if (r)
		return r > 0 ? 0 : r;
	wanted_give(wanted, &placement, claim);
	placement_deinit(&placement);
	if (check_spare(claim) || claim_sum_up(claim, ledger->input))
		return -ENOMEM;
	ledger_claim(ledger, &claim->all, ledger_number(ledger, claim));
	return 0;
}

int claim_choose(struct claim *claim, struct ledger *ledger)
{
	CLEANUP(wanted_deinit) struct wanted wanted = {};
	struct request request;

	if (wanted_init(&wanted, claim, &request))
		return -ENOMEM;
	return choose(claim, ledger, &wanted, &request);
}

/* Why a set is where it is; NULL: the allocator has said it. */
static const char *why_there(const struct claim_set *set)
{
	if (set->pinned)
		return "pinned";
	if (set->kept)
		return "as it has already";
	if (set->shares)
		return "which its class shares";
	if (set->open)
		return "housekeeping";
	return set->floats ? "whatever others leave" : NULL;
}

/* For the VM that was asked for, one line for each set that was not chosen. */
int claim_explain(struct claim *claim, const struct desired_input *input)
{
	struct explanation *explanation = &claim->explanation;

	for (size_t i = 0; is_explained(claim, input) && i < claim->n_sets; i++) {
		const struct claim_set *set = &claim->sets[i];
		const char *why = why_there(set);
		cleanup_free char *list = NULL;
		char who[32], **line;

		if (!why || cpuset_empty(&set->cpus))
			continue;
		list = cpulist_format(&set->cpus);
		line = list ? array_push(&explanation->lines, &explanation->n_lines)
			    : NULL;
		if (!line)
			return -ENOMEM;
		claim_set_describe(set, who, sizeof(who));
		if (asprintf(line, "%s: CPU%s %s, %s", who,
			    cpuset_weight(&set->cpus) == 1 ? "" : "s", list, why) < 0) {
			explanation->n_lines--;
			return -ENOMEM;
		}
	}
	return 0;
}
