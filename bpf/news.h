/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What may call for the controller, told to whoever waits at the ring buffer `news`: a
 * process that may be a VM, births, names and ends of VMs' threads, drift. With nobody
 * there the ring fills, and then each costs no more than the try. For observer.bpf.c
 * alone.
 */
#include "bpf/classify.h"

static __noinline void announce(u32 kind, u32 vm, struct task_struct *p)
{
	struct news *one = bpf_ringbuf_reserve(&news, sizeof(*one), 0);
	struct health *h;

	if (!one) {
		h = get_health();
		if (h)
			__sync_fetch_and_add(&h->news_lost, 1);
		return;
	}
	one->time = bpf_ktime_get_ns();
	one->kind = kind;
	one->vm = vm;
	one->tid = p->pid;
	one->tgid = p->tgid;
	copy_comm(one->comm, p);
	bpf_ringbuf_submit(one, 0);
}

/* As user/host/qemu.c has it, cut to what a comm holds. */
static __always_inline bool may_be_qemu(struct task_struct *p)
{
	char comm[ABI_COMM] __attribute__((aligned(8)));

	copy_comm(comm, p);
	return has_beginning(comm, "qemu-", 5) ||
	       has_beginning(comm, "kvm", sizeof("kvm"));
}

static __always_inline void announce_thread(u32 kind, struct task_struct *p)
{
	u32 vm;

	if (likely(!filter_has(p->tgid)))
		return;
	vm = find_process_vm(p->tgid);
	if (vm)
		announce(kind, vm, p);
}

/* Before it runs for the first time. */
SEC("tp_btf/task_newtask")
int BPF_PROG(cpuwarden_born, struct task_struct *p)
{
	announce_thread(NEWS_BORN, p);
	return 0;
}

/* The tracepoint comes before the name is in the task: it is only said that there is one.
 */
SEC("tp_btf/task_rename")
int BPF_PROG(cpuwarden_named, struct task_struct *p)
{
	announce_thread(NEWS_NAMED, p);
	return 0;
}
