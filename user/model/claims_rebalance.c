// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All VMs anew, on demand. Nobody's new CPUs may be another's old ones, so a VM goes only
 * where nobody is by now, and the others stay until the next pass: what they wait for may
 * be free then. Two that want each other's stay for good.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/model/claims_parts.h"

struct moves {
	struct ledger *ledger;
	size_t n;
	struct claim **claims;
	struct wanted *wanted; /* what each asks for */
	struct request *requests;
	struct cpuset *now;
	struct placement *placements; /* when found */
};

static void moves_deinit(struct moves *moves)
{
	for (size_t i = 0; i < moves->n; i++) {
		wanted_deinit(&moves->wanted[i]);
		placement_deinit(&moves->placements[i]);
	}
	free(moves->claims);
	free(moves->wanted);
	free(moves->requests);
	free(moves->now);
	free(moves->placements);
}

static int moves_init(struct moves *moves, struct ledger *ledger)
{
	size_t n = ledger->claims->n_items + 1;

	*moves = (struct moves){
		.ledger = ledger,
		.claims = calloc(n, sizeof(*moves->claims)),
		.wanted = calloc(n, sizeof(*moves->wanted)),
		.requests = calloc(n, sizeof(*moves->requests)),
		.now = calloc(n, sizeof(*moves->now)),
		.placements = calloc(n, sizeof(*moves->placements)),
	};
	return moves->claims && moves->wanted && moves->requests && moves->now &&
			       moves->placements
		       ? 0
		       : -ENOMEM;
}

/* VMs that run, with what they have; `available` grows by that. */
static int collect(struct moves *moves, struct cpuset *available)
{
	struct ledger *ledger = moves->ledger;

	for (size_t i = 0; i < ledger->claims->n_items; i++) {
		struct claim *claim = &ledger->claims->items[i];
		struct cpuset own;

		if (claim->reason || claim->stays || claim->scheme == SCHEME_CLASS ||
			cpuset_empty(&claim->held))
			continue;
		if (wanted_init(
			    &moves->wanted[moves->n], claim, &moves->requests[moves->n]))
			return -ENOMEM;
		moves->claims[moves->n] = claim;
		moves->now[moves->n++] = claim->held;
		own = ledger_available(ledger, &claim->held, ledger_number(ledger, claim),
			ledger_number(ledger, claim));
		cpuset_or(available, &own);
	}
	return 0;
}

/* Only where nobody else is. */
static int move(struct moves *moves, size_t i)
{
	struct ledger *ledger = moves->ledger;
	uint16_t number = ledger_number(ledger, moves->claims[i]);
	struct cpuset all = placement_all(&moves->placements[i], &moves->requests[i]);

	if (ledger_meets(&all, ledger->held, number) >= 0)
		return 0;
	wanted_give(&moves->wanted[i], &moves->placements[i], moves->claims[i]);
	moves->claims[i]->moved = true;
	if (claim_sum_up(moves->claims[i], ledger->input))
		return -ENOMEM;
	ledger_claim(ledger, &moves->claims[i]->all, number);
	return 0;
}

int claims_rebalance(struct ledger *ledger)
{
	CLEANUP(moves_deinit) struct moves moves;
	struct cpuset available = ledger->available;
	struct problem problem;
	int r;

	r = moves_init(&moves, ledger);
	if (!r)
		r = collect(&moves, &available);
	if (!r)
		r = allocator_repack(ledger->allocator, moves.requests, moves.now,
			moves.n, &available, moves.placements, &problem);
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; !r && i < moves.n; i++)
		r = move(&moves, i);
	return r;
}
