// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/rules.h"

#include <stdlib.h>
#include <string.h>

void rule_vm_deinit(struct rule_vm *vm)
{
	free(vm->threads);
	memset(vm, 0, sizeof(*vm));
}

void rule_vm_owned(const struct rule_vm *vm, struct cpuset *ret_cpus)
{
	*ret_cpus = vm->owned;
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].owns)
			cpuset_or(ret_cpus, &vm->threads[i].set);
}

static bool thread_equal(const struct rule_thread *a, const struct rule_thread *b)
{
	return a->start_time == b->start_time && a->class == b->class &&
	       a->index == b->index && a->owns == b->owns &&
	       cpuset_equal(&a->set, &b->set);
}

static const struct rule_thread *find_thread(const struct rule_vm *vm, pid_t tid)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].tid == tid)
			return &vm->threads[i];
	return NULL;
}

bool rule_vm_lists(const struct rule_vm *vm, pid_t tid, uint64_t start_time)
{
	const struct rule_thread *thread = find_thread(vm, tid);

	return thread && thread->start_time == start_time;
}

/* May the thread be missing without a difference? */
static bool is_covered(const struct rule_vm *vm, const struct rule_thread *thread)
{
	return thread->tid != vm->pid && cpuset_equal(&thread->set, &vm->set) &&
	       (thread->class == THREAD_EMULATOR || thread->class == THREAD_VHOST);
}

bool rule_vm_holds(const struct rule_vm *in_force, const struct rule_vm *wanted)
{
	if (strcmp(in_force->name, wanted->name) || in_force->pid != wanted->pid ||
		in_force->start_time != wanted->start_time ||
		in_force->unborn != wanted->unborn || in_force->guard != wanted->guard ||
		in_force->libvirt_pins != wanted->libvirt_pins ||
		!cpuset_equal(&in_force->set, &wanted->set) ||
		!cpuset_equal(&in_force->owned, &wanted->owned))
		return false;
	for (size_t i = 0; i < wanted->n_threads; i++) {
		const struct rule_thread *thread = &wanted->threads[i];
		const struct rule_thread *there = find_thread(in_force, thread->tid);

		if (there ? !thread_equal(there, thread) : !is_covered(wanted, thread))
			return false;
	}
	for (size_t i = 0; i < in_force->n_threads; i++)
		if (!find_thread(wanted, in_force->threads[i].tid) &&
			!is_covered(in_force, &in_force->threads[i]))
			return false;
	return true;
}
