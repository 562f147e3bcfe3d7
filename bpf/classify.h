/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Whose task is it, and may it be here? For observer.bpf.c alone. */
#include "bpf/maps.h"

enum { NS_A_TICK = 10000000 }; /* of /proc/PID/stat: USER_HZ is 100 everywhere */

/* Each of its fields is read by an instruction, which takes a tenth of the time of a
 * helper's call: TASK_COMM_LEN is two words. */
static __always_inline void copy_comm(char comm[ABI_COMM], struct task_struct *p)
{
	((u64 *)comm)[0] = ((u64 *)p->comm)[0];
	((u64 *)comm)[1] = ((u64 *)p->comm)[1];
}

static __always_inline void describe_task(struct who *who, struct task_struct *p)
{
	who->tid = p->pid;
	who->tgid = p->tgid;
	who->cgroup = p->cgroups->dfl_cgrp->kn->id;
	copy_comm(who->comm, p);
}

/* What is known of a running task: its slot in tasks (0: not known itself), and its VM
 * (0: none). */
struct identity {
	u32 task;
	u32 vm;
	struct task *known; /* tasks[task], or NULL */
};

/* The VM slot of a process, or 0. One of a VM that has ended is another process with the
 * same number. */
static __noinline u32 find_process_vm(u32 tgid)
{
	u32 slot = find_slot(tgid), vm_slot;
	struct task *task = get_task(slot);
	struct vm_slot *vm;

	if (!slot || !task || task->tgid != tgid)
		return 0;
	vm_slot = task->vm;
	vm = bpf_map_lookup_elem(&vms, &vm_slot);
	return vm && !vm->ended ? vm_slot : 0;
}

/* Of a thread that has exited: its last breath, or another one with its number? */
static __noinline bool is_last_breath(const struct task *task, struct task_struct *p)
{
	return p->flags & PF_EXITING &&
	       p->start_boottime / NS_A_TICK == task->start_ticks;
}

/* Of a process that filter_has(). */
static __always_inline struct identity identify_candidate(struct task_struct *p)
{
	struct identity id = {};
	u32 slot = find_slot(p->pid);
	struct task *task = get_task(slot);

	if (slot && task && task->tgid == (u32)p->tgid &&
		(!task->exited || is_last_breath(task, p))) {
		id.task = slot;
		id.vm = task->vm;
		id.known = task;
		return id;
	}
	/* A thread that user space has not met yet is known by its process. */
	id.vm = find_process_vm(p->tgid);
	return id;
}

static __always_inline struct identity identify(struct task_struct *p)
{
	struct identity nobody = {};

	return filter_has(p->tgid) ? identify_candidate(p) : nobody;
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *node)
{
	if (bpf_core_field_exists(node->parent))
		return BPF_CORE_READ(node, parent);
	return BPF_CORE_READ((struct kernfs_node___rcu *)node, __parent);
}

/* Is it young, and in a group that nobody knows yet, just below one of its VM's? */
static __noinline bool is_arriving(struct task_struct *p, u32 vm)
{
	struct kernfs_node *node = p->cgroups->dfl_cgrp->kn;
	u64 id = BPF_CORE_READ(node, id);
	struct group_rule *rule;

	if (bpf_ktime_get_boot_ns() - p->start_boottime > ABI_ARRIVAL_S * 1000000000ULL ||
		bpf_map_lookup_elem(&groups, &id))
		return false;
	id = BPF_CORE_READ(parent_of(node), id);
	rule = bpf_map_lookup_elem(&groups, &id);
	return rule && rule->vm == vm;
}

/* Is a change being made before which the CPU was in the set? */
static __noinline bool is_settling(const struct vm_slot *vm, u32 old_set, u32 cpu)
{
	return vm->settle_until && set_has(old_set, cpu);
}

/* The class of a VM's thread on a CPU that is not foreign to it. */
static __always_inline void classify_thread(struct cpu_run *run, struct task_struct *p,
	u32 cpu, struct vm_slot *vm, const struct identity *id)
{
	const struct task *task = id->known;

	run->class = RUN_IN_ORDER;
	if (set_has(task ? task->set : vm->set, cpu))
		return;
	run->class = RUN_OFF_SET;
	run->settling = is_settling(vm, task ? task->old_set : vm->old_set, cpu);
	if (!task && !run->settling && is_arriving(p, id->vm))
		run->settling = SETTLING_ARRIVAL;
}

static __always_inline bool are_kthreads_loose(void)
{
	struct health *h = get_health();

	return h && h->loose_until;
}

/* Unrolled, so that `with` becomes numbers in the code: clang 14 gets the places of
 * several strings wrong. */
static __always_inline bool has_beginning(const char *comm, const char *with, u32 n)
{
	bool has = true;

#pragma unroll
	for (u32 i = 0; i < ABI_COMM; i++)
		if (i < n)
			has &= comm[i] == with[i];
	return has;
}

/*
 * Can the kernel thread run nowhere else? Neither the flag nor the number alone would do:
 * unbound workqueues' threads (kworker/uN:M) have the flag, and as few CPUs as their mask
 * leaves them; a cpuset of one CPU narrows any thread. A worker has its name before
 * PF_WQ_WORKER, which it sets in its first run.
 */
static __noinline bool is_bound(struct task_struct *p)
{
	char comm[ABI_COMM] __attribute__((aligned(8)));

	if (p->nr_cpus_allowed != 1 || !(p->flags & PF_NO_SETAFFINITY))
		return false;
	copy_comm(comm, p);
	return !has_beginning(comm, "kworker/u", 9);
}

/* Before 6.4 vhost's workers are kernel threads, `vhost-PID` of their VM's process, and
 * in its group. The VM, or 0. */
static __noinline u32 find_vhost_vm(struct task_struct *p)
{
	char comm[ABI_COMM] __attribute__((aligned(8)));
	u32 pid = 0;

	copy_comm(comm, p);
	if (!has_beginning(comm, "vhost-", 6))
		return 0;
	for (u32 i = 6; i < ABI_COMM && comm[i] >= '0' && comm[i] <= '9'; i++)
		pid = 10 * pid + (u32)(comm[i] - '0');
	return find_process_vm(pid);
}

/*
 * The rule is read once: user space makes `vm` 0 before it changes the rest, so one whose
 * vm is the same before and after was whole.
 */
static __always_inline void classify_reserved(struct cpu_run *run, struct task_struct *p,
	u32 cpu, const volatile struct cpu_rule *rule)
{
	u32 vm = rule->vm, vcpu = rule->vcpu, flags = rule->flags;
	struct vm_slot *owner;
	struct identity id;

	barrier();
	if (!vm || vm != rule->vm)
		return;
	owner = bpf_map_lookup_elem(&vms, &vm);
	if (!owner || owner->ended)
		return;
	id = identify(p);
	if (p->flags & PF_KTHREAD)
		id.vm = find_vhost_vm(p);
	run->task = id.task;
	run->vm = vm;
	run->vcpu = vcpu;
	run->settling = (flags & CPU_SETTLING) && owner->settle_until;
	if (id.vm == vm && vcpu == ABI_NONE) {
		classify_thread(run, p, cpu, owner, &id);
		return;
	}
	if (id.vm == vm) {
		if (id.known && id.known->class == 0 && id.known->index == vcpu) {
			run->class = RUN_IN_ORDER; /* the owner, exiting */
			return;
		}
		run->cause = CAUSE_OWN_VM;
	} else if (id.vm) {
		run->cause = CAUSE_OTHER_VM;
	} else if (p->flags & PF_KTHREAD) {
		if (is_bound(p)) {
			run->class = RUN_BOUND_KTHREAD;
			run->settling = 0;
			return;
		}
		run->cause = CAUSE_KTHREAD;
		run->settling |= are_kthreads_loose();
	} else {
		run->cause = CAUSE_USER;
	}
	run->class = RUN_FOREIGN;
}

static __always_inline void classify_unreserved(
	struct cpu_run *run, struct task_struct *p, u32 cpu)
{
	struct identity id = identify_candidate(p);
	struct vm_slot *vm;

	if (!id.vm)
		return;
	vm = bpf_map_lookup_elem(&vms, &id.vm);
	if (!vm || vm->ended)
		return;
	run->task = id.task;
	run->vm = id.vm;
	run->vcpu = ABI_NONE;
	classify_thread(run, p, cpu, vm, &id);
}

/* Gives the run of p on this CPU its class by the rules as they are now. */
static __noinline void classify(struct cpu_run *run, struct task_struct *p, u32 cpu)
{
	struct cpu_rule *rule = bpf_map_lookup_elem(&cpu_rules, &cpu);

	run->class = RUN_NONE;
	run->task = 0;
	run->settling = 0;
	if (rule && rule->vm)
		classify_reserved(run, p, cpu, rule);
	else if (filter_has(p->tgid))
		classify_unreserved(run, p, cpu);
}
