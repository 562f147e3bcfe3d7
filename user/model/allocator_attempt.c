// SPDX-License-Identifier: GPL-2.0-or-later
/* What one request finds: which CPUs may be given, what fixed ones take along, how much
 * room that leaves in each cache and node. */
#include "user/model/allocator_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int trial_init(struct trial *trial, const struct attempt *attempt)
{
	const struct allocator *host = attempt->host;

	trial->cores = calloc(host->n_cores + 1, sizeof(*trial->cores));
	trial->taken = calloc(host->n_cpus + 1, sizeof(*trial->taken));
	trial->cache_used = calloc(host->n_caches + 1, sizeof(*trial->cache_used));
	trial->node_used = calloc(host->n_nodes + 1, sizeof(*trial->node_used));
	trial->given = calloc(attempt->request->n_wants + 1, sizeof(*trial->given));
	return trial->cores && trial->taken && trial->cache_used && trial->node_used &&
			       trial->given
		       ? 0
		       : -ENOMEM;
}

static void trial_deinit(struct trial *trial)
{
	free(trial->cores);
	free(trial->taken);
	free(trial->cache_used);
	free(trial->node_used);
	free(trial->given);
}

void attempt_deinit(struct attempt *attempt)
{
	free(attempt->available);
	free(attempt->caches);
	free(attempt->nodes);
	free(attempt->vcpus);
	free(attempt->others);
	free(attempt->shares);
	free(attempt->cache_rooms);
	free(attempt->cache_take);
	free(attempt->node_rooms);
	free(attempt->node_take);
	free(attempt->order);
	free(attempt->fixed_nodes);
	free(attempt->candidates);
	trial_deinit(&attempt->start);
	trial_deinit(&attempt->now);
	trial_deinit(&attempt->best);
	memset(attempt, 0, sizeof(*attempt));
}

static int allocate(struct attempt *attempt)
{
	const struct allocator *host = attempt->host;
	size_t n_wants = attempt->request->n_wants + 1;
	/* A cache or node has at least one core. */
	size_t n = host->n_cores + 1;

	attempt->available = calloc(host->n_cpus + 1, sizeof(*attempt->available));
	attempt->caches = calloc(n, sizeof(*attempt->caches));
	attempt->nodes = calloc(n, sizeof(*attempt->nodes));
	attempt->vcpus = calloc(n_wants, sizeof(*attempt->vcpus));
	attempt->others = calloc(n_wants, sizeof(*attempt->others));
	attempt->shares = calloc(n, sizeof(*attempt->shares));
	attempt->cache_rooms = calloc(n, sizeof(*attempt->cache_rooms));
	attempt->cache_take = calloc(n, sizeof(*attempt->cache_take));
	attempt->node_rooms = calloc(n, sizeof(*attempt->node_rooms));
	attempt->node_take = calloc(n, sizeof(*attempt->node_take));
	attempt->order = calloc(n, sizeof(*attempt->order));
	attempt->fixed_nodes = calloc(n, sizeof(*attempt->fixed_nodes));
	return attempt->available && attempt->caches && attempt->nodes &&
			       attempt->vcpus && attempt->others && attempt->shares &&
			       attempt->cache_rooms && attempt->cache_take &&
			       attempt->node_rooms && attempt->node_take &&
			       attempt->order && attempt->fixed_nodes &&
			       !trial_init(&attempt->start, attempt) &&
			       !trial_init(&attempt->now, attempt) &&
			       !trial_init(&attempt->best, attempt)
		       ? 0
		       : -ENOMEM;
}

/* "vCPU 3". */
void want_describe(const struct want *want, char *buf, size_t size)
{
	if (want->class == THREAD_VCPU)
		snprintf(buf, size, "vCPU %d", want->index);
	else if (want->class == THREAD_IOTHREAD)
		snprintf(buf, size, "iothread %d", want->index);
	else
		snprintf(buf, size, "the emulator");
}

/* isolate: two threads of which one is a vCPU have CPUs of this core. */
static int refuse_pair(const struct attempt *attempt, unsigned int core,
	const struct want *want, struct problem *problem)
{
	char one[32], other[32];

	for (size_t i = 0; i < attempt->request->n_wants; i++) {
		const struct want *before = &attempt->request->wants[i];

		if (before == want || !before->fixed)
			continue;
		cpuset_for_each (cpu, before->fixed) {
			if (!cpuset_has(
				    &attempt->host->topology->online, (unsigned)cpu) ||
				attempt->host->core_of[cpu] != core)
				continue;
			want_describe(before, one, sizeof(one));
			want_describe(want, other, sizeof(other));
			return problem_set(problem, 1,
				"%s and %s are fixed to the same core (%u), and a vCPU is to be "
				"alone on its core (smt = isolate)",
				one, other, attempt->host->cores[core].number);
		}
	}
	return 0;
}

/* Marks what a fixed want has. */
static int mark_fixed(
	struct attempt *attempt, const struct want *want, struct problem *problem)
{
	const struct allocator *host = attempt->host;
	struct trial *start = &attempt->start;
	bool isolate = attempt->request->smt == SMT_ISOLATE;
	struct cpuset cpus = *want->fixed;

	cpuset_and(&cpus, &host->topology->online);
	cpuset_for_each (cpu, &cpus) {
		unsigned int core = host->core_of[cpu];
		struct core_state *state = &start->cores[core];

		if (isolate && host->cores[core].width > 1 &&
			(state->vcpu || (state->own && want->class == THREAD_VCPU)) &&
			refuse_pair(attempt, core, want, problem))
			return 1;
		attempt->fixed_nodes[host->cores[core].node] = true;
		state->own = true;
		if (want->class != THREAD_VCPU)
			continue;
		start->node_used[host->cores[core].node] = true;
		start->cache_used[host->cores[core].cache] = true;
	}
	/* Only now: both threads of a core may be one vCPU's. */
	if (want->class == THREAD_VCPU)
		cpuset_for_each (cpu, &cpus)
			start->cores[host->core_of[cpu]].vcpu = true;
	return 0;
}

/* What of this core may be given. 1 when a fixed thread shares it against the wish. */
static int count_core(struct attempt *attempt, unsigned int index,
	const struct cpuset *own, struct problem *problem)
{
	const struct core *core = &attempt->host->cores[index];
	struct core_state *state = &attempt->start.cores[index];
	enum smt_wish smt = attempt->request->smt;
	unsigned int available = 0, fixed = core->first;
	int foreign = core->split ? (int)attempt->host->cpus[core->first] : -1;

	for (unsigned int i = core->first; i < core->first + core->width; i++) {
		available += attempt->available[i];
		if (cpuset_has(own, attempt->host->cpus[i]))
			fixed = i;
		else if (!attempt->available[i])
			foreign = (int)attempt->host->cpus[i];
	}
	state->whole = available == core->width && !core->split;
	state->left = (uint16_t)available;
	if (smt == SMT_REQUIRE && foreign >= 0)
		state->left = 0;
	if (smt == SMT_ISOLATE && state->vcpu)
		state->left = 0;
	if (foreign < 0 ||
		!(smt == SMT_REQUIRE ? state->own : smt == SMT_ISOLATE && state->vcpu))
		return 0;
	return problem_set(problem, 1,
		"CPU %u, which is fixed, shares core %u with CPU %d, which is not free (smt = "
		"%s)",
		attempt->host->cpus[fixed], core->number, foreign,
		smt == SMT_REQUIRE ? "require" : "isolate");
}

static void count_rooms(struct attempt *attempt)
{
	const struct allocator *host = attempt->host;
	unsigned int threads = attempt->request->guest.threads;
	bool isolate = attempt->request->smt == SMT_ISOLATE;

	attempt->widest = 1;
	for (size_t i = 0; i < host->n_cores; i++)
		if (!isolate && attempt->start.cores[i].left > attempt->widest)
			attempt->widest = attempt->start.cores[i].left;
	if (threads > 1 && threads < attempt->widest)
		attempt->widest = threads;
	for (size_t i = 0; i < host->n_cores; i++) {
		const struct core *core = &host->cores[i];
		const struct core_state *state = &attempt->start.cores[i];
		struct room *rooms[] = {
			&attempt->caches[core->cache], &attempt->nodes[core->node]};

		for (size_t j = 0; j < 2; j++) {
			rooms[j]->left += state->left;
			rooms[j]->whole += state->whole;
			rooms[j]->vcpus += isolate ? state->whole : state->left;
			rooms[j]->paired +=
				isolate ? state->whole
					: state->left - state->left % attempt->widest;
		}
	}
}

/* The core of a fixed vCPU that is a sibling of this one in the guest and has a CPU left,
 * or -1. */
static int core_of_mate(const struct attempt *attempt, const struct want *want)
{
	const struct request *request = attempt->request;
	int threads = (int)request->guest.threads;

	for (size_t i = 0; i < request->n_wants; i++) {
		const struct want *mate = &request->wants[i];

		if (mate->class != THREAD_VCPU || !mate->fixed ||
			mate->index / threads != want->index / threads)
			continue;
		cpuset_for_each (cpu, mate->fixed)
			if (cpuset_has(&attempt->host->topology->online, (unsigned)cpu) &&
				attempt->start.cores[attempt->host->core_of[cpu]].left)
				return attempt->host->core_of[cpu];
	}
	return -1;
}

/* With `require` the rest of a core that a fixed vCPU has is for nobody else. */
static int core_of_own(const struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->host->n_cores; i++)
		if (attempt->start.cores[i].vcpu && attempt->start.cores[i].left)
			return (int)i;
	return -1;
}

/* Who is to be given a CPU. Some go beside fixed vCPUs whatever is decided later. */
static void collect(struct attempt *attempt)
{
	const struct request *request = attempt->request;

	for (size_t i = 0; i < request->n_wants; i++) {
		const struct want *want = &request->wants[i];
		int core = -1;

		attempt->start.given[i] = -1;
		if (want->fixed)
			continue;
		if (want->class != THREAD_VCPU) {
			attempt->others[attempt->n_others++] = i;
			continue;
		}
		if (request->smt != SMT_ISOLATE && request->guest.threads > 1)
			core = core_of_mate(attempt, want);
		else if (request->smt == SMT_REQUIRE)
			core = core_of_own(attempt);
		if (core < 0)
			attempt->vcpus[attempt->n_vcpus++] = i;
		else
			trial_give(attempt, &attempt->start, i, (unsigned int)core);
	}
}

int attempt_init(struct attempt *attempt, const struct allocator *host,
	const struct request *request, const struct cpuset *available,
	struct problem *problem)
{
	struct cpuset own = {};
	int r = 0;

	*attempt = (struct attempt){.host = host, .request = request};
	if (allocate(attempt))
		return -ENOMEM;
	for (size_t i = 0; !r && i < request->n_wants; i++)
		if (request->wants[i].fixed) {
			cpuset_or(&own, request->wants[i].fixed);
			r = mark_fixed(attempt, &request->wants[i], problem);
		}
	for (size_t i = 0; i < host->n_cpus; i++) {
		unsigned int cpu = host->cpus[i];

		attempt->available[i] =
			cpuset_has(available, cpu) && !cpuset_has(&own, cpu) &&
			(!request->allowed || cpuset_has(request->allowed, cpu));
	}
	for (size_t i = 0; !r && i < host->n_cores; i++)
		r = count_core(attempt, (unsigned int)i, &own, problem);
	for (size_t i = 0; i < host->n_nodes; i++)
		attempt->n_fixed_nodes += attempt->fixed_nodes[i];
	if (r)
		return r;
	collect(attempt);
	count_rooms(attempt);
	return 0;
}
