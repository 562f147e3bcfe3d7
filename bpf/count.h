/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a run leaves behind when it ends: figures of its thread, counts of its class, an
 * event. For observer.bpf.c alone. */
#include "bpf/classify.h"

static __always_inline u32 wait_bucket(u64 ns)
{
	u64 units = ns >> 10;
	u32 bucket = 0;

	if (!units)
		return 0;
	if (units >> (ABI_WAIT_BUCKETS - 2))
		return ABI_WAIT_BUCKETS - 1;
	if (units >> 8) {
		units >>= 8;
		bucket += 8;
	}
	if (units >> 4) {
		units >>= 4;
		bucket += 4;
	}
	if (units >> 2) {
		units >>= 2;
		bucket += 2;
	}
	return bucket + 1 + (u32)(units >> 1);
}

static __noinline void flush(struct task *task, struct task_struct *p)
{
	struct task_counters *to = bpf_map_lookup_elem(&task_counters, &task->tid);
	struct task_pending *pending = &task->pending;
	u64 run = p->se.sum_exec_runtime, switches = 0;

#pragma unroll
	for (int i = 0; i < ABI_WAIT_BUCKETS; i++) {
		switches += pending->waits[i];
		if (to)
			to->waits[i] += pending->waits[i];
		pending->waits[i] = 0;
	}
	if (!to) {
		struct health *h = get_health();

		if (h) {
			__sync_fetch_and_add(&h->unwritten, switches);
			h->unwritten_time = bpf_ktime_get_ns();
		}
		return;
	}
	to->switches += switches;
	to->run_ns += run - pending->run_mark;
	to->wait_ns += pending->delay - pending->delay_mark;
	pending->run_mark = run;
	pending->delay_mark = pending->delay;
}

/* Adds a run by the bucket of its wait; `delay` is the thread's run_delay at its end. */
static __always_inline void add_run(
	struct task *task, struct task_struct *p, u64 delay, u64 bucket)
{
	task->pending.delay = delay;
	if (unlikely(++task->pending.waits[bucket % ABI_WAIT_BUCKETS] >= ABI_FLUSH))
		flush(task, p);
}

static __noinline void add_rare_run(struct task *task, struct task_struct *p)
{
	u64 delay = p->sched_info.run_delay;

	if (task->pending.delay != ABI_UNMARKED) {
		add_run(task, p, delay, wait_bucket(delay - task->pending.delay));
		return;
	}
	/* From this switch-out on the thread's figures are known. */
	task->pending.run_mark = p->se.sum_exec_runtime;
	task->pending.delay_mark = delay;
	task->pending.delay = delay;
}

/* A known thread's own figures, whatever the class of the run. Needs no clock: the kernel
 * keeps them. */
static __always_inline void account_task(struct task *task, struct task_struct *p)
{
	u64 delay = p->sched_info.run_delay, wait = delay - task->pending.delay;

	/*
	 * Almost all. By branches, which the CPU foretells: so what counts is fetched
	 * without waiting for how long the wait was.
	 */
	if (wait < 1024)
		add_run(task, p, delay, 0);
	else if (wait < 2048)
		add_run(task, p, delay, 1);
	else if (likely(wait < 4096))
		add_run(task, p, delay, 2);
	else
		add_rare_run(task, p);
}

/* Of one whose slot is not at hand. */
static __noinline void account_tid(struct task_struct *p)
{
	struct task *task = get_task(find_slot(p->pid));

	if (task && task->tid == (u32)p->pid && p->pid)
		account_task(task, p);
}

static __always_inline void count_here(struct count *count, u64 ns)
{
	count->count++;
	count->ns += ns;
}

static __always_inline void count_shared(struct count *count, u64 ns)
{
	__sync_fetch_and_add(&count->count, 1);
	__sync_fetch_and_add(&count->ns, ns);
}

/* All but when and how long. */
static __always_inline void describe(
	struct event *event, const struct cpu_run *run, const struct who *who, u32 cpu)
{
	struct health *h = get_health();

	event->cgroup = who->cgroup;
	event->generation = h ? h->generation : 0;
	event->class = run->class;
	event->cause = run->cause;
	event->cpu = cpu;
	event->vm = run->vm;
	event->vcpu = run->vcpu;
	event->tid = who->tid;
	event->tgid = who->tgid;
	__builtin_memcpy(event->comm, who->comm, ABI_COMM);
}

/*
 * Who ran instead: all but when and how long. A name of many that the map has no room for
 * is one of the rest.
 */
static __noinline struct culprit_runs *find_culprit(
	const struct cpu_run *run, const struct who *who, u32 cpu)
{
	struct culprit_key key = {.vm = run->vm, .class = run->class};
	struct culprit_runs first = {}, *to;
	bool more = true;

	if (run->class == RUN_FOREIGN)
		key.cause = run->cause;
	/* Of a kernel thread of each CPU one name is enough: without the CPU. */
	for (u32 i = 0; i < ABI_COMM; i++) {
		more &= run->class != RUN_BOUND_KTHREAD || who->comm[i] != '/';
		key.comm[i] = more ? who->comm[i] : 0;
	}
	to = bpf_map_lookup_elem(&culprits, &key);
	if (!to) {
		bpf_map_update_elem(&culprits, &key, &first, BPF_NOEXIST);
		to = bpf_map_lookup_elem(&culprits, &key);
	}
	if (!to) {
		struct culprit_key rest = {.cause = CAUSES};
		struct health *h = get_health();

		if (h)
			__sync_fetch_and_add(&h->culprits_full, 1);
		to = bpf_map_lookup_elem(&culprits, &rest);
	}
	if (!to)
		return NULL;
	to->cgroup = who->cgroup;
	to->tid = who->tid;
	to->tgid = who->tgid;
	to->cpu = cpu;
	return to;
}

static __always_inline void count_culprit(
	struct culprit_runs *culprit, const struct cpu_run *run, u64 ns)
{
	if (!culprit)
		return;
	count_shared(&culprit->runs, ns);
	culprit->time = run->end;
}

static __always_inline void count_lost_event(void)
{
	struct health *h = get_health();

	if (h)
		__sync_fetch_and_add(&h->events_lost, 1);
}

/* When the run ends and, returned, how long it was. */
static __always_inline u64 stamp(struct cpu_run *run, const struct cpu_counters *counters)
{
	run->end = bpf_ktime_get_ns();
	run->end_switch = (u32)counters->switches;
	return run->end > run->start ? run->end - run->start : 0;
}

/*
 * A violation. The clock is read as late at a run's end as at its beginning, after the
 * looking up: what the observer itself takes is then no part of the length.
 */
static __noinline void count_violation(struct cpu_run *run, struct task_struct *p,
	u32 cpu, struct cpu_counters *counters)
{
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &run->vm);
	u32 tid = run->tid, cause = run->cause % CAUSES;
	struct task_counters *task = NULL;
	struct culprit_runs *culprit;
	struct event *event;
	struct who who;
	u64 ns;

	if (run->class == RUN_OFF_SET && run->task)
		task = bpf_map_lookup_elem(&task_counters, &tid);
	describe_task(&who, p);
	culprit = find_culprit(run, &who, cpu);
	describe(&run->last, run, &who, cpu);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	ns = stamp(run, counters);
	run->last.time = run->end;
	run->last.ns = ns;
	if (event) {
		*event = run->last;
		bpf_ringbuf_submit(event, 0);
	} else {
		count_lost_event();
	}
	count_culprit(culprit, run, ns);
	if (run->class == RUN_FOREIGN) {
		count_here(&counters->foreign[cause], ns);
		if (vm)
			count_shared(&vm->foreign[cause], ns);
		return;
	}
	count_here(&counters->off_set, ns);
	if (vm)
		count_shared(&vm->off_set, ns);
	if (task)
		count_here(&task->off_set, ns);
}

/* Adds a run that has an end to the counters of its class. */
static __noinline void count_run(struct cpu_run *run, struct task_struct *p, u32 cpu)
{
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);
	struct culprit_runs *culprit = NULL;
	struct vm_slot *vm;
	struct who who;
	u64 ns;

	if (!counters)
		return;
	if (run->class != RUN_BOUND_KTHREAD && !run->settling) {
		count_violation(run, p, cpu, counters);
		return;
	}
	if (run->class == RUN_BOUND_KTHREAD) {
		describe_task(&who, p);
		culprit = find_culprit(run, &who, cpu);
	}
	ns = stamp(run, counters);
	if (run->class == RUN_BOUND_KTHREAD) {
		count_here(&counters->bound_kthread, ns);
		count_culprit(culprit, run, ns);
		return;
	}
	vm = bpf_map_lookup_elem(&vms, &run->vm);
	count_here(&counters->settling, ns);
	if (vm)
		count_shared(&vm->settling, ns);
}

static __always_inline bool is_excused(
	const struct vm_slot *vm, const struct cpu_run *run, u64 now)
{
	struct health *h = get_health();

	return vm && abi_excuses(vm, run, h ? h->loose_until : 0, now);
}

/* Is a change that excused the run when it began still being made, or did it do away with
 * the fault? */
static __always_inline void settle(struct cpu_run *run, struct task_struct *p, u32 cpu)
{
	u32 class = run->class, cause = run->cause, vm_slot = run->vm, vcpu = run->vcpu;
	u32 task = run->task;
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &vm_slot);

	if (is_excused(vm, run, bpf_ktime_get_ns()))
		return;
	classify(run, p, cpu);
	run->settling = run->class != RUN_OFF_SET && run->class != RUN_FOREIGN;
	run->class = class;
	run->cause = cause;
	run->vm = vm_slot;
	run->vcpu = vcpu;
	run->task = task;
}

static __noinline void end_disorder(struct cpu_run *run, struct task_struct *p, u32 cpu)
{
	if (run->settling)
		settle(run, p, cpu);
	count_run(run, p, cpu);
}

/* A run that ends on a reserved CPU without a class began before the rule: it counts from
 * there. */
static __noinline void end_early_run(struct cpu_counters *here, struct task_struct *p)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_run *run = bpf_map_lookup_elem(&cpu_runs, &cpu);
	struct cpu_rule *rule = bpf_map_lookup_elem(&cpu_rules, &cpu);

	if (!run || !rule || !is_reserved(here->fast.vm) || !p->pid)
		return;
	classify(run, p, cpu);
	if (run->class > RUN_IN_ORDER) {
		run->tid = p->pid;
		run->start = rule->since;
		if (run->settling)
			settle(run, p, cpu);
		count_run(run, p, cpu);
	}
	run->class = RUN_NONE;
}

/*
 * Idle has no run that is noted: this one's end was not seen, for its CPU went offline
 * under it. The last to run there is the kernel's own stopper; how long it did is not
 * known.
 */
static __noinline void end_unseen_run(struct cpu_run *run, u32 cpu)
{
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);

	if (counters && run->class == RUN_BOUND_KTHREAD)
		counters->bound_kthread.count++;
	run->class = RUN_NONE;
}

static __noinline void end_noted_run(struct task_struct *p)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_run *run = bpf_map_lookup_elem(&cpu_runs, &cpu);

	if (!run)
		return;
	if (unlikely(!p->pid)) {
		end_unseen_run(run, cpu);
		return;
	}
	if (run->task)
		account_tid(p);
	if (unlikely(run->class > RUN_IN_ORDER))
		end_disorder(run, p, cpu);
	run->class = RUN_NONE;
}

/* Of whoever is not known to be where he may be. */
static __always_inline void end_run(struct cpu_counters *here, struct task_struct *p)
{
	if (here->fast.on == ON_RUN)
		end_noted_run(p);
	else if ((u32)p->pid != here->fast.tid)
		end_early_run(here, p);
}
