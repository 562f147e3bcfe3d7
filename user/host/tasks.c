// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/fatal.h"
#include "user/host/proc.h"

enum { TASKS_MAX = 1 << 20 };

struct scan {
	int procfd;
	pid_t pid;
	struct task *tasks;
	size_t n;
};

/* As the observer has it (is_bound() in bpf/classify.h): unbound workers have the flag,
 * too, and a cpuset of one CPU narrows anybody. */
static bool is_bound(const struct proc_stat *stat, const struct cpuset *affinity)
{
	if (!(stat->flags & PF_KTHREAD))
		return false;
	/* Of a CPU that is offline the kernel tells none. */
	return (stat->flags & PF_NO_SETAFFINITY || !strncmp(stat->comm, "vhost-", 6)) &&
	       cpuset_weight(affinity) <= 1;
}

static int add_thread(pid_t tid, void *data)
{
	struct scan *scan = data;
	struct cpuset affinity;
	struct proc_stat stat;
	struct task *task;
	int r = proc_read_affinity(tid, &affinity);

	if (!r)
		r = proc_read_task_stat_at(scan->procfd, tid, &stat);
	if (r)
		return is_fatal(r) ? r : 0;
	if (scan->n == TASKS_MAX)
		return -E2BIG;
	task = array_push(&scan->tasks, &scan->n);
	if (!task)
		return -ENOMEM;
	task->pid = scan->pid;
	task->tid = tid;
	memcpy(task->comm, stat.comm, sizeof(task->comm));
	task->state = stat.state;
	task->kernel = stat.flags & PF_KTHREAD;
	task->bound = is_bound(&stat, &affinity);
	task->last_cpu = stat.last_cpu;
	task->allowed = cpuset_has(&affinity, (unsigned int)stat.last_cpu);
	return 0;
}

static int add_process(pid_t pid, void *data)
{
	struct scan *scan = data;
	cleanup_close int procfd = -1;
	int r = proc_open(pid, &procfd);

	scan->pid = pid;
	scan->procfd = procfd;
	if (!r)
		r = proc_for_each_tid(procfd, add_thread, scan);
	return r == -ESRCH ? 0 : r;
}

static int compare(const void *a, const void *b)
{
	const struct task *x = a, *y = b;

	return x->last_cpu != y->last_cpu ? (x->last_cpu > y->last_cpu ? 1 : -1)
					  : (x->tid > y->tid) - (x->tid < y->tid);
}

int tasks_read(struct task **ret_tasks, size_t *ret_n, struct problem *problem)
{
	struct scan scan = {.procfd = -1};
	int r = proc_for_each_pid(add_process, &scan);

	if (r) {
		free(scan.tasks);
		return problem_set(
			problem, r, "cannot list the host's threads: %s", strerror(-r));
	}
	if (scan.n)
		qsort(scan.tasks, scan.n, sizeof(*scan.tasks), compare);
	*ret_tasks = scan.tasks;
	*ret_n = scan.n;
	return 0;
}

size_t tasks_first_on(const struct task *tasks, size_t n, int cpu)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (tasks[middle].last_cpu < cpu)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}
