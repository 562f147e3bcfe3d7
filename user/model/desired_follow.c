// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is desired for a VM when its lesser threads have come and gone. Each thread
 * follows one that was there before and was of the same kind; where there was none, a
 * vCPU or an iothread was plugged, and that concerns the whole host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/model/desired.h"

static bool is_apart(const struct vm_thread *thread)
{
	return thread->class == THREAD_VCPU || thread->class == THREAD_IOTHREAD;
}

/* Is there a thread of that kind? */
static bool has_kind(const struct vm *vm, const struct vm_thread *kind)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].class == kind->class &&
			vm->threads[i].index == kind->index)
			return true;
	return false;
}

static bool keeps_kinds(const struct vm *before, const struct vm *now)
{
	for (size_t i = 0; i < before->n_threads; i++)
		if (is_apart(&before->threads[i]) && !has_kind(now, &before->threads[i]))
			return false;
	for (size_t i = 0; i < now->n_threads; i++)
		if (is_apart(&now->threads[i]) && !has_kind(before, &now->threads[i]))
			return false;
	return true;
}

/* A worker that was born in an iothread's group belongs there with it. */
static bool works_for(
	const struct desired_vm *desired, size_t iothread, const struct vm_thread *thread)
{
	const struct desired_group *group;

	if (thread->class != THREAD_EMULATOR || !desired->thread_groups ||
		desired->vm->threads[iothread].class != THREAD_IOTHREAD ||
		desired->thread_groups[iothread] == desired->thread_groups[0])
		return false;
	group = &desired->groups[desired->thread_groups[iothread]];
	return !strcmp(group->path, thread->cgroup);
}

/* Whom it follows; the main thread, where nobody else fits. */
static size_t find_model(const struct desired_vm *desired, const struct vm_thread *thread)
{
	const struct vm *before = desired->vm;

	for (size_t i = 0; i < before->n_threads; i++)
		if (is_apart(thread) ? before->threads[i].class == thread->class &&
					       before->threads[i].index == thread->index
				     : thread->tid != before->pid &&
					       works_for(desired, i, thread))
			return i;
	return 0;
}

static void take(
	struct desired_vm *desired, struct rule_thread *rules, size_t *groups, size_t n)
{
	free(desired->rules.threads);
	desired->rules.threads = rules;
	desired->rules.n_threads = n;
	if (desired->thread_groups) {
		free(desired->thread_groups);
		desired->thread_groups = groups;
	} else {
		free(groups);
	}
}

int desired_follow(struct desired_vm *desired, const struct vm *now)
{
	size_t n = now->n_threads;
	struct rule_thread *rules;
	size_t *groups;

	if (desired->rules.n_threads != desired->vm->n_threads ||
		!keeps_kinds(desired->vm, now))
		return 1;
	rules = calloc(n ? n : 1, sizeof(*rules));
	groups = calloc(n ? n : 1, sizeof(*groups));
	if (!rules || !groups) {
		free(rules);
		free(groups);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		const struct vm_thread *thread = &now->threads[i];
		size_t model = find_model(desired, thread);

		if (desired->thread_groups)
			groups[i] = desired->thread_groups[model];
		rules[i] = desired->rules.threads[model];
		rules[i].tid = thread->tid;
		rules[i].start_time = thread->start_time;
		rules[i].class = thread->class;
		rules[i].index = thread->index;
	}
	take(desired, rules, groups, n);
	return 0;
}
