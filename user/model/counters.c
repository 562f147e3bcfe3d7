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
