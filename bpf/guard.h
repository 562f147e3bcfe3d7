/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The lock: who else than the controller binds or moves a VM's threads is noted and, if
 * the VM's flags say so, refused. For observer.bpf.c alone.
 *
 * The kernel asks at three occasions: sched_setaffinity(), a move to a group with other
 * CPUs or memory nodes, and a change of priorities (sched_setscheduler() and its like),
 * which is none of our business. It does not say which; the system call's number does. A
 * 32-bit one, whose numbers are others, counts as a move: it is refused, and only its
 * name is wrong.
 *
 * The kernel itself is not asked when it moves threads off a CPU that goes away. What it
 * does not ask about at all is a write to cpuset.cpus.
 */
#include <linux/errno.h>

#include "bpf/drift.h"

/* For so long libvirt may place a thread that it has made. */
#define YOUNG_NS (60 * 1000000000ULL)

/* What is being done to a VM's thread; DRIFT_NONE: nothing that we guard. */
static __always_inline u32 kind_of_call(void)
{
	struct pt_regs *regs =
		(struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	switch (SYSCALL_OF(regs)) {
	case SETPARAM:
	case SETSCHEDULER:
	case SETATTR:
		return DRIFT_NONE;
	case SETAFFINITY:
		return DRIFT_AFFINITY;
	}
	return DRIFT_MOVE;
}

static __noinline bool is_libvirt(void)
{
	u32 zero = 0;
	struct controllers *known = bpf_map_lookup_elem(&controllers, &zero);
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct inode *inode;

	/* Its file alone says nothing: anybody may run that, and load into it what he
	 * likes. */
	if (!known || !mm || !mm->exe_file || (u32)bpf_get_current_uid_gid())
		return false;
	inode = mm->exe_file->f_inode;
	if (!inode)
		return false;
#pragma unroll
	for (int i = 0; i < ABI_EXES; i++)
		if (known->libvirt[i].inode && known->libvirt[i].inode == inode->i_ino &&
			known->libvirt[i].device == inode->i_sb->s_dev)
			return true;
	return false;
}

static __always_inline bool is_young(struct task_struct *p)
{
	return bpf_ktime_get_boot_ns() - p->start_boottime < YOUNG_NS;
}

/*
 * libvirt gives the threads that it has just made their places, whoever owns the pins
 * then: those that are not known yet, and those that became known before it came to that.
 */
static __always_inline bool may_touch(
	const struct vm_slot *vm, const struct task *known, struct task_struct *p)
{
	if (bpf_get_current_task_btf()->flags & PF_KTHREAD || is_controller())
		return true;
	return (vm->flags & VM_LIBVIRT_PINS || !known || is_young(p)) && is_libvirt();
}

/* Whoever tries again and again is told of once a second. */
static __always_inline void announce_refusal(u32 slot, u64 now)
{
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &slot);

	if (!vm || now - vm->refused < 1000000000ULL)
		return;
	vm->refused = now;
	announce(NEWS_DRIFT, slot, bpf_get_current_task_btf());
}

static __noinline void note_guarded(
	struct task_struct *p, u32 vm, u32 kind, u32 guarded, s32 result)
{
	struct drift *drift;
	u64 number;

	drift = next_drift(false, &number);
	if (!drift)
		return;
	__builtin_memset(drift, 0, sizeof(*drift));
	drift->time = bpf_ktime_get_ns();
	drift->kind = kind;
	drift->result = result;
	drift->guarded = guarded;
	drift->vm = vm;
	describe_current(&drift->by);
	describe_task(&drift->target, p);
	drift->group = drift->target.cgroup;
	barrier();
	drift->number = number;
	announce_refusal(vm, drift->time);
}

/*
 * A change that somebody has begun and that is not refused is noted when it ends. One
 * that is refused has no end.
 */
static __always_inline void tell(
	struct task_struct *p, u32 vm, u32 kind, u32 guarded, s32 result)
{
	struct drift *change = find_change(kind);

	if (change && !result) {
		change->guarded = guarded;
		return;
	}
	if (change)
		forget_change();
	note_guarded(p, vm, kind, guarded, result);
}

SEC("lsm/task_setscheduler")
int BPF_PROG(cpuwarden_guard, struct task_struct *p, int ret)
{
	struct identity id;
	struct vm_slot *vm;
	u32 flags, kind;
	s32 result;

	if (ret || likely(!filter_has(p->tgid)))
		return ret;
	id = identify_candidate(p);
	vm = bpf_map_lookup_elem(&vms, &id.vm);
	if (!id.vm || !vm || vm->ended)
		return 0;
	flags = vm->flags & (VM_GUARD_LOG | VM_GUARD_DENY);
	if (!flags)
		return 0;
	kind = kind_of_call();
	if (kind == DRIFT_NONE || may_touch(vm, id.known, p))
		return 0;
	result = flags & VM_GUARD_DENY ? -EPERM : 0;
	tell(p, id.vm, kind, flags, result);
	return result;
}
