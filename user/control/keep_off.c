// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/keep_off.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/control/give_back.h"
#include "user/host/kernel_threads.h"
#include "user/host/proc.h"
#include "user/model/cpumask.h"
#include "user/store/found.h"

static int write_mask(const struct cpuset *cpus, struct problem *problem)
{
	cleanup_free char *mask = cpumask_format(cpus);
	cleanup_close int fd = -1;

	if (!mask)
		return problem_nomem(problem);
	fd = open(WORKQUEUE_MASK, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, mask, strlen(mask)) < 0)
		return problem_set(problem, -errno,
			"cannot write %s to " WORKQUEUE_MASK ": %s", mask,
			strerror(errno));
	return 0;
}

struct away {
	const struct cpuset *cpus, *online;
};

static int keep_workqueues(
	const struct found_host *host, const struct away *away, struct problem *problem)
{
	struct cpuset now,
		wanted = cpuset_away(&host->workqueues, away->cpus, away->online);
	int r;

	if (!host->has_workqueues)
		return 1;
	r = workqueues_read(&now);
	if (r)
		return r == -ENOENT ? 1
				    : problem_set(problem, r,
					      "cannot read " WORKQUEUE_MASK ": %s",
					      strerror(-r));
	if (cpuset_empty(&wanted) || cpuset_equal(&now, &wanted))
		return 1;
	return write_mask(&wanted, problem);
}

static int keep_thread(const struct found_thread *thread, const struct away *away)
{
	struct cpuset wanted = cpuset_away(&thread->affinity, away->cpus, away->online);
	struct vm_thread now = {};

	if (!thread->kernel || cpuset_empty(&wanted) ||
		proc_read_thread(thread->pid, thread->tid, &now))
		return 1;
	free(now.cgroup);
	/* Its cpuset may have narrowed it already, as older kernels do. */
	if (now.start_time != thread->start_time || cpuset_equal(&now.affinity, &wanted))
		return 1;
	/* One that the kernel will not let go anywhere stays, and is counted where it
	 * runs. */
	return thread_bind(thread->pid, thread->tid, thread->start_time, &wanted, NULL)
		       ? 1
		       : 0;
}

int keep_off(const char *run_dir, const struct cpuset *cpus, const struct cpuset *online,
	struct problem *problem)
{
	struct away away = {.cpus = cpus, .online = online};
	struct found_host host;
	bool changed = false;
	int r;

	r = found_host_read(run_dir, &host, problem);
	if (r)
		return found_is_none(r) ? 1 : r;
	/* What is new since the record was made, and nobody has pushed away, is found
	 * now. */
	r = kernel_threads_add(&host, cpus);
	if (!r && !host.has_workqueues) {
		r = workqueues_read(&host.workqueues);
		host.has_workqueues = !r;
		r = r == -ENOENT ? 0 : r;
	}
	if (r)
		problem_set(problem, r, "cannot look at the kernel's threads: %s",
			strerror(-r));
	else
		r = found_host_write(run_dir, &host, problem);
	if (!r) {
		r = keep_workqueues(&host, &away, problem);
		changed = r == 0;
		r = r > 0 ? 0 : r;
	}
	for (size_t i = 0; !r && i < host.n_bound; i++)
		changed |= !keep_thread(&host.bound[i], &away);
	found_host_deinit(&host);
	return r ? r : !changed;
}
