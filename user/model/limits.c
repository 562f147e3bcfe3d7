// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/limits.h"

#include <inttypes.h>
#include <string.h>

static uint64_t count_waits(const struct thread_tally *thread, uint64_t longer_than)
{
	uint64_t count = 0;

	/* A bucket begins where the one before it ends. */
	for (unsigned int i = 0; i < WAIT_BUCKETS; i++)
		if (!longer_than || (i && wait_bound(i - 1) >= longer_than))
			count += thread->waits[i];
	return count;
}

/* No bound is worse than any. */
static bool is_slower(uint64_t p99, uint64_t than)
{
	return !p99 || (than && p99 > than);
}

static void look_at_waits(const struct limits *limits, const struct counters *counters,
	const struct past *before, size_t i, struct limit_figures *figures)
{
	const struct thread_tally *thread = &counters->threads[i];
	struct thread_tally since = past_waits_since(before, counters, thread);
	uint64_t all = count_waits(&since, 0), p99 = wait_quantile(&since, 99);

	if (!all)
		return;
	if (!figures->slowest || is_slower(p99, figures->wait_p99_ns)) {
		figures->slowest = thread;
		figures->wait_p99_ns = p99;
		figures->too_slow = limits->wait_p99_ns &&
				    count_waits(&since, limits->wait_p99_ns) * 100 > all;
	}
}

static void look_at_cpu(const struct limits *limits, const struct counters *counters,
	const struct past *before, const struct reservation *one,
	struct limit_figures *figures)
{
	unsigned int cpu = one->cpu;
	uint64_t time = counters->now - (before ? before->time : counters->start),
		 taken = past_taken_since(before, counters, cpu),
		 ppm = time ? (uint64_t)(1000000.0L * taken / time) : 0;

	/* Of one that was another's, or nobody's, in that time nothing is said. */
	if (before && one->since > before->time)
		return;
	if (figures->has_cpu && ppm <= figures->interference_ppm)
		return;
	figures->has_cpu = true;
	figures->cpu = cpu;
	figures->interference_ppm = ppm;
	figures->too_disturbed =
		limits->interference_ppm && ppm > limits->interference_ppm;
}

void limits_measure(const struct limits *limits, const struct counters *counters,
	const struct past *before, const char *only, struct limit_figures *ret_figures)
{
	struct limit_figures figures = {};

	if (!past_is_of(before, counters) || !before->full)
		before = NULL;
	for (size_t i = 0; i < counters->n_threads; i++) {
		const struct thread_tally *thread = &counters->threads[i];

		if (thread->class == THREAD_VCPU && !thread->exited &&
			thread->vm < counters->n_vms &&
			(!only || !strcmp(counters->vms[thread->vm].name, only)))
			look_at_waits(limits, counters, before, i, &figures);
	}
	for (size_t i = 0; i < counters->n_reserved; i++) {
		const struct reservation *one = &counters->reserved[i];

		if (!only || !strcmp(counters->vms[one->vm].name, only))
			look_at_cpu(limits, counters, before, one, &figures);
	}
	*ret_figures = figures;
}

bool limits_tell(const struct limits *limits, const struct counters *counters,
	const struct limit_figures *figures, struct problem *ret_sentence)
{
	if (figures->too_slow)
		problem_set(ret_sentence, 0,
			"vCPU %d of %s waited for its CPU longer than %.9g ms in more than 1%% of its runs",
			figures->slowest->index, counters->vms[figures->slowest->vm].name,
			(double)limits->wait_p99_ns / 1e6);
	else if (figures->too_disturbed)
		problem_set(ret_sentence, 0,
			"the kernel's own work took %.4g%% of CPU %u, more than %.4g%%",
			(double)figures->interference_ppm / 1e4, figures->cpu,
			(double)limits->interference_ppm / 1e4);
	return figures->too_slow || figures->too_disturbed;
}
