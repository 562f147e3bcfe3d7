// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/counters.h"

#include <stdlib.h>
#include <string.h>

void counters_deinit(struct counters *counters)
{
	free(counters->cpus);
	free(counters->vms);
	free(counters->threads);
	free(counters->culprits);
	free(counters->reserved);
	free(counters->tallies);
	memset(counters, 0, sizeof(*counters));
}

const struct vm_tally *counters_find_vm(
	const struct counters *counters, pid_t pid, uint64_t start)
{
	for (size_t i = 0; i < counters->n_vms; i++)
		if (counters->vms[i].pid == pid && counters->vms[i].start_time == start)
			return &counters->vms[i];
	return NULL;
}

static int compare_tid(const void *key, const void *item)
{
	pid_t tid = *(const pid_t *)key;
	const struct thread_tally *thread = item;

	return tid < thread->tid ? -1 : tid > thread->tid;
}

const struct thread_tally *counters_find_thread(
	const struct counters *counters, pid_t tid)
{
	if (!counters->n_threads)
		return NULL;
	return bsearch(&tid, counters->threads, counters->n_threads,
		sizeof(*counters->threads), compare_tid);
}

const struct culprit_tally *counters_find_culprit(
	const struct counters *counters, const struct culprit *culprit)
{
	enum run_kind kind = culprit->off_set ? KIND_OFF_SET : KIND_FOREIGN;

	for (size_t i = 0; i < counters->n_tallies; i++) {
		const struct culprit_tally *tally = &counters->tallies[i];

		if (tally->kind == kind &&
			(culprit->off_set || tally->cause == culprit->cause) &&
			!strcmp(tally->vm, culprit->vm) &&
			!strcmp(tally->comm, culprit->comm))
			return tally;
	}
	return NULL;
}

uint64_t wait_bound(unsigned int bucket)
{
	return bucket < WAIT_BUCKETS - 1 ? UINT64_C(1024) << bucket : 0;
}

uint64_t wait_quantile(const struct thread_tally *thread, unsigned int percent)
{
	uint64_t all = 0, below = 0;

	for (unsigned int i = 0; i < WAIT_BUCKETS; i++)
		all += thread->waits[i];
	for (unsigned int i = 0; i < WAIT_BUCKETS; i++) {
		below += thread->waits[i];
		if (below && below >= all - all / 100 * (100 - percent) -
					      all % 100 * (100 - percent) / 100)
			return wait_bound(i);
	}
	return 0;
}

const char *run_kind_name(enum run_kind kind)
{
	static const char *const names[] = {"off_set", "foreign", "bound_kthread"};

	return names[kind];
}

uint64_t tally_foreign(const struct tally foreign[CAUSE_COUNT])
{
	uint64_t count = 0;

	for (int i = 0; i < CAUSE_COUNT; i++)
		count += foreign[i].count;
	return count;
}

const char *cause_name(enum cause cause)
{
	static const char *const names[] = {"user", "other_vm", "own_vm", "kthread"};

	return names[cause];
}
