// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "user/base/file.h"
#include "user/host/proc.h"
#include "user/model/cpulist.h"

enum { MOMENT_NS = 1000000 };

/* The kernel's figure: the observer's own is of a while ago. */
static void refresh_run_time(const struct counters *counters, struct thread_tally *thread)
{
	struct vm_thread now;
	char path[64], text[128];

	if (thread->class != THREAD_VCPU || thread->vm >= counters->n_vms)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat",
		counters->vms[thread->vm].pid, thread->tid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text)) > 0 &&
		!proc_parse_schedstat(text, &now) && now.run_ns > thread->run_ns)
		thread->run_ns = now.run_ns;
}

void sample_online(struct cpuset *online)
{
	char text[1024];
	struct cpuset cpus;

	if (file_read_at(AT_FDCWD, "/sys/devices/system/cpu/online", text, sizeof(text)) >
			0 &&
		!cpulist_parse_kernel(text, &cpus))
		*online = cpus;
}

/* Whoever reads runs, sleeps and runs again: an observer that counts has counted that. */
int sample_take(
	const struct observer *observer, struct counters *ret_counters, bool *ret_up)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NS};
	uint64_t before;
	int r;

	before = observer_examined(observer);
	nanosleep(&moment, NULL);
	r = observer_read_mapped(observer, ret_counters);
	if (r)
		return r;
	*ret_up = ret_counters->total.switches > before;
	for (size_t i = 0; i < ret_counters->n_threads; i++)
		refresh_run_time(ret_counters, &ret_counters->threads[i]);
	return 0;
}
