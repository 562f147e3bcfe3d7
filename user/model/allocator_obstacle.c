// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sentence for a request that does not fit: what was wanted, the most that there is,
 * and the mildest change that would do. Each change is tried before it is named.
 */
#include "user/model/allocator_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A node to which nothing fixed forbids to go. */
static bool is_open(const struct attempt *attempt, size_t node)
{
	return attempt->n_fixed_nodes <= attempt->fixed_nodes[node];
}

/* The node that has most of what is short, and what it has. */
static const struct node *fullest(const struct attempt *attempt, struct room *ret_room)
{
	const struct node *best = NULL;

	*ret_room = (struct room){};
	for (size_t i = 0; i < attempt->host->n_nodes; i++) {
		const struct room *room = &attempt->nodes[i];

		if (!is_open(attempt, i) ||
			(best && (room->vcpus < ret_room->vcpus ||
					 (room->vcpus == ret_room->vcpus &&
						 room->left <= ret_room->left))))
			continue;
		best = &attempt->host->nodes[i];
		*ret_room = *room;
	}
	return best;
}

static struct room whole_host(const struct attempt *attempt)
{
	struct room all = {};

	for (size_t i = 0; i < attempt->host->n_nodes; i++) {
		all.left += attempt->nodes[i].left;
		all.vcpus += attempt->nodes[i].vcpus;
	}
	return all;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* "5 CPUs", "4 whole cores and 1 CPU beside them". */
static void describe_wanted(const struct attempt *attempt, char *buf, size_t size)
{
	size_t n = attempt->n_vcpus, others = attempt->n_others;
	enum smt_wish smt = attempt->host->smt ? attempt->request->smt : SMT_PREFER;

	if (smt == SMT_ISOLATE && others)
		snprintf(buf, size, "%zu whole core%s and %zu CPU%s beside", n, plural(n),
			others, plural(others));
	else if (smt == SMT_ISOLATE)
		snprintf(buf, size, "%zu whole core%s", n, plural(n));
	else
		snprintf(buf, size, "%zu CPU%s%s", n + others, plural(n + others),
			smt == SMT_REQUIRE ? " of whole cores" : "");
}

static void describe_room(
	const struct attempt *attempt, const struct room *room, char *buf, size_t size)
{
	if (!attempt->host->smt || attempt->request->smt != SMT_ISOLATE)
		snprintf(buf, size, "%u", room->left);
	else if (!attempt->n_others)
		snprintf(buf, size, "%u", room->vcpus);
	else
		snprintf(buf, size, "%u whole core%s, %u CPU%s in all", room->vcpus,
			plural(room->vcpus), room->left, plural(room->left));
}

/* Fills *ret_other with the same request and other wishes. 0 when it has a place, 1 when
 * not, -ENOMEM; to be deinitialised in any case. */
static int relax(const struct attempt *attempt, const struct cpuset *available,
	const struct request *request, struct attempt *ret_other)
{
	int r = attempt_init(ret_other, attempt->host, request, available, NULL);

	return r ? r : !attempt_choose(ret_other);
}

/* The nodes of all CPUs of the VM. */
static int count_nodes(struct attempt *attempt)
{
	const struct allocator *host = attempt->host;
	const int *given = attempt->best.given;
	bool *set = attempt->fixed_nodes;
	int n = 0;

	for (size_t i = 0; i < attempt->request->n_wants; i++)
		if (given[i] >= 0)
			set[host->cores[host->core_of[given[i]]].node] = true;
	for (size_t i = 0; i < host->n_nodes; i++)
		n += set[i];
	return n;
}

/* How many nodes the VM would take; 0: this does not help either. -ENOMEM. */
static int nodes_with(const struct attempt *attempt, const struct cpuset *available,
	enum numa_wish numa, enum smt_wish smt, const struct cpuset *allowed)
{
	struct request request = *attempt->request;
	struct attempt other;
	int r;

	request.numa = numa;
	request.smt = smt;
	request.allowed = allowed;
	r = relax(attempt, available, &request, &other);
	if (!r)
		r = count_nodes(&other);
	else if (r > 0)
		r = 0;
	attempt_deinit(&other);
	return r;
}

/* CPUs that are missing whatever the wish. */
static int count_missing(const struct attempt *attempt, const struct cpuset *available)
{
	struct request request = *attempt->request;
	struct attempt other;
	int n;

	request.numa = NUMA_PREFER;
	request.smt = SMT_PREFER;
	n = relax(attempt, available, &request, &other);
	if (n >= 0)
		n = (int)(other.n_vcpus + other.n_others) - (int)whole_host(&other).left;
	attempt_deinit(&other);
	return n;
}

/* The mildest change that gives the request a place. -ENOMEM. */
static int find_way(const struct attempt *attempt, const struct cpuset *available,
	char *buf, size_t size)
{
	enum numa_wish numa = attempt->request->numa;
	enum smt_wish smt = attempt->request->smt;
	const struct cpuset *allowed = attempt->request->allowed;
	bool single = numa == NUMA_SINGLE, strict = smt != SMT_PREFER;
	int n = 0;

	if (single && (n = nodes_with(attempt, available, NUMA_PREFER, smt, allowed)) > 0)
		snprintf(buf, size, "numa = prefer would take %d node%s", n, plural(n));
	if (!n && strict &&
		(n = nodes_with(attempt, available, numa, SMT_PREFER, allowed)) > 0)
		snprintf(buf, size, "smt = prefer would fit");
	if (!n && single && strict &&
		(n = nodes_with(attempt, available, NUMA_PREFER, SMT_PREFER, allowed)) >
			0)
		snprintf(buf, size,
			"numa = prefer with smt = prefer would take %d node%s", n,
			plural(n));
	if (!n && allowed && (n = nodes_with(attempt, available, numa, smt, NULL)) > 0)
		snprintf(buf, size, "all free CPUs, not only those allowed, would do");
	if (n)
		return n < 0 ? n : 0;
	n = count_missing(attempt, available);
	snprintf(buf, size,
		single || strict ? "even with numa = prefer and smt = prefer %d more "
				   "would have to be free"
				 : "%d more would do",
		n);
	return n < 0 ? n : 0;
}

int attempt_advise(const struct attempt *attempt, const struct cpuset *available,
	struct problem *problem)
{
	char way[128];
	struct problem found;

	if (!problem)
		return 1;
	if (find_way(attempt, available, way, sizeof(way)))
		return problem_nomem(problem);
	found = *problem;
	return problem_set(problem, 1, "%s: %s", found.text, way);
}

int attempt_refuse(const struct attempt *attempt, const struct cpuset *available,
	struct problem *problem)
{
	static const char *const smt_names[] = {"", ", smt = require", ", smt = isolate"};
	enum smt_wish smt = attempt->request->smt;
	const char *are = attempt->n_vcpus + attempt->n_others == 1 ? "is" : "are";
	const struct node *node;
	struct room room;
	char wanted[96], there[96];

	describe_wanted(attempt, wanted, sizeof(wanted));
	node = fullest(attempt, &room);
	if (attempt->request->numa != NUMA_SINGLE) {
		room = whole_host(attempt);
		describe_room(attempt, &room, there, sizeof(there));
		problem_set(problem, 1, "%s %s wanted%s%s%s, %s %s free", wanted, are,
			*smt_names[smt] ? " (" : "",
			*smt_names[smt] ? smt_names[smt] + 2 : "",
			*smt_names[smt] ? ")" : "", there, room.left == 1 ? "is" : "are");
	} else if (!node) {
		problem_set(problem, 1,
			"CPUs of %zu nodes are fixed, and one node is wanted (numa = single)",
			attempt->n_fixed_nodes);
	} else {
		describe_room(attempt, &room, there, sizeof(there));
		problem_set(problem, 1,
			"%s %s wanted within one node (numa = single%s), %s is %s (node %u)",
			wanted, are, smt_names[smt],
			attempt->n_fixed_nodes ? "what is free where others are fixed"
					       : "the most that a node has free",
			there, node->number);
	}
	return attempt_advise(attempt, available, problem);
}
