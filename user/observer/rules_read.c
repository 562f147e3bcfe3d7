// SPDX-License-Identifier: GPL-2.0-or-later
/* The rules in force, back out of the maps. */
#include "user/observer/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

void observer_name_vm(
	const struct observer *observer, u32 slot, char ret_name[VM_NAME_SIZE])
{
	/* Slot 0 stays empty. */
	if (slot >= observer->n_vms)
		slot = 0;
	memcpy(ret_name, (const void *)observer->vms[slot].name, VM_NAME_SIZE);
	ret_name[VM_NAME_SIZE - 1] = '\0';
}

/* What the program goes by is a copy beside the counters: both have to say so. */
u32 observer_owner(const struct observer *observer, u32 cpu)
{
	u32 vm = observer->cpu_rules[cpu].vm;

	return (observer->cpu_counters[cpu].fast.vm & ~CPU_TAKEOVER) == vm ? vm : 0;
}

int observer_list_vms(
	const struct observer *observer, struct rule_vm **ret_vms, size_t *ret_n)
{
	struct rule_vm *vms = NULL, *vm;
	size_t n = 0;

	for (u32 slot = 1; slot < observer->n_vms; slot++) {
		if (!observer->vms[slot].pid)
			continue;
		vm = array_push(&vms, &n);
		if (!vm) {
			free(vms);
			return -ENOMEM;
		}
		vm->pid = (pid_t)observer->vms[slot].pid;
		vm->start_time = observer->vms[slot].start_ticks;
		observer_name_vm(observer, slot, vm->name);
	}
	*ret_vms = vms;
	*ret_n = n;
	return 0;
}

static int compare_threads(const void *a, const void *b)
{
	pid_t x = ((const struct rule_thread *)a)->tid,
	      y = ((const struct rule_thread *)b)->tid;

	return x < y ? -1 : x > y;
}

static bool owns_set(
	const struct observer *observer, u32 slot, const volatile struct task *task)
{
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++)
		if (observer_owner(observer, cpu) == slot &&
			observer->cpu_counters[cpu].fast.tid == task->tid)
			return true;
	return false;
}

static int get_threads(const struct observer *observer, u32 slot, struct rule_vm *vm)
{
	size_t n = 0;

	for (u32 i = 1; i < observer->n_tasks; i++)
		n += observer->tasks[i].tid && observer->tasks[i].vm == slot;
	vm->threads = calloc(n ? n : 1, sizeof(*vm->threads));
	if (!vm->threads)
		return -ENOMEM;
	for (u32 i = 1; i < observer->n_tasks && vm->n_threads < n; i++) {
		const volatile struct task *task = &observer->tasks[i];
		struct rule_thread *thread = &vm->threads[vm->n_threads];

		if (!task->tid || task->vm != slot)
			continue;
		vm->n_threads++;
		thread->tid = (pid_t)task->tid;
		thread->start_time = task->start_ticks;
		thread->class = task->class % THREAD_CLASSES;
		thread->index = (int)task->index;
		cpuset_from_words(&observer->cpu_sets[task->set % observer->n_cpu_sets],
			&thread->set);
		thread->owns = owns_set(observer, slot, task);
	}
	qsort(vm->threads, vm->n_threads, sizeof(*vm->threads), compare_threads);
	return 0;
}

int observer_get_vm(const struct observer *observer, pid_t pid, uint64_t start_time,
	struct rule_vm *ret_vm, bool *ret_settling)
{
	u32 slot = observer_find_vm(observer, pid, start_time), flags;
	struct rule_vm vm = {.pid = pid, .start_time = start_time};
	bool settling;
	int r;

	/* Of one that has ended no rule is in force, though the process may be a VM
	 * again.
	 */
	if (!slot || observer->vms[slot].ended)
		return -ENOENT;
	observer_name_vm(observer, slot, vm.name);
	cpuset_from_words(
		&observer->cpu_sets[observer->vms[slot].set % observer->n_cpu_sets],
		&vm.set);
	flags = observer->vms[slot].flags;
	vm.unborn = flags & VM_UNBORN;
	vm.guard = flags & VM_GUARD_DENY  ? GUARD_DENY
		   : flags & VM_GUARD_LOG ? GUARD_LOG
					  : GUARD_OFF;
	vm.libvirt_pins = flags & VM_LIBVIRT_PINS;
	vm.since = observer->vms[slot].rules_since;
	vm.committed = observer->vms[slot].committed;
	vm.committed_before = observer->vms[slot].committed_before;
	settling = observer->vms[slot].settle_until ||
		   !observer_filter_has(observer, (u32)pid);
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		if (observer_owner(observer, cpu) != slot)
			continue;
		if (observer->cpu_rules[cpu].vcpu == ABI_NONE)
			cpuset_add(&vm.owned, cpu);
		settling |= observer->cpu_rules[cpu].flags;
	}
	r = get_threads(observer, slot, &vm);
	if (r)
		return r;
	*ret_vm = vm;
	*ret_settling = settling;
	return 0;
}
