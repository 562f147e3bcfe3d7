/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a thread or VM owned ends in the kernel, whoever watches: at its exit, before the
 * tid is free for reuse, and when it executes another program. For observer.bpf.c alone.
 */
#include "bpf/count.h"
#include "bpf/news.h"

struct exit_context {
	u32 tid;
};

static int forget_owner(u32 cpu, struct exit_context *context)
{
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);

	if (!counters)
		return 1; /* that was the last CPU */
	if (counters->fast.tid == context->tid)
		counters->fast.tid = 0;
	return 0;
}

static __noinline void end_task(u32 slot, u32 tid)
{
	struct exit_context context = {.tid = tid};
	struct task *task = get_task(slot);

	if (!slot || !task)
		return;
	task->exited = 1;
	if (task->class == 0)
		bpf_loop(ABI_CPUS, forget_owner, &context, 0);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(cpuwarden_exit, struct task_struct *p)
{
	struct identity id = identify(p);
	struct vm_slot *vm;

	if (!id.vm)
		return 0;
	/* What is outstanding, but for this last run. */
	if (id.known && id.known->pending.delay != ABI_UNMARKED)
		flush(id.known, p);
	end_task(id.task, p->pid);
	vm = bpf_map_lookup_elem(&vms, &id.vm);
	/* The last thread of the process: signal->live was already taken down. */
	if (vm && vm->pid == (u32)p->tgid && !p->signal->live.counter)
		vm->ended = 1;
	announce(NEWS_EXIT, id.vm, p);
	return 0;
}

/*
 * The process goes on as another program, and is no VM any more. The thread that asked
 * for it has taken over the leader's tid: its own one is never seen to exit.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(cpuwarden_exec, struct task_struct *p, int old_tid)
{
	struct vm_slot *vm;
	u32 slot, vm_slot;

	if (unlikely(may_be_qemu(p)))
		announce(NEWS_PROGRAM, 0, p);
	if (likely(!filter_has(p->tgid)))
		return 0;
	vm_slot = find_process_vm(p->tgid);
	vm = bpf_map_lookup_elem(&vms, &vm_slot);
	if (!vm_slot || !vm || vm->flags & VM_UNBORN)
		return 0;
	slot = find_slot(p->tgid);
	end_task(slot, p->tgid);
	slot = find_slot(old_tid);
	if (old_tid != p->tgid)
		end_task(slot, old_tid);
	vm->ended = 1;
	announce(NEWS_PROGRAM, vm_slot, p);
	return 0;
}
