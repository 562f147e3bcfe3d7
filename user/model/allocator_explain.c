// SPDX-License-Identifier: GPL-2.0-or-later
/* The choice in sentences: what was ruled out by what, what won over what, who is where.
 */
#include "user/model/allocator_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

int attempt_record(struct attempt *attempt)
{
	const struct allocator *host = attempt->host;
	/* At most: each cache, twice each node, each package in three cuts and all of
	 * them. */
	size_t n = host->n_caches + 2 * host->n_nodes +
		   3 * (host->topology->n_packages + 1) + 1;

	attempt->candidates = calloc(n, sizeof(*attempt->candidates));
	return attempt->candidates ? 0 : -ENOMEM;
}

__attribute__((format(printf, 2, 3))) static int say(
	struct explanation *explanation, const char *format, ...)
{
	char **line = array_push(&explanation->lines, &explanation->n_lines);
	va_list args;
	int n;

	if (!line)
		return -ENOMEM;
	va_start(args, format);
	n = vasprintf(line, format, args);
	va_end(args);
	if (n >= 0)
		return 0;
	explanation->n_lines--;
	return -ENOMEM;
}

static int say_lack(const struct attempt *attempt, const struct room *room,
	const char *where, bool vcpus_only, struct explanation *explanation)
{
	size_t n = attempt->n_vcpus, all = vcpus_only ? n : n + attempt->n_others;

	if (attempt->request->smt == SMT_ISOLATE && room->vcpus < n)
		return say(explanation,
			"%s: %u whole core%s free, %zu wanted (smt = isolate)", where,
			room->vcpus, room->vcpus == 1 ? "" : "s", n);
	if (attempt->request->smt == SMT_ISOLATE)
		return say(explanation,
			"%s: %u CPUs free, too few beside %zu whole cores (smt = isolate)",
			where, room->left, n);
	if (attempt->request->smt == SMT_REQUIRE && attempt->host->smt)
		return say(explanation,
			"%s: %u CPUs of whole cores free, %zu wanted (smt = require)",
			where, room->left, all);
	return say(explanation, "%s: %u CPUs free, %zu wanted", where, room->left, all);
}

static bool was_tried(const struct attempt *attempt, int node, int cache)
{
	for (size_t i = 0; i < attempt->n_candidates; i++)
		if (attempt->candidates[i].node == node &&
			(cache < 0 || attempt->candidates[i].cache == cache))
			return true;
	return false;
}

/* The nodes that were no candidates, and the caches of those that were. */
static int say_ruled_out(const struct attempt *attempt, struct explanation *explanation)
{
	const struct allocator *host = attempt->host;
	char where[64];

	for (size_t i = 0; i < host->n_nodes; i++) {
		const struct node *node = &host->nodes[i];

		snprintf(where, sizeof(where), "node %u", node->number);
		if (attempt->n_fixed_nodes > attempt->fixed_nodes[i]) {
			if (say(explanation, "%s: a CPU that is fixed is in another node",
				    where))
				return -ENOMEM;
			continue;
		}
		if (!was_tried(attempt, (int)i, -1)) {
			if (say_lack(attempt, &attempt->nodes[i], where, false,
				    explanation))
				return -ENOMEM;
			continue;
		}
		for (unsigned int j = node->first_cache;
			node->n_caches > 1 && j < node->first_cache + node->n_caches;
			j++) {
			if (attempt->caches[j].vcpus >= attempt->n_vcpus)
				continue;
			snprintf(where, sizeof(where), "node %u, cache %u", node->number,
				host->caches[j].number);
			if (say_lack(attempt, &attempt->caches[j], where, true,
				    explanation))
				return -ENOMEM;
		}
	}
	return 0;
}

/* What makes the candidate worse than the one that was taken. */
static const char *loss(const unsigned int *score, const unsigned int *best)
{
	static const char *const why[SCORES] = {
		[SCORE_NODES] = "takes more nodes",
		[SCORE_PACKAGES] = "takes more packages",
		[SCORE_CACHES] = "takes more caches",
		[SCORE_TORN] = "tears more siblings apart",
		[SCORE_FAR] = "puts other threads farther away",
		[SCORE_CORES] = "breaks into more whole cores",
		[SCORE_NODE_LEFT] = "the node is emptier",
		[SCORE_CACHE_LEFT] = "the cache is emptier",
	};

	for (size_t i = 0; i < SCORES; i++)
		if (score[i] != best[i])
			return why[i];
	return "no better than one before it";
}

static void describe(const struct attempt *attempt, const struct candidate *candidate,
	char *buf, size_t size)
{
	const struct allocator *host = attempt->host;

	if (candidate->node < 0)
		snprintf(buf, size, "%u node%s at once", candidate->score[SCORE_NODES],
			candidate->score[SCORE_NODES] == 1 ? "" : "s");
	else if (candidate->cache < 0)
		snprintf(buf, size, "node %u, %u caches",
			host->nodes[candidate->node].number,
			candidate->score[SCORE_CACHES]);
	else
		snprintf(buf, size, "node %u, cache %u",
			host->nodes[candidate->node].number,
			host->caches[candidate->cache].number);
}

/* The sets of nodes and caches in which the vCPUs are. */
static int say_chosen(const struct attempt *attempt, struct explanation *explanation)
{
	const struct allocator *host = attempt->host;
	struct cpuset nodes = {}, caches = {};
	cleanup_free char *node_list = NULL, *cache_list = NULL;

	for (size_t i = 0; i < host->n_nodes; i++)
		if (attempt->best.node_used[i])
			cpuset_add(&nodes, host->nodes[i].number);
	for (size_t i = 0; i < host->n_caches; i++)
		if (attempt->best.cache_used[i])
			cpuset_add(&caches, host->caches[i].number);
	node_list = cpulist_format(&nodes);
	cache_list = cpulist_format(&caches);
	if (!node_list || !cache_list)
		return -ENOMEM;
	return say(explanation, "chosen: node%s %s, cache%s %s",
		cpuset_weight(&nodes) == 1 ? "" : "s", node_list,
		cpuset_weight(&caches) == 1 ? "" : "s", cache_list);
}

static int say_candidates(const struct attempt *attempt, struct explanation *explanation)
{
	const unsigned int *best = attempt->best.score;
	bool winner_seen = false;
	char where[64];

	for (size_t i = 0; i < attempt->n_candidates; i++) {
		const struct candidate *candidate = &attempt->candidates[i];

		if (candidate->fits && !winner_seen &&
			!memcmp(candidate->score, best, sizeof(candidate->score))) {
			winner_seen = true;
			continue;
		}
		describe(attempt, candidate, where, sizeof(where));
		if (candidate->fits ? say(explanation, "%s: fits, but %s", where,
					      loss(candidate->score, best))
				    : say(explanation,
					      "%s: no room for the other threads", where))
			return -ENOMEM;
	}
	return attempt->found ? say_chosen(attempt, explanation) : 0;
}

/* Do these vCPUs, siblings in the guest, share the core? */
static bool has_mate(const struct attempt *attempt, size_t want)
{
	const struct want *wants = attempt->request->wants;
	const struct allocator *host = attempt->host;
	const int *given = attempt->best.given;
	int threads = (int)attempt->request->guest.threads;

	for (size_t i = 0; threads > 1 && i < attempt->request->n_wants; i++)
		if (i != want && wants[i].class == THREAD_VCPU && given[i] >= 0 &&
			wants[i].index / threads == wants[want].index / threads &&
			host->core_of[given[i]] == host->core_of[given[want]])
			return true;
	return false;
}

static int say_core_vcpus(
	const struct attempt *attempt, unsigned int core, struct explanation *explanation)
{
	const struct request *request = attempt->request;
	cleanup_free char *vcpu_list = NULL, *cpu_list = NULL;
	struct cpuset vcpus = {}, cpus = {};
	bool mates = false;

	for (size_t i = 0; i < request->n_wants; i++) {
		int cpu = attempt->best.given[i];

		if (cpu < 0 || request->wants[i].class != THREAD_VCPU ||
			attempt->host->core_of[cpu] != core)
			continue;
		cpuset_add(&vcpus, (unsigned int)request->wants[i].index);
		cpuset_add(&cpus, (unsigned int)cpu);
		mates |= has_mate(attempt, i);
	}
	if (cpuset_empty(&cpus))
		return 0;
	vcpu_list = cpulist_format(&vcpus);
	cpu_list = cpulist_format(&cpus);
	if (!vcpu_list || !cpu_list)
		return -ENOMEM;
	return say(explanation, "vCPU %s on core %u (CPU %s)%s", vcpu_list,
		attempt->host->cores[core].number, cpu_list,
		mates ? ": siblings as in the guest" : "");
}

static int say_other(
	const struct attempt *attempt, size_t want, struct explanation *explanation)
{
	const struct trial *best = &attempt->best;
	unsigned int index = attempt->host->core_of[best->given[want]];
	const struct core *core = &attempt->host->cores[index];
	const char *distance = best->cache_used[core->cache] ? "the vCPUs' cache"
			       : best->node_used[core->node] ? "the vCPUs' node"
							     : "another node";
	const char *kind = best->cores[index].vcpu	       ? "a vCPU's core"
			   : attempt->start.cores[index].whole ? "a core that was free"
							       : "a core in use already";
	char who[32];

	want_describe(&attempt->request->wants[want], who, sizeof(who));
	return say(explanation, "%s on core %u (CPU %d): %s, %s", who, core->number,
		best->given[want], distance, kind);
}

static int say_who(const struct attempt *attempt, struct explanation *explanation)
{
	struct cpuset spare = attempt_spare(attempt);
	cleanup_free char *list = NULL;

	for (unsigned int i = 0; i < attempt->host->n_cores; i++)
		if (say_core_vcpus(attempt, i, explanation))
			return -ENOMEM;
	for (size_t i = 0; i < attempt->n_others; i++)
		if (say_other(attempt, attempt->others[i], explanation))
			return -ENOMEM;
	if (cpuset_empty(&spare))
		return 0;
	list = cpulist_format(&spare);
	return list ? say(explanation, "CPU %s stays idle (smt = %s)", list,
			      attempt->request->smt == SMT_ISOLATE ? "isolate"
								   : "require")
		    : -ENOMEM;
}

int attempt_explain(const struct attempt *attempt, struct explanation *explanation)
{
	int r = say_ruled_out(attempt, explanation);

	if (!r)
		r = say_candidates(attempt, explanation);
	if (!r && attempt->found)
		r = say_who(attempt, explanation);
	return r;
}
