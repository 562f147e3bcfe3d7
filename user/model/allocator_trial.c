// SPDX-License-Identifier: GPL-2.0-or-later
/* From so many vCPUs in this cache to CPUs: cores are filled best fit, then the VM's
 * other threads come near. */
#include "user/model/allocator_parts.h"

#include <string.h>

void trial_give(const struct attempt *attempt, struct trial *trial, size_t want,
	unsigned int core)
{
	const struct core *place = &attempt->host->cores[core];
	struct core_state *state = &trial->cores[core];
	unsigned int i = place->first;

	while (!attempt->available[i] || trial->taken[i])
		i++;
	trial->taken[i] = true;
	trial->given[want] = (int)attempt->host->cpus[i];
	trial->score[SCORE_CORES] += state->whole;
	state->whole = false;
	state->own = true;
	state->left--;
	if (attempt->request->wants[want].class != THREAD_VCPU)
		return;
	if (attempt->request->smt == SMT_ISOLATE)
		state->left = 0;
	state->vcpu = true;
	trial->cache_used[place->cache] = true;
	trial->node_used[place->node] = true;
}

static void reset(const struct attempt *attempt, struct trial *trial)
{
	const struct allocator *host = attempt->host;
	const struct trial *start = &attempt->start;

	memcpy(trial->cores, start->cores, host->n_cores * sizeof(*trial->cores));
	memcpy(trial->taken, start->taken, host->n_cpus * sizeof(*trial->taken));
	memcpy(trial->cache_used, start->cache_used, host->n_caches);
	memcpy(trial->node_used, start->node_used, host->n_nodes);
	memcpy(trial->given, start->given,
		attempt->request->n_wants * sizeof(*trial->given));
	memset(trial->score, 0, sizeof(trial->score));
}

static bool is_tighter(const struct core_state *state, const struct core_state *than)
{
	if (state->left != than->left)
		return state->left < than->left;
	if (state->whole != than->whole)
		return than->whole;
	return state->own && !than->own;
}

/*
 * The core on which `size` vCPUs together leave least: a core in use before a whole one,
 * the VM's own before another's. -1: none has so many. isolate: the narrowest whole core.
 */
static int pick_core(
	const struct attempt *attempt, const struct share *share, unsigned int size)
{
	const struct core_state *states = attempt->now.cores;
	bool isolate = attempt->request->smt == SMT_ISOLATE;
	int best = -1;

	for (unsigned int i = share->first_core; i < share->first_core + share->n_cores;
		i++)
		if (states[i].left >= size && (!isolate || states[i].whole) &&
			(best < 0 || is_tighter(&states[i], &states[best])))
			best = (int)i;
	return best;
}

/* How many vCPUs from here on belong on one core. */
static unsigned int chunk_size(
	const struct attempt *attempt, size_t from, unsigned int n_left)
{
	const struct request *request = attempt->request;
	unsigned int threads = request->guest.threads, n = 1,
		     limit = n_left < attempt->widest ? n_left : attempt->widest;
	int mate = request->wants[attempt->vcpus[from]].index;

	if (threads < 2)
		return limit;
	while (n < limit &&
		request->wants[attempt->vcpus[from + n]].index / (int)threads ==
			mate / (int)threads)
		n++;
	return n;
}

static bool give_share(struct attempt *attempt, const struct share *share, size_t from)
{
	struct trial *trial = &attempt->now;
	unsigned int done = 0;

	while (done < share->n_vcpus) {
		unsigned int size =
			chunk_size(attempt, from + done, share->n_vcpus - done);
		unsigned int together = size;
		int core = pick_core(attempt, share, together);

		while (core < 0 && --together)
			core = pick_core(attempt, share, together);
		if (core < 0)
			return false;
		trial->score[SCORE_TORN] += size - together;
		while (together--)
			trial_give(attempt, trial, attempt->vcpus[from + done++],
				(unsigned int)core);
	}
	return true;
}

enum distance { IN_CACHE, IN_NODE, IN_PACKAGE, ANYWHERE };

static bool is_near(
	const struct attempt *attempt, const struct core *core, enum distance distance)
{
	const struct allocator *host = attempt->host;

	if (distance == IN_CACHE)
		return attempt->now.cache_used[core->cache];
	if (distance == IN_NODE)
		return attempt->now.node_used[core->node];
	if (distance == ANYWHERE)
		return true;
	for (size_t i = 0; i < host->n_nodes; i++)
		if (attempt->now.node_used[i] &&
			host->nodes[i].package == host->nodes[core->node].package)
			return true;
	return false;
}

/* Less is better. */
static int core_cost(const struct core_state *state)
{
	if (state->whole)
		return 3;
	if (state->vcpu)
		return 2;
	return state->own ? 0 : 1;
}

static int pick_near(const struct attempt *attempt, unsigned int first_core,
	unsigned int n_cores, enum distance distance)
{
	int best = -1, best_cost = 0;

	for (unsigned int i = first_core; i < first_core + n_cores; i++) {
		const struct core_state *state = &attempt->now.cores[i];
		int cost = core_cost(state);

		if (!state->left || !is_near(attempt, &attempt->host->cores[i], distance))
			continue;
		if (best >= 0 &&
			(cost > best_cost ||
				(cost == best_cost &&
					state->left >= attempt->now.cores[best].left)))
			continue;
		best = (int)i;
		best_cost = cost;
	}
	return best;
}

static bool give_others(
	struct attempt *attempt, unsigned int first_core, unsigned int n_cores)
{
	struct trial *trial = &attempt->now;

	for (size_t i = 0; i < attempt->n_others; i++) {
		enum distance distance = IN_CACHE;
		int core = pick_near(attempt, first_core, n_cores, distance);

		while (core < 0 && distance++ < ANYWHERE)
			core = pick_near(attempt, first_core, n_cores, distance);
		if (core < 0)
			return false;
		trial->score[SCORE_FAR] += distance;
		trial_give(attempt, trial, attempt->others[i], (unsigned int)core);
	}
	return true;
}

static bool is_first_of_package(
	const struct attempt *attempt, const struct trial *trial, size_t node)
{
	const struct node *nodes = attempt->host->nodes;

	for (size_t i = 0; i < node; i++)
		if (trial->node_used[i] && nodes[i].package == nodes[node].package)
			return false;
	return true;
}

static void score_places(const struct attempt *attempt, struct trial *trial)
{
	const struct allocator *host = attempt->host;

	for (size_t i = 0; i < host->n_nodes; i++) {
		const struct node *node = &host->nodes[i];

		if (!trial->node_used[i])
			continue;
		trial->score[SCORE_NODES]++;
		trial->score[SCORE_PACKAGES] += is_first_of_package(attempt, trial, i);
		trial->score[SCORE_NODE_LEFT] += attempt->nodes[i].left;
		for (unsigned int j = node->first_cache;
			j < node->first_cache + node->n_caches; j++) {
			trial->score[SCORE_CACHES] += trial->cache_used[j];
			if (trial->cache_used[j])
				trial->score[SCORE_CACHE_LEFT] += attempt->caches[j].left;
		}
	}
}

static void remember(struct attempt *attempt, int node, int cache, bool fits)
{
	struct candidate *candidate;

	if (!attempt->candidates)
		return;
	candidate = &attempt->candidates[attempt->n_candidates++];
	*candidate = (struct candidate){.node = node, .cache = cache, .fits = fits};
	memcpy(candidate->score, attempt->now.score, sizeof(candidate->score));
}

static bool is_better(const struct trial *trial, const struct trial *best)
{
	for (size_t i = 0; i < SCORES; i++)
		if (trial->score[i] != best->score[i])
			return trial->score[i] < best->score[i];
	return false;
}

bool attempt_try(struct attempt *attempt, unsigned int first_core, unsigned int n_cores,
	int node, int cache)
{
	size_t from = 0;
	bool fits = true;

	reset(attempt, &attempt->now);
	for (size_t i = 0; fits && i < attempt->n_shares; i++) {
		fits = give_share(attempt, &attempt->shares[i], from);
		from += attempt->shares[i].n_vcpus;
	}
	fits = fits && give_others(attempt, first_core, n_cores);
	if (fits)
		score_places(attempt, &attempt->now);
	remember(attempt, node, cache, fits);
	if (fits && (!attempt->found || is_better(&attempt->now, &attempt->best))) {
		struct trial better = attempt->now;

		attempt->now = attempt->best;
		attempt->best = better;
		attempt->found = true;
	}
	return fits;
}
