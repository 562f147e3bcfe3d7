// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How rules change without a false report. The kernel moves threads at once: after the
 * write that moves them returns, they were never again seen on an old CPU. So a change is
 * made in the order: allow the union of old and new, write, read back, narrow to the new.
 * In the maps the union is not one set but two, `set` and `old_set`, so that a run in the
 * old one can be told from both a right and a wrong one; a CPU that changes hands has
 * CPU_SETTLING instead.
 *
 * BPF reads the maps while they change. What refers to something is therefore written
 * after it and erased before it: VM slot, task, index, filter, CPU rule.
 */
#include "user/observer/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/observer/parts.h"

u32 observer_find_vm(const struct observer *observer, pid_t pid, uint64_t start_time)
{
	for (u32 slot = 1; slot < observer->n_vms; slot++)
		if (observer->vms[slot].pid == (u32)pid &&
			observer->vms[slot].start_ticks == start_time)
			return slot;
	return 0;
}

static u32 free_vm(const struct observer *observer)
{
	for (u32 slot = 1; slot < observer->n_vms; slot++)
		if (!observer->vms[slot].pid)
			return slot;
	return 0;
}

void observer_wait_for_readers(void)
{
	/* Far longer than any run of a program, none of which can be preempted. */
	const struct timespec long_enough = {.tv_nsec = 50000000};

	/* Refused on a host that was booted with nohz_full. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&long_enough, NULL);
}

static void note_change(struct observer *observer)
{
	observer->health->generation++;
	observer->health->rules_changed = clock_now_ns();
}

struct owner {
	u32 vm, vcpu, tid, task; /* as in struct cpu_rule and struct cpu_fast */
};

static const struct owner nobody;

/* Who owns a CPU by these rules: false for nobody of this VM. */
static bool owner_of(const struct observer *observer, const struct rule_vm *vm,
	u32 vm_slot, u32 cpu, struct owner *ret_owner)
{
	if (cpuset_has(&vm->owned, cpu)) {
		*ret_owner = (struct owner){.vm = vm_slot, .vcpu = ABI_NONE};
		return true;
	}
	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct rule_thread *thread = &vm->threads[i];

		if (!thread->owns || !cpuset_has(&thread->set, cpu))
			continue;
		*ret_owner = (struct owner){.vm = vm_slot,
			.vcpu = (u32)thread->index,
			.tid = (u32)thread->tid,
			.task = observer_find_task(observer, thread->tid)};
		return true;
	}
	return false;
}

static void mark_reserved(struct observer *observer, u32 cpu, bool reserved)
{
	volatile u64 *word = &observer->cpu_sets[SET_RESERVED].words[cpu / 64];

	*word = reserved ? *word | UINT64_C(1) << cpu % 64
			 : *word & ~(UINT64_C(1) << cpu % 64);
}

static void write_cpu(
	struct observer *observer, u32 cpu, const struct owner *owner, u32 flags)
{
	volatile struct cpu_rule *rule = &observer->cpu_rules[cpu];
	volatile struct cpu_fast *fast = &observer->cpu_counters[cpu].fast;
	u32 takeover = fast->vm & CPU_TAKEOVER;

	/* While `vm` is 0 the CPU has no rule: no reader sees half of one. */
	fast->vm = takeover;
	rule->vm = 0;
	observer_barrier();
	rule->vcpu = owner->vcpu;
	rule->flags = flags;
	rule->since = clock_now_ns();
	fast->tid = owner->tid;
	fast->task = owner->task;
	observer_barrier();
	rule->vm = owner->vm;
	observer_barrier();
	fast->vm = owner->vm | takeover;
	/* Its exit may have come before it was written here, and is not told twice. */
	observer_barrier();
	if (owner->task && observer->tasks[owner->task].exited)
		fast->tid = 0;
	mark_reserved(observer, cpu, owner->vm);
}

/*
 * A run that is on and wrong by new rules would otherwise count only when it ends. On
 * other VMs' CPUs nobody's class has changed, and they are left alone.
 */
static int look_at_runs(const struct observer *observer, u32 vm_slot)
{
	cleanup_close int look = observer_open_pin(observer->dir, PROG_LOOK);
	struct bpf_test_run_opts opts = {
		.sz = sizeof(opts), .flags = BPF_F_TEST_RUN_ON_CPU};

	if (look < 0)
		return look;
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		u32 owner = observer->cpu_rules[cpu].vm;

		opts.cpu = cpu;
		/* ENXIO: it is offline. */
		if ((!owner || owner == vm_slot) && bpf_prog_test_run_opts(look, &opts) &&
			errno != ENXIO)
			return -errno;
	}
	return 0;
}

static void write_cpus(
	struct observer *observer, const struct rule_vm *vm, u32 vm_slot, bool commit)
{
	struct owner owner;

	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		volatile struct cpu_rule *rule = &observer->cpu_rules[cpu];
		volatile struct cpu_fast *fast = &observer->cpu_counters[cpu].fast;
		bool wanted = owner_of(observer, vm, vm_slot, cpu, &owner);

		if (!wanted && rule->vm == vm_slot)
			write_cpu(observer, cpu, &nobody, 0);
		else if (wanted &&
			 (rule->vm != vm_slot || (fast->vm & ~CPU_TAKEOVER) != vm_slot ||
				 rule->vcpu != owner.vcpu || fast->tid != owner.tid))
			write_cpu(observer, cpu, &owner, commit ? 0 : CPU_SETTLING);
		else if (wanted && commit && rule->flags)
			rule->flags = 0;
	}
}

/* Until when a change that began then excuses anything. */
static uint64_t excuse_end(uint64_t begin)
{
	return begin + SETTLE_SECONDS * UINT64_C(1000000000);
}

static u32 flags_of(const struct rule_vm *vm)
{
	static const u32 guards[] = {
		[GUARD_LOG] = VM_GUARD_LOG, [GUARD_DENY] = VM_GUARD_DENY};

	return (vm->unborn ? VM_UNBORN : 0) | guards[vm->guard] |
	       (vm->libvirt_pins ? VM_LIBVIRT_PINS : 0);
}

static int write_vm(
	struct observer *observer, const struct rule_vm *vm, u32 *ret_slot, bool *used)
{
	u32 slot = observer_find_vm(observer, vm->pid, vm->start_time);
	u32 set = observer_intern_set(observer, used, &vm->set);
	volatile struct vm_slot *to;

	/* It was another program for a while: what it owned has ended. */
	if (slot && observer->vms[slot].ended) {
		observer_forget(observer, vm->pid, vm->start_time);
		slot = 0;
	}
	if (!slot)
		slot = free_vm(observer);
	if (!slot || !set)
		return -ENOSPC;
	to = &observer->vms[slot];
	if (!to->pid) {
		memset((void *)to, 0, sizeof(*to));
		to->old_set = SET_ALL;
		to->start_ticks = vm->start_time;
		to->since = clock_now_ns();
	} else if (to->set != set) {
		to->old_set = to->set;
	}
	/* Somebody took its bit away: since then it was not watched. */
	if (to->pid && !observer_filter_has(observer, to->pid))
		to->since = clock_now_ns();
	memcpy((void *)to->name, vm->name, sizeof(to->name));
	to->flags = flags_of(vm);
	to->set = set;
	to->rules_since = clock_now_ns();
	if (to->committed)
		to->committed_before = to->committed;
	to->committed = 0;
	to->fingerprint = 0;
	to->settle_base = to->settling.count;
	to->settle_until = excuse_end(to->rules_since);
	observer_barrier();
	to->pid = (u32)vm->pid;
	*ret_slot = slot;
	return 0;
}

int observer_begin(
	struct observer *observer, const struct rule_vm *vm, struct problem *problem)
{
	cleanup_free bool *used = observer_sets_in_use(observer);
	u32 slot;
	int r;

	if (!used)
		return problem_nomem(problem);
	r = write_vm(observer, vm, &slot, used);
	for (size_t i = 0; !r && i < vm->n_threads; i++)
		r = observer_write_task(observer, vm, slot, &vm->threads[i], used);
	if (r)
		return problem_set(problem, r,
			"the observer's maps have no room for VM %s", vm->name);
	observer_set_filter(observer);
	observer_barrier();
	write_cpus(observer, vm, slot, false);
	note_change(observer);
	return 0;
}

void observer_loosen(struct observer *observer, bool loose)
{
	for (u32 slot = 1; loose && slot < observer->n_vms; slot++)
		observer->vms[slot].settle_base = observer->vms[slot].settling.count;
	observer->health->loose_until = loose ? excuse_end(clock_now_ns()) : 0;
}

int observer_commit(
	struct observer *observer, const struct rule_vm *vm, struct problem *problem)
{
	u32 slot = observer_find_vm(observer, vm->pid, vm->start_time);
	int r;

	if (!slot)
		return problem_set(
			problem, -ENOENT, "the observer does not know VM %s", vm->name);
	write_cpus(observer, vm, slot, true);
	for (u32 i = 1; i < observer->n_tasks; i++) {
		volatile struct task *task = &observer->tasks[i];

		if (!task->tid || task->vm != slot)
			continue;
		if (rule_vm_lists(vm, (pid_t)task->tid, task->start_ticks))
			task->old_set = SET_NONE;
		else
			observer_unindex_task(observer, i);
	}
	observer_wait_for_readers();
	observer_erase_unindexed(observer, slot);
	observer->vms[slot].old_set = SET_NONE;
	observer->vms[slot].settle_until = 0;
	observer->vms[slot].committed = clock_now_ns();
	note_change(observer);
	r = look_at_runs(observer, slot);
	return r ? problem_set(problem, r, "the observer cannot look at who runs: %s",
			   strerror(-r))
		 : 0;
}

uint64_t observer_fingerprint(
	const struct observer *observer, pid_t pid, uint64_t start_time)
{
	/* Slot 0 stays empty. */
	return observer->vms[observer_find_vm(observer, pid, start_time)].fingerprint;
}

void observer_note_placed(struct observer *observer, pid_t pid, uint64_t start_time,
	uint64_t fingerprint, bool repaired)
{
	u32 slot = observer_find_vm(observer, pid, start_time);
	volatile struct vm_slot *vm = &observer->vms[slot];

	if (!slot)
		return;
	vm->fingerprint = fingerprint;
	if (!repaired)
		return;
	vm->repaired_since = vm->committed_before;
	vm->repaired = clock_now_ns();
}

int observer_forget(struct observer *observer, pid_t pid, uint64_t start_time)
{
	u32 slot = observer_find_vm(observer, pid, start_time);

	if (!slot)
		return 0;
	observer->vms[slot].ended = 1;
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		if (observer->cpu_rules[cpu].vm == slot) {
			write_cpu(observer, cpu, &nobody, 0);
		}
		/* The slot will be another's: what happened stays, without the name. */
		if (observer->cpu_runs[cpu].last.vm == slot)
			observer->cpu_runs[cpu].last.vm = 0;
		if (observer->cpu_runs[cpu].vm == slot)
			observer->cpu_runs[cpu].vm = 0;
	}
	for (u32 i = 1; i < observer->n_tasks; i++)
		if (observer->tasks[i].tid && observer->tasks[i].vm == slot)
			observer_unindex_task(observer, i);
	observer_wait_for_readers();
	observer_erase_unindexed(observer, slot);
	observer_forget_culprits(observer, slot);
	observer_set_filter(observer);
	observer_forget_groups(observer, slot);
	observer_forget_drift(observer, slot);
	memset((void *)&observer->vms[slot], 0, sizeof(observer->vms[slot]));
	note_change(observer);
	return 0;
}
