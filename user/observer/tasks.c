// SPDX-License-Identifier: GPL-2.0-or-later
/* The threads that are known: their slots in `tasks`, the index by which the program
 * finds those, and the filter before it. What names something is written after it, and
 * erased before it. */
#include "user/observer/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static volatile struct task_bucket *bucket_of(const struct observer *observer, u32 tid)
{
	return &observer->task_index[tid & (observer->n_task_index - 1)];
}

u32 observer_find_task(const struct observer *observer, pid_t tid)
{
	volatile struct task_bucket *bucket = bucket_of(observer, (u32)tid);

	for (u32 i = 0; i < ABI_BUCKET; i++)
		if (bucket->entries[i].tid == (u32)tid)
			return bucket->entries[i].task;
	return 0;
}

/* Looked for from a place that the tid gives, so that it is found at once as long as many
 * are free. */
static u32 free_task(const struct observer *observer, u32 tid)
{
	u32 n = observer->n_tasks - 1;

	for (u32 i = 0; i < n; i++) {
		u32 slot = 1 + (tid + i) % n;

		if (!observer->tasks[slot].tid)
			return slot;
	}
	return 0;
}

static bool index_add(struct observer *observer, u32 tid, u32 task)
{
	volatile struct task_bucket *bucket = bucket_of(observer, tid);

	for (u32 i = 0; i < ABI_BUCKET; i++) {
		if (bucket->entries[i].tid)
			continue;
		bucket->entries[i].task = task;
		observer_barrier();
		bucket->entries[i].tid = tid;
		return true;
	}
	return false;
}

void observer_unindex_task(struct observer *observer, u32 slot)
{
	volatile struct task_bucket *bucket =
		bucket_of(observer, observer->tasks[slot].tid);

	for (u32 i = 0; i < ABI_BUCKET; i++)
		if (bucket->entries[i].tid == observer->tasks[slot].tid &&
			bucket->entries[i].task == slot)
			bucket->entries[i].tid = 0;
}

void observer_erase_unindexed(struct observer *observer, u32 vm)
{
	for (u32 i = 1; i < observer->n_tasks; i++) {
		volatile struct task *task = &observer->tasks[i];
		u32 tid = task->tid, named;

		if (!tid || (task->vm && task->vm != vm))
			continue;
		named = observer_find_task(observer, (pid_t)tid);
		if (named == i)
			continue;
		memset((void *)task, 0, sizeof(*task));
		if (!named)
			bpf_map_delete_elem(observer->task_counters, &tid);
	}
}

bool observer_filter_has(const struct observer *observer, u32 tgid)
{
	return observer->filter->words[tgid / 64 % ABI_FILTER_WORDS] >> tgid % 64 & 1;
}

void observer_set_filter(struct observer *observer)
{
	u64 *words = calloc(ABI_FILTER_WORDS, sizeof(*words));

	/* Without memory the filter keeps bits of VMs that are gone: slower, not wrong.
	 */
	for (u32 i = 1; i < observer->n_tasks; i++) {
		u32 tgid = observer->tasks[i].tgid;

		if (!observer->tasks[i].tid)
			continue;
		observer->filter->words[tgid / 64 % ABI_FILTER_WORDS] |= UINT64_C(1)
									 << tgid % 64;
		if (words)
			words[tgid / 64 % ABI_FILTER_WORDS] |= UINT64_C(1) << tgid % 64;
	}
	for (u32 i = 0; words && i < ABI_FILTER_WORDS; i++)
		observer->filter->words[i] = words[i];
	free(words);
}

int observer_write_task(struct observer *observer, const struct rule_vm *vm, u32 vm_slot,
	const struct rule_thread *thread, bool *used)
{
	struct task_counters counters = {
		.vm = vm_slot, .class = thread->class, .index = (u32)thread->index};
	u32 set = observer_intern_set(observer, used, &thread->set);
	u32 tid = (u32)thread->tid, slot = observer_find_task(observer, thread->tid);
	volatile struct task *task;

	if (!set)
		return -ENOSPC;
	task = &observer->tasks[slot];
	if (slot &&
		(task->tgid != (u32)vm->pid || task->start_ticks != thread->start_time)) {
		observer_unindex_task(observer, slot);
		observer_wait_for_readers();
		observer_erase_unindexed(observer, observer->tasks[slot].vm);
		slot = 0;
	}
	if (slot) {
		if (task->set != set)
			task->old_set = task->set;
		observer_barrier();
		task->set = set;
		if (task->class == (u32)thread->class &&
			task->index == (u32)thread->index && task->vm == vm_slot)
			return 0;
	} else {
		slot = free_task(observer, tid);
		if (!slot)
			return -ENOSPC;
		task = &observer->tasks[slot];
		task->start_ticks = thread->start_time;
		task->tgid = (u32)vm->pid;
		task->set = set;
		task->old_set = SET_ALL;
		task->pending.delay = ABI_UNMARKED;
		task->tid = tid;
	}
	task->vm = vm_slot;
	task->class = thread->class;
	task->index = (u32)thread->index;
	if (bpf_map_update_elem(observer->task_counters, &tid, &counters, BPF_ANY))
		return -errno;
	observer_barrier();
	if (observer_find_task(observer, thread->tid))
		return 0;
	return index_add(observer, tid, slot) ? 0 : -ENOSPC;
}
