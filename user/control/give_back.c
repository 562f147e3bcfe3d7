// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/give_back.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/threads.h"
#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/proc.h"
#include "user/model/cpulist.h"
#include "user/store/found.h"

static int set_affinity(pid_t tid, const struct cpuset *cpus)
{
	cpu_set_t *mask = CPU_ALLOC(CPUSET_CPUS);
	size_t size = CPU_ALLOC_SIZE(CPUSET_CPUS);
	int r;

	if (!mask)
		return -ENOMEM;
	CPU_ZERO_S(size, mask);
	cpuset_for_each (cpu, cpus)
		CPU_SET_S(cpu, size, mask);
	r = sched_setaffinity(tid, size, mask) ? -errno : 0;
	CPU_FREE(mask);
	return r;
}

int thread_bind(pid_t pid, pid_t tid, uint64_t start_time, const struct cpuset *cpus,
	struct problem *problem)
{
	struct vm_thread now = {};
	cleanup_free char *list = NULL;
	bool same;
	int r;

	r = proc_read_thread(pid, tid, &now);
	if (r)
		return r == -ESRCH ? 1
				   : problem_set(problem, r, "cannot read thread %d: %s",
					     tid, strerror(-r));
	same = now.start_time != start_time || cpuset_equal(&now.affinity, cpus);
	free(now.cgroup);
	if (same)
		return 1;
	r = set_affinity(tid, cpus);
	if (!r || r == -ESRCH)
		return r ? 1 : 0;
	list = cpulist_format(cpus);
	return problem_set(problem, r, "cannot set the affinity of thread %d to %s: %s",
		tid, list ? list : "?", strerror(-r));
}

/* The group itself or the nearest one above it that is still there. */
static void nearest_group(const struct hierarchy *hierarchy, char *path)
{
	while (*path && faccessat(hierarchy->root, path, F_OK, AT_SYMLINK_NOFOLLOW) &&
		errno == ENOENT)
		if (!path_to_parent(path))
			*path = '\0';
}

static int return_thread(const struct cycle *cycle, const struct found_vm *found,
	const char *below, pid_t tid, struct problem *problem)
{
	struct vm_thread now = {};
	cleanup_free char *current = NULL, *target = NULL;
	const struct found_thread *record;
	int r;

	r = proc_read_thread(found->pid, tid, &now);
	if (r)
		return r == -ESRCH ? 0
				   : problem_set(problem, r, "cannot read thread %d: %s",
					     tid, strerror(-r));
	current = now.cgroup;
	record = found_vm_thread(found, tid, now.start_time);
	if (!record || !record->cgroup || !path_is_inside(current, below))
		return 0;
	/* In libvirt's groups one that came later is where libvirt wants it. */
	if (found->n_groups && record->tid != tid)
		return 0;
	target = strdup(record->cgroup);
	if (!target)
		return problem_nomem(problem);
	nearest_group(&cycle->hierarchy, target);
	if (!strcmp(current, target))
		return 0;
	r = tid == found->pid
		    ? process_move(&cycle->hierarchy, target, found->pid, problem)
		    : thread_move(&cycle->hierarchy, target, tid, problem);
	return r == -ESRCH ? 0 : r;
}

struct return_context {
	const struct cycle *cycle;
	const struct found_vm *found;
	const char *below;
	struct problem *problem;
};

static int return_one(pid_t tid, void *data)
{
	struct return_context *context = data;

	return return_thread(
		context->cycle, context->found, context->below, tid, context->problem);
}

/* 1: it has ended. */
static int open_process(
	const struct found_vm *found, int *ret_fd, struct problem *problem)
{
	uint64_t start_time;
	int r = proc_start_time(found->pid, found->pid, &start_time);

	if (!r && start_time != found->start_time)
		r = -ESRCH;
	if (!r)
		r = proc_open(found->pid, ret_fd);
	if (r == -ESRCH)
		return 1;
	return r ? problem_set(problem, r, "cannot look at process %d: %s", found->pid,
			   strerror(-r))
		 : 0;
}

int return_to_groups(const struct cycle *cycle, const struct found_vm *found,
	const char *below, struct problem *problem)
{
	struct return_context context = {
		.cycle = cycle, .found = found, .below = below, .problem = problem};
	cleanup_close int fd = -1;
	int r = open_process(found, &fd, problem);

	if (r)
		return r > 0 ? 0 : r;
	/* The whole process first; then those threads that were somewhere else. */
	r = return_thread(cycle, found, below, found->pid, problem);
	return r ? r : proc_for_each_tid(fd, return_one, &context);
}

struct bind_context {
	const struct found_vm *found;
	struct found_host *host; /* gets what cannot be had now; may be NULL */
	bool postponed;
};

static int postpone(struct bind_context *context, pid_t tid, uint64_t start_time,
	const struct cpuset *affinity)
{
	struct vm_thread now = {};
	struct found_thread *entry;
	int r = proc_read_thread(context->found->pid, tid, &now);

	if (r)
		return r == -ESRCH ? 0 : r;
	free(now.cgroup);
	if (cpuset_equal(&now.affinity, affinity))
		return 0;
	for (size_t i = 0; i < context->host->n_bound; i++)
		if (context->host->bound[i].tid == tid &&
			context->host->bound[i].start_time == start_time)
			return 0;
	entry = array_push(&context->host->bound, &context->host->n_bound);
	if (!entry)
		return -ENOMEM;
	entry->pid = context->found->pid;
	entry->tid = tid;
	entry->start_time = start_time;
	entry->affinity = *affinity;
	context->postponed = true;
	return 0;
}

/* What libvirt has bound it binds anew by itself; only where its groups were written has
 * anything to be returned. */
static bool was_bound(const struct found_vm *found, const struct found_thread *record)
{
	const struct found_group *group;

	if (!found->n_groups)
		return true;
	group = record->cgroup ? found_vm_group(found, record->cgroup) : NULL;
	return group && group->set;
}

static int bind_one(pid_t tid, void *data)
{
	struct bind_context *context = data;
	const struct found_thread *record;
	uint64_t start_time;
	int r = proc_start_time(context->found->pid, tid, &start_time);

	if (r)
		return r == -ESRCH ? 0 : r;
	record = found_vm_thread(context->found, tid, start_time);
	if (!record || !was_bound(context->found, record))
		return 0;
	/* EINVAL: none of its CPUs is the host's at present. */
	r = thread_bind(context->found->pid, tid, start_time, &record->affinity, NULL);
	if (context->host)
		return postpone(context, tid, start_time, &record->affinity);
	return r < 0 && r != -EINVAL ? r : 0;
}

int return_affinities(
	const char *run_dir, const struct found_vm *found, struct problem *problem)
{
	struct bind_context context = {.found = found};
	struct found_host host;
	cleanup_close int fd = -1;
	int r = open_process(found, &fd, problem);

	if (r)
		return r > 0 ? 0 : r;
	r = run_dir ? found_host_read(run_dir, &host, problem) : -ENOENT;
	if (r && !found_is_none(r))
		return r;
	context.host = r ? NULL : &host;
	r = proc_for_each_tid(fd, bind_one, &context);
	if (r)
		problem_set(problem, r, "cannot return the affinities of process %d: %s",
			found->pid, strerror(-r));
	if (!r && context.postponed)
		r = found_host_write(run_dir, &host, problem);
	if (context.host)
		found_host_deinit(&host);
	return r;
}

int return_bindings(const struct found_host *found, struct problem *problem)
{
	for (size_t i = 0; i < found->n_bound; i++) {
		const struct found_thread *thread = &found->bound[i];
		int r = thread_bind(thread->pid, thread->tid, thread->start_time,
			&thread->affinity, problem);

		/* EINVAL: a kernel thread that nobody may bind (PF_NO_SETAFFINITY). */
		if (r < 0 && r != -EINVAL)
			return r;
	}
	return 0;
}
