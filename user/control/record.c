// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/kernel_threads.h"
#include "user/host/proc.h"
#include "user/store/found.h"

struct scan {
	const struct cycle *cycle;
	struct found_host *found;
	pid_t pid;
};

/* Bound to fewer CPUs than all. */
static int scan_thread(pid_t tid, void *data)
{
	struct scan *scan = data;
	struct vm_thread thread = {};
	struct found_thread *bound;
	int r;

	r = proc_read_thread(scan->pid, tid, &thread);
	if (r)
		return proc_is_out_of_sight(r) ? 0 : r;
	free(thread.cgroup);
	if (cpuset_subset(&scan->cycle->actual.tree.root_effective, &thread.affinity))
		return 0;
	bound = array_push(&scan->found->bound, &scan->found->n_bound);
	if (!bound)
		return -ENOMEM;
	bound->pid = scan->pid;
	bound->tid = tid;
	bound->start_time = thread.start_time;
	bound->affinity = thread.affinity;
	return 0;
}

static int scan_process(pid_t pid, void *data)
{
	struct scan *scan = data;
	struct proc_stat stat;
	cleanup_close int fd = -1;
	int r;

	for (size_t i = 0; i < scan->cycle->vms.n_items; i++)
		if (scan->cycle->vms.items[i].pid == pid)
			return 0;
	r = proc_open(pid, &fd);
	if (!r)
		r = proc_read_stat_at(fd, &stat);
	if (r)
		return proc_is_out_of_sight(r) ? 0 : r;
	/* Nobody can change these, no partition either. */
	if (stat.flags & PF_NO_SETAFFINITY)
		return 0;
	scan->pid = pid;
	r = proc_for_each_tid(fd, scan_thread, scan);
	return proc_is_out_of_sight(r) ? 0 : r;
}

static int scan_host(
	const struct cycle *cycle, struct found_host *ret_found, struct problem *problem)
{
	struct found_host found = {.cpuset_given = cycle->actual.tree.root_gives_cpuset};
	struct scan scan = {.cycle = cycle, .found = &found};
	int r;

	r = proc_for_each_pid(scan_process, &scan);
	if (r) {
		found_host_deinit(&found);
		return problem_set(problem, r, "cannot look at the host's threads: %s",
			strerror(-r));
	}
	*ret_found = found;
	return 0;
}

int record_host(const struct cycle *cycle, struct problem *problem)
{
	struct found_host found;
	int r = found_host_exists(cycle->folders.run);

	/* What was found is what was found first. */
	if (r)
		return r > 0 ? 1
			     : problem_set(problem, r,
				       "cannot read what was found of the host: %s",
				       strerror(-r));
	r = scan_host(cycle, &found, problem);
	if (r)
		return r;
	/* Now: some kernels narrow them when the first partition is made. */
	r = kernel_threads_add(&found, &cycle->topology.possible);
	r = r ? problem_set(problem, r, "cannot look at the kernel's threads: %s",
			strerror(-r))
	      : found_host_write(cycle->folders.run, &found, problem);
	found_host_deinit(&found);
	return r;
}

/* A living VM's record must not name groups of ours: threads that a lost record left
 * there go to the root. */
static void disown(struct found_vm *found, const struct cpuset *all)
{
	for (size_t i = 0; i < found->n_threads; i++)
		if (path_is_below(found->threads[i].cgroup, SLICE)) {
			*found->threads[i].cgroup = '\0';
			found->threads[i].affinity = *all;
		}
}

/*
 * Who has all that others have left open is not bound: with their partitions that goes.
 * What is open may be more by now, and so may be what such a thread has.
 */
static void unbind(struct found_vm *found, const struct cycle *cycle)
{
	for (size_t i = 0; i < found->n_threads; i++) {
		struct found_thread *thread = &found->threads[i];
		struct vm_thread now = {};

		if (!cpuset_equal(&thread->affinity, &cycle->open) ||
			proc_read_thread(found->pid, thread->tid, &now))
			continue;
		free(now.cgroup);
		if (now.start_time == thread->start_time &&
			cpuset_equal(&now.affinity, &cycle->actual.tree.root_effective))
			thread->affinity = cycle->topology.online;
	}
}

/* Adds a group as it is, unless it is recorded; *ret_group: its entry. */
static int add_group(struct found_vm *found, const struct group *now, bool leaf,
	const struct cpuset *claimed, struct found_group **ret_group)
{
	struct found_group *group = found_vm_group(found, now->path);
	char *path;

	if (!group) {
		path = strdup(now->path);
		group = path ? array_push(&found->groups, &found->n_groups) : NULL;
		if (!group) {
			free(path);
			return -ENOMEM;
		}
		group->path = path;
		group->leaf = leaf;
		group->partition = now->partition.kind;
		group->exclusive = now->exclusive;
		cpuset_andnot(&group->exclusive, claimed);
	}
	/* What somebody has set since is what is to be given back. */
	if (!found_group_wrote(group, &now->cpus)) {
		group->set = false;
		group->cpus = now->cpus;
	}
	*ret_group = group;
	return 0;
}

struct others {
	const char *run, *except;
	struct cpuset claimed;
};

static int add_claims(const char *name, void *data)
{
	struct others *others = data;
	struct found_vm found;
	int r;

	if (!strcmp(name, others->except))
		return 0;
	r = found_vm_read(others->run, name, &found, NULL);
	if (r)
		return found_is_none(r) ? 0 : r;
	cpuset_or(&others->claimed, &found.claimed);
	found_vm_deinit(&found);
	return 0;
}

/* From the root down to the top group, then its leaves. */
static int add_groups(
	const struct cycle *cycle, const struct desired_vm *vm, struct found_vm *found)
{
	const struct tree *tree = &cycle->actual.tree;
	struct others others = {.run = cycle->folders.run, .except = vm->vm->name};
	struct found_group *group;
	struct cpuset still = {};
	int r;

	/* As they are now: records have been made since this pass began. */
	r = found_vm_for_each(others.run, add_claims, &others);
	cpuset_or(&others.claimed, &found->claimed);
	for (size_t i = 0; !r && i < tree->n_groups; i++)
		if (path_is_inside(vm->groups[0].path, tree->groups[i]->path)) {
			cpuset_or(&still, &tree->groups[i]->exclusive);
			r = add_group(
				found, tree->groups[i], false, &others.claimed, &group);
		}
	for (size_t i = 1; !r && i < vm->n_groups; i++) {
		const struct desired_group *wanted = &vm->groups[i];
		const struct group *now = tree_find(tree, wanted->path);

		if (!now)
			continue;
		r = add_group(found, now, true, &others.claimed, &group);
		if (r || wanted->floats || leaf_has_cpus(now, wanted))
			continue;
		group->earlier = group->set ? now->cpus : wanted->cpus;
		group->set = true;
		group->written = wanted->cpus;
	}
	/* What nobody claims any more has been given up. */
	cpuset_and(&found->claimed, &still);
	cpuset_or(&found->claimed, &vm->reserved);
	return r;
}

/* A record of this process as it was made, or a new one. What an earlier process of that
 * name had claimed is still to be given up. */
static int begin_record(const struct cycle *cycle, const struct desired_vm *vm,
	struct found_vm *ret_found, bool *ret_new, struct problem *problem)
{
	struct cpuset claimed = {};
	struct found_vm found;
	int r = found_vm_read(cycle->folders.run, vm->vm->name, &found, problem);

	*ret_new = true;
	if (r && !found_is_none(r))
		return r;
	if (!r) {
		claimed = found.claimed;
		*ret_new = !found_vm_is_of(&found, vm->vm->pid, vm->vm->start_time);
		if (!*ret_new) {
			*ret_found = found;
			return 0;
		}
		found_vm_deinit(&found);
	}
	if (found_vm_of(vm->vm, ret_found))
		return problem_nomem(problem);
	unbind(ret_found, cycle);
	disown(ret_found, &cycle->topology.online);
	ret_found->claimed = claimed;
	return 0;
}

int record_vm(const struct cycle *cycle, const struct desired_vm *vm, bool *ret_new,
	struct problem *problem)
{
	struct found_vm found;
	int r = begin_record(cycle, vm, &found, ret_new, problem);

	if (r)
		return r;
	r = vm->layout == LAYOUT_LIBVIRT ? add_groups(cycle, vm, &found) : 0;
	r = r ? problem_set(problem, r, "cannot record the groups of VM %s: %s",
			vm->vm->name, strerror(-r))
	      : found_vm_write(cycle->folders.run, &found, problem);
	found_vm_deinit(&found);
	return r;
}
