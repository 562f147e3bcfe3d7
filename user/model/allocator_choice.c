// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which nodes and caches are tried. Every node that may have room for the whole VM is
 * tried with every cache that has room for its vCPUs, and the score (allocator_parts.h)
 * decides. Where no cache or node has room alone, as few as can be are taken together,
 * and of those no larger ones than needed.
 */
#include "user/model/allocator_parts.h"

#include <stdlib.h>
#include <string.h>

/* Caches or nodes, from first to below end. */
struct range {
	const unsigned int *rooms;
	const bool *used; /* the VM is there already */
	unsigned int first, end;
	bool leftovers; /* small rests before large ones */
};

/* By room; among equals the lower numbers are last, and so are taken first. */
static int compare_rooms(const void *a, const void *b, void *rooms)
{
	unsigned int one = *(const unsigned int *)a, other = *(const unsigned int *)b;
	const unsigned int *room = rooms;

	if (room[one] != room[other])
		return room[one] < room[other] ? -1 : 1;
	return one > other ? -1 : 1;
}

/* Those that are used, or not, and have room, in the order of their rooms. */
static size_t sort_rooms(const struct range *range, bool used, unsigned int *order)
{
	size_t n = 0;

	for (unsigned int i = range->first; i < range->end; i++)
		if (range->rooms[i] && range->used[i] == used)
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), compare_rooms, (void *)range->rooms);
	return n;
}

/* Smaller ones instead, as far as they still do. */
static void exchange(const struct range *range, unsigned int *take,
	const unsigned int *order, size_t from, unsigned int spare)
{
	const unsigned int *rooms = range->rooms;

	for (size_t i = from; i-- > 0 && spare;) {
		unsigned int smaller = order[i], largest = smaller;

		for (unsigned int j = range->first; j < range->end; j++)
			if (take[j] && !range->used[j] && rooms[j] > rooms[largest] &&
				rooms[j] - rooms[smaller] <= spare)
				largest = j;
		if (largest == smaller)
			continue;
		spare -= rooms[largest] - rooms[smaller];
		take[largest] = 0;
		take[smaller] = rooms[smaller];
	}
}

/* Takes back what is too much, from where most is. */
static void trim(const struct range *range, unsigned int *take, unsigned int need)
{
	unsigned int spare = 0;

	for (unsigned int i = range->first; i < range->end; i++)
		spare += take[i];
	spare -= need;
	while (spare) {
		unsigned int largest = range->first, n;

		for (unsigned int i = range->first; i < range->end; i++)
			if (take[i] > take[largest])
				largest = i;
		n = take[largest] < spare ? take[largest] : spare;
		take[largest] -= n;
		spare -= n;
	}
}

/*
 * How many vCPUs each one takes: those that are used first, then the largest, which are
 * the fewest, and of as few no larger ones than needed: that leaves large holes to
 * others. False: there is no room. *ret_more: of those taken, how many were not in use.
 */
static bool spread(const struct range *range, unsigned int need, unsigned int *take,
	unsigned int *order, unsigned int *ret_more)
{
	unsigned int sum = 0;
	size_t n, i;

	memset(&take[range->first], 0, (range->end - range->first) * sizeof(*take));
	n = sort_rooms(range, true, order);
	for (i = n; i-- > 0 && sum < need;)
		sum += take[order[i]] = range->rooms[order[i]];
	n = sort_rooms(range, false, order);
	for (i = 0; i < n && sum < need; i++) {
		unsigned int next = order[range->leftovers ? i : n - 1 - i];

		sum += take[next] = range->rooms[next];
	}
	if (sum < need)
		return false;
	if (!range->leftovers)
		exchange(range, take, order, n - i, sum - need);
	trim(range, take, need);
	*ret_more = (unsigned int)i;
	return true;
}

static void add_share(
	struct attempt *attempt, unsigned int first, unsigned int n_cores, unsigned int n)
{
	if (n)
		attempt->shares[attempt->n_shares++] = (struct share){first, n_cores, n};
}

static bool spread_in_node(struct attempt *attempt, const struct node *node,
	unsigned int n_vcpus, bool paired, unsigned int *ret_more)
{
	struct range range = {.rooms = attempt->cache_rooms,
		.used = attempt->start.cache_used,
		.first = node->first_cache,
		.end = node->first_cache + node->n_caches};

	for (unsigned int i = range.first; i < range.end; i++)
		attempt->cache_rooms[i] =
			paired ? attempt->caches[i].paired : attempt->caches[i].vcpus;
	return spread(&range, n_vcpus, attempt->cache_take, attempt->order, ret_more);
}

/* Shares for so many vCPUs in a node that has room for them. */
static void add_shares(
	struct attempt *attempt, const struct node *node, unsigned int n_vcpus)
{
	unsigned int more, more_paired;
	bool fits = spread_in_node(attempt, node, n_vcpus, false, &more);

	/* Siblings stay together unless that takes another cache. */
	if (fits && (!spread_in_node(attempt, node, n_vcpus, true, &more_paired) ||
			    more_paired > more))
		spread_in_node(attempt, node, n_vcpus, false, &more);
	for (unsigned int i = node->first_cache; i < node->first_cache + node->n_caches;
		i++)
		add_share(attempt, attempt->host->caches[i].first_core,
			attempt->host->caches[i].n_cores, attempt->cache_take[i]);
}

static bool has_vcpu_cache(const struct attempt *attempt, const struct node *node)
{
	for (unsigned int i = 0; i < node->n_caches; i++)
		if (attempt->start.cache_used[node->first_cache + i])
			return true;
	return false;
}

/* Has a lower cache of the node the same room? Then this one is no better. */
static bool has_twin(
	const struct attempt *attempt, const struct node *node, unsigned int cache)
{
	for (unsigned int i = node->first_cache; i < cache; i++)
		if (!memcmp(&attempt->caches[i], &attempt->caches[cache],
			    sizeof(*attempt->caches)))
			return true;
	return false;
}

/* The whole VM in this node. */
static bool try_node(struct attempt *attempt, unsigned int index)
{
	const struct node *node = &attempt->host->nodes[index];
	unsigned int n = (unsigned int)attempt->n_vcpus;
	bool fits = false;

	if (attempt->n_fixed_nodes > attempt->fixed_nodes[index] ||
		attempt->nodes[index].vcpus < n ||
		attempt->nodes[index].left < n + attempt->n_others)
		return false;
	for (unsigned int i = node->first_cache; n && !has_vcpu_cache(attempt, node) &&
						 i < node->first_cache + node->n_caches;
		i++) {
		if (attempt->caches[i].vcpus < n || has_twin(attempt, node, i))
			continue;
		attempt->n_shares = 0;
		add_share(attempt, attempt->host->caches[i].first_core,
			attempt->host->caches[i].n_cores, n);
		fits |= attempt_try(
			attempt, node->first_core, node->n_cores, (int)index, (int)i);
	}
	if (!fits) {
		attempt->n_shares = 0;
		add_shares(attempt, node, n);
		fits = attempt_try(
			attempt, node->first_core, node->n_cores, (int)index, -1);
	}
	/* isolate, where cores differ in width: the narrowest leave most to the others.
	 */
	if (!fits) {
		attempt->n_shares = 0;
		add_share(attempt, node->first_core, node->n_cores, n);
		fits = attempt_try(
			attempt, node->first_core, node->n_cores, (int)index, -1);
	}
	return fits;
}

/* How vCPUs are cut into portions. */
enum cut { BY_GUEST_NODES, BY_SIBLINGS, BY_VCPUS };

static bool spread_over_nodes(
	struct attempt *attempt, enum cut cut, int package, unsigned int *ret_more)
{
	struct range range = {.rooms = attempt->node_rooms,
		.used = attempt->fixed_nodes,
		.end = (unsigned int)attempt->host->n_nodes,
		.leftovers = attempt->request->numa == NUMA_ANY};

	for (unsigned int i = 0; i < range.end; i++) {
		const struct room *room = &attempt->nodes[i];
		unsigned int n = cut == BY_SIBLINGS ? room->paired : room->vcpus;

		if (cut == BY_GUEST_NODES)
			n -= n % attempt->request->guest.node;
		if (package >= 0 && !attempt->fixed_nodes[i] &&
			attempt->host->nodes[i].package != (unsigned int)package)
			n = 0;
		attempt->node_rooms[i] = n;
	}
	return spread(&range, (unsigned int)attempt->n_vcpus, attempt->node_take,
		attempt->order, ret_more);
}

static bool try_shares(struct attempt *attempt)
{
	const struct allocator *host = attempt->host;

	attempt->n_shares = 0;
	for (size_t i = 0; i < host->n_nodes; i++)
		if (attempt->node_take[i])
			add_shares(attempt, &host->nodes[i], attempt->node_take[i]);
	return attempt_try(attempt, 0, (unsigned int)host->n_cores, -1, -1);
}

/* The guest's nodes onto the host's, as far as nothing is fixed. */
static bool can_mirror(const struct attempt *attempt)
{
	unsigned int node = attempt->request->guest.node;

	return node > 1 && attempt->n_vcpus > node && !attempt->n_fixed_nodes;
}

static bool try_cut(struct attempt *attempt, enum cut cut, unsigned int fewest)
{
	int n_packages = attempt->request->numa == NUMA_ANY
				 ? 0
				 : (int)attempt->host->topology->n_packages;
	bool fits = false;
	unsigned int more;

	for (int package = -1; package < n_packages; package++)
		if (spread_over_nodes(attempt, cut, package, &more) &&
			(more <= fewest || attempt->request->numa == NUMA_ANY))
			fits |= try_shares(attempt);
	return fits;
}

/* The VM in as many nodes as it takes. */
static bool try_nodes(struct attempt *attempt)
{
	const struct allocator *host = attempt->host;
	unsigned int fewest, left = 0;

	for (size_t i = 0; i < host->n_nodes; i++)
		left += attempt->nodes[i].left;
	if (left < attempt->n_vcpus + attempt->n_others ||
		!spread_over_nodes(attempt, BY_VCPUS, -1, &fewest))
		return false;
	if ((can_mirror(attempt) && try_cut(attempt, BY_GUEST_NODES, fewest)) ||
		try_cut(attempt, BY_SIBLINGS, fewest) ||
		try_cut(attempt, BY_VCPUS, fewest))
		return true;
	/* As in try_node(). */
	attempt->n_shares = 0;
	add_share(
		attempt, 0, (unsigned int)host->n_cores, (unsigned int)attempt->n_vcpus);
	return attempt_try(attempt, 0, (unsigned int)host->n_cores, -1, -1);
}

bool attempt_choose(struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->host->n_nodes; i++)
		try_node(attempt, (unsigned int)i);
	return attempt->found ||
	       (attempt->request->numa != NUMA_SINGLE && try_nodes(attempt));
}

struct cpuset attempt_spare(const struct attempt *attempt)
{
	const struct allocator *host = attempt->host;
	enum smt_wish smt = attempt->request->smt;
	struct cpuset spare = {};

	for (size_t i = 0; i < host->n_cores && smt != SMT_PREFER; i++) {
		const struct core *core = &host->cores[i];
		const struct core_state *state = &attempt->best.cores[i];

		if (!(smt == SMT_REQUIRE ? state->own : state->vcpu))
			continue;
		for (unsigned int j = core->first; j < core->first + core->width; j++)
			if (attempt->available[j] && !attempt->best.taken[j])
				cpuset_add(&spare, host->cpus[j]);
	}
	return spare;
}
