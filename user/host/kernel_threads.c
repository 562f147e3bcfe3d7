// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/kernel_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/proc.h"
#include "user/model/cpumask.h"
#include "user/model/tree.h"

/* 1: it is one, and free to be bound. */
static int read_unbound(pid_t pid, struct vm_thread *ret_thread)
{
	struct proc_stat stat;
	cleanup_close int fd = -1;
	bool ours;
	int r;

	r = proc_open(pid, &fd);
	if (!r)
		r = proc_read_stat_at(fd, &stat);
	if (!r && (!(stat.flags & PF_KTHREAD) || stat.flags & PF_NO_SETAFFINITY))
		return 0;
	if (!r)
		r = proc_read_thread_at(fd, pid, ret_thread);
	if (r)
		return proc_is_out_of_sight(r) ? 0 : r;
	/* vhost's, on 6.1, are in their VM's group, and belong there. */
	ours = path_is_below(ret_thread->cgroup, SLICE);
	free(ret_thread->cgroup);
	ret_thread->cgroup = NULL;
	return !ours;
}

static struct found_thread *find(struct found_host *host, pid_t tid, uint64_t start_time)
{
	for (size_t i = 0; i < host->n_bound; i++)
		if (host->bound[i].tid == tid && host->bound[i].start_time == start_time)
			return &host->bound[i];
	return NULL;
}

struct addition {
	struct found_host *host;
	const struct cpuset *cpus;
};

static int add_one(pid_t pid, void *data)
{
	struct addition *addition = data;
	struct found_host *host = addition->host;
	struct vm_thread thread = {};
	struct found_thread *entry;
	int r;

	r = read_unbound(pid, &thread);
	if (r <= 0 || !cpuset_intersects(&thread.affinity, addition->cpus))
		return r < 0 ? r : 0;
	entry = find(host, pid, thread.start_time);
	if (!entry) {
		entry = array_push(&host->bound, &host->n_bound);
		if (!entry)
			return -ENOMEM;
		entry->pid = entry->tid = pid;
		entry->start_time = thread.start_time;
		entry->affinity = thread.affinity;
	}
	entry->kernel = true;
	return 0;
}

int kernel_threads_add(struct found_host *host, const struct cpuset *cpus)
{
	struct addition addition = {.host = host, .cpus = cpus};

	return proc_for_each_pid(add_one, &addition);
}

static int add_cpus(pid_t pid, void *data)
{
	struct vm_thread thread = {};
	int r = read_unbound(pid, &thread);

	if (r > 0)
		cpuset_or(data, &thread.affinity);
	return r < 0 ? r : 0;
}

int kernel_threads_affinity(struct cpuset *ret_cpus)
{
	struct cpuset cpus = {};
	int r = proc_for_each_pid(add_cpus, &cpus);

	if (!r)
		*ret_cpus = cpus;
	return r;
}

int kernel_threads_cpus(struct cpuset *ret_cpus)
{
	struct cpuset cpus, workqueues;
	int r;

	r = kernel_threads_affinity(&cpus);
	if (r)
		return r;
	r = workqueues_read(&workqueues);
	if (!r)
		cpuset_or(&cpus, &workqueues);
	else if (r != -ENOENT)
		return r;
	*ret_cpus = cpus;
	return 0;
}

int workqueues_read(struct cpuset *ret_cpus)
{
	char text[4096];
	ssize_t n;

	/* From 6.7 on `cpumask` is what is left after isolation, and this is what was
	 * written. */
	n = file_read_at(AT_FDCWD, WORKQUEUE_MASK "_requested", text, sizeof(text));
	if (n == -ENOENT)
		n = file_read_at(AT_FDCWD, WORKQUEUE_MASK, text, sizeof(text));
	return n < 0 ? (int)n : cpumask_parse(text, ret_cpus);
}
