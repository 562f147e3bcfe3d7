// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The observer: looks at every context switch and counts each run (switch-in to
 * switch-out) that matters once, in one class.
 *
 * A run gets its class when the task is switched in and is counted when it is switched
 * out, on the same CPU; cpu_runs[CPU] carries it in between. What almost every switch
 * takes is short: the CPU's rule from a flat array, one compare. On an unreserved CPU one
 * bit tells whether the process could be a VM. Only once something is wrong come the
 * clock, hashes and the ring buffer. Nothing is allocated here.
 *
 * On a reserved CPU whoever is not the owner is `foreign`. A tracked thread outside its
 * set on any other CPU is `off_set`. While user space changes something, a run that the
 * change explains is `settling`: its VM has settle_until set, which bounds the excuse
 * even if user space is killed. Such a run is looked at again when it ends, and is a
 * violation if it has outlived the change.
 *
 * A run that began before its CPU got its rule has no class when it ends. It gets one
 * then, and counts from the time of the rule.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "bpf/abi.h"
#include "bpf/types.h"

char LICENSE[] SEC("license") = "GPL";

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Buckets of task_index less one (a power of two less one); set before load. */
const volatile u32 index_mask = 0;

/* User space sizes them before load, but for health. */
#define FLAT_MAP(map, value_type)                  \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, u32);                  \
		__type(value, value_type);         \
	} map SEC(".maps")

FLAT_MAP(cpu_rules, struct cpu_rule);
FLAT_MAP(cpu_counters, struct cpu_counters);
FLAT_MAP(cpu_runs, struct cpu_run);
FLAT_MAP(cpu_sets, struct cpu_set_words);
FLAT_MAP(tasks, struct task);
FLAT_MAP(task_index, struct task_bucket);
FLAT_MAP(tgid_filter, u64);
FLAT_MAP(vms, struct vm_slot);
FLAT_MAP(health, struct health);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct task_counters);
} task_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

static __always_inline struct health *get_health(void)
{
	u32 key = 0;

	return bpf_map_lookup_elem(&health, &key);
}

/* May the process be a VM? One bit, shared by tgids that are 65,536 apart. */
static __always_inline bool filter_has(u32 tgid)
{
	u32 key = tgid / 64 % ABI_FILTER_WORDS;
	u64 *word = bpf_map_lookup_elem(&tgid_filter, &key);

	return word && (*word >> (tgid % 64) & 1);
}

static __always_inline bool set_has(u32 set, u32 cpu)
{
	struct cpu_set_words *words = bpf_map_lookup_elem(&cpu_sets, &set);

	return words && (words->words[cpu / 64 % (ABI_CPUS / 64)] >> (cpu % 64) & 1);
}

/* The slot of a tid in tasks, or 0. */
static __always_inline u32 find_slot(u32 tid)
{
	u32 key = tid & index_mask;
	struct task_bucket *bucket = bpf_map_lookup_elem(&task_index, &key);

	if (!bucket)
		return 0;
#pragma unroll
	for (int i = 0; i < ABI_BUCKET; i++)
		if (bucket->entries[i].tid == tid)
			return bucket->entries[i].task;
	return 0;
}

/* What is known of a running task: its slot in tasks (0: not known itself), and its VM
 * (0: none). */
struct identity {
	u32 task;
	u32 vm;
	struct task *known; /* tasks[task], or NULL */
};

/* The VM slot of a process, or 0. */
static __noinline u32 find_process_vm(u32 tgid)
{
	u32 slot = find_slot(tgid);
	struct task *task = bpf_map_lookup_elem(&tasks, &slot);

	return slot && task && task->tgid == tgid ? task->vm : 0;
}

/* Of a process that filter_has(). */
static __always_inline struct identity identify_candidate(struct task_struct *p)
{
	struct identity id = {};
	u32 slot = find_slot(p->pid);
	struct task *task = bpf_map_lookup_elem(&tasks, &slot);

	/* A thread of that tid that has exited is another one, unless this is its last
	 * breath. */
	if (slot && task && task->tgid == (u32)p->tgid &&
		(!task->exited || p->flags & PF_EXITING)) {
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

/* Is a change being made before which the CPU was in the set? */
static __noinline bool is_settling(const struct vm_slot *vm, u32 old_set, u32 cpu)
{
	return vm->settle_until && set_has(old_set, cpu);
}

/* The class of a VM's thread on a CPU that is not foreign to it. task may be NULL. */
static __always_inline void classify_thread(
	struct cpu_run *run, u32 cpu, struct vm_slot *vm, const struct task *task)
{
	run->class = RUN_IN_ORDER;
	if (set_has(task ? task->set : vm->set, cpu))
		return;
	run->class = RUN_OFF_SET;
	run->settling = is_settling(vm, task ? task->old_set : vm->old_set, cpu);
}

static __always_inline bool are_kthreads_loose(void)
{
	struct health *h = get_health();

	return h && h->loose_until;
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
	run->task = id.task;
	run->vm = vm;
	run->vcpu = vcpu;
	run->settling = (flags & CPU_SETTLING) && owner->settle_until;
	if (id.vm == vm && vcpu == ABI_NONE) {
		classify_thread(run, cpu, owner, id.known);
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
		/* Neither alone would do: unbound workqueue threads have the flag, and a
		 * cpuset of one CPU narrows any thread. */
		if (p->nr_cpus_allowed == 1 && p->flags & PF_NO_SETAFFINITY) {
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
	classify_thread(run, cpu, vm, id.known);
}

/* Gives the run of p on this CPU its class by the rules as they are now. */
static __noinline void classify(
	struct cpu_run *run, struct task_struct *p, u32 cpu, const struct cpu_rule *rule)
{
	run->class = RUN_NONE;
	run->task = 0;
	run->settling = 0;
	if (rule->vm)
		classify_reserved(run, p, cpu, rule);
	else if (filter_has(p->tgid))
		classify_unreserved(run, p, cpu);
}

static __always_inline void note_start(struct cpu_run *run, struct task_struct *p)
{
	run->tid = p->pid;
	run->run_before = p->se.sum_exec_runtime;
	/* The scheduler adds this run's wait only after this tracepoint. */
	run->wait_before = p->sched_info.run_delay;
}

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

static __noinline void flush(struct task *task)
{
	struct task_counters *to = bpf_map_lookup_elem(&task_counters, &task->tid);
	struct task_pending *pending = &task->pending;

	if (!to) {
		struct health *h = get_health();

		if (h)
			__sync_fetch_and_add(&h->unwritten, pending->switches);
		pending->switches = 0;
		return;
	}
	to->switches += pending->switches;
	to->run_ns += pending->run_ns;
	to->wait_ns += pending->wait_ns;
#pragma unroll
	for (int i = 0; i < ABI_WAIT_BUCKETS; i++) {
		to->waits[i] += pending->waits[i];
		pending->waits[i] = 0;
	}
	pending->switches = 0;
	pending->run_ns = 0;
	pending->wait_ns = 0;
}

/* A known thread's own figures, whatever the class of the run. Needs no clock: the kernel
 * keeps them. */
static __always_inline void account_thread(
	const struct cpu_run *run, struct task_struct *p)
{
	struct task *task = bpf_map_lookup_elem(&tasks, &run->task);
	u64 wait;

	if (!task || task->tid != run->tid)
		return;
	wait = p->sched_info.run_delay - run->wait_before;
	task->pending.switches++;
	task->pending.run_ns += p->se.sum_exec_runtime - run->run_before;
	task->pending.wait_ns += wait;
	task->pending.waits[wait_bucket(wait) % ABI_WAIT_BUCKETS]++;
	if (unlikely(task->pending.switches >= ABI_FLUSH || p->flags & PF_EXITING))
		flush(task);
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

/* Who it was, all but when and how long. */
static __always_inline void describe(
	struct event *event, const struct cpu_run *run, struct task_struct *p, u32 cpu)
{
	struct health *h = get_health();

	event->cgroup = BPF_CORE_READ(p, cgroups, dfl_cgrp, kn, id);
	event->generation = h ? h->generation : 0;
	event->class = run->class;
	event->cause = run->cause;
	event->cpu = cpu;
	event->vm = run->vm;
	event->vcpu = run->vcpu;
	event->tid = p->pid;
	event->tgid = p->tgid;
	bpf_core_read_str(event->comm, sizeof(event->comm), &p->comm);
}

static __always_inline void count_lost_event(void)
{
	struct health *h = get_health();

	if (h)
		__sync_fetch_and_add(&h->events_lost, 1);
}

/* When the violation ended and, returned too, how long it was. */
static __always_inline u64 stamp(struct cpu_run *run)
{
	u64 now = bpf_ktime_get_ns();

	run->last.time = now;
	run->last.ns = now > run->start ? now - run->start : 0;
	return run->last.ns;
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
	struct event *event;
	u64 ns;

	if (run->class == RUN_OFF_SET && run->task)
		task = bpf_map_lookup_elem(&task_counters, &tid);
	describe(&run->last, run, p, cpu);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	/* One test only: the verifier of 6.1 forgets its outcome, and misses the submit.
	 */
	if (event) {
		*event = run->last;
		ns = stamp(run);
		event->time = run->last.time;
		event->ns = ns;
		bpf_ringbuf_submit(event, 0);
	} else {
		count_lost_event();
		ns = stamp(run);
	}
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
	struct vm_slot *vm;
	u64 now, ns;

	if (!counters)
		return;
	if (run->class != RUN_BOUND_KTHREAD && !run->settling) {
		count_violation(run, p, cpu, counters);
		return;
	}
	now = bpf_ktime_get_ns();
	ns = now > run->start ? now - run->start : 0;
	if (run->class == RUN_BOUND_KTHREAD) {
		count_here(&counters->bound_kthread, ns);
		return;
	}
	vm = bpf_map_lookup_elem(&vms, &run->vm);
	count_here(&counters->settling, ns);
	if (vm)
		count_shared(&vm->settling, ns);
}

/* Is a change that excused the run when it began still being made, or did it do away with
 * the fault? */
static __always_inline void settle(
	struct cpu_run *run, struct task_struct *p, u32 cpu, const struct cpu_rule *rule)
{
	u32 class = run->class, cause = run->cause, vm_slot = run->vm, vcpu = run->vcpu;
	u32 task = run->task;
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &vm_slot);
	struct health *h = get_health();
	u64 now = bpf_ktime_get_ns();

	if (vm && now <= vm->settle_until)
		return;
	if (h && class == RUN_FOREIGN && cause == CAUSE_KTHREAD && now <= h->loose_until)
		return;
	classify(run, p, cpu, rule);
	run->settling = run->class != RUN_OFF_SET && run->class != RUN_FOREIGN;
	run->class = class;
	run->cause = cause;
	run->vm = vm_slot;
	run->vcpu = vcpu;
	run->task = task;
}

static __noinline void end_disorder(
	struct cpu_run *run, struct task_struct *p, u32 cpu, const struct cpu_rule *rule)
{
	if (run->settling)
		settle(run, p, cpu, rule);
	count_run(run, p, cpu);
}

/* A run that ends on a reserved CPU without a class began before the rule: it counts from
 * there. */
static __noinline void end_early_run(
	struct cpu_run *run, struct task_struct *p, u32 cpu, const struct cpu_rule *rule)
{
	struct vm_slot *vm = bpf_map_lookup_elem(&vms, &rule->vm);

	classify(run, p, cpu, rule);
	if (run->class > RUN_IN_ORDER && vm) {
		run->tid = p->pid;
		run->start = vm->rules_since;
		if (run->settling)
			settle(run, p, cpu, rule);
		count_run(run, p, cpu);
	}
	run->class = RUN_NONE;
}

static __always_inline void end_run(
	struct cpu_run *run, struct task_struct *p, u32 cpu, const struct cpu_rule *rule)
{
	if (run->class != RUN_NONE) {
		if (run->task)
			account_thread(run, p);
		if (run->class != RUN_IN_ORDER)
			end_disorder(run, p, cpu, rule);
		run->class = RUN_NONE;
	} else if (p->pid && (u32)p->pid != rule->tid) {
		end_early_run(run, p, cpu, rule);
	}
}

static __always_inline void note_begin(struct cpu_run *run, struct task_struct *p)
{
	if (run->class == RUN_NONE)
		return;
	note_start(run, p);
	if (run->class != RUN_IN_ORDER)
		run->start = bpf_ktime_get_ns();
}

/* Of whoever is not the owner. */
static __noinline void begin_reserved(
	struct cpu_run *run, struct task_struct *p, u32 cpu, const struct cpu_rule *rule)
{
	classify(run, p, cpu, rule);
	note_begin(run, p);
}

static __noinline void count_switches(void)
{
	struct health *h = get_health();

	if (h)
		__sync_fetch_and_add(&h->switches, ABI_FLUSH);
}

/* The tracepoint's arguments (preempt, prev, next): read late, they need no register. */
#define PREV(ctx) ((struct task_struct *)(ctx)[1])
#define NEXT(ctx) ((struct task_struct *)(ctx)[2])

/*
 * The way of a task that is no concern of ours, of a CPU's owner, and of a VM's thread in
 * its set has no call in it: where returns are guarded against speculation (x86's return
 * thunks), each costs about half as much as a whole such way. What is rare is out of
 * line, which also keeps the stack below the 64 bytes from which the kernel sets up a
 * private one.
 */
SEC("tp_btf/sched_switch")
int cpuwarden_switch(u64 *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);
	struct task_struct *next;
	struct cpu_rule *rule;
	struct cpu_run *run;
	u32 tid;

	if (!counters)
		return 0;
	if (!(++counters->switches % ABI_FLUSH))
		count_switches();
	rule = bpf_map_lookup_elem(&cpu_rules, &cpu);
	run = bpf_map_lookup_elem(&cpu_runs, &cpu);
	if (!rule || !run)
		return 0;
	if (unlikely(run->class != RUN_NONE || rule->vm))
		end_run(run, PREV(ctx), cpu, rule);

	next = NEXT(ctx);
	tid = next->pid;
	if (likely(!rule->vm)) {
		if (likely(!filter_has(next->tgid)) || !tid)
			return 0;
		run->task = 0;
		run->settling = 0;
		classify_unreserved(run, next, cpu);
		note_begin(run, next);
		return 0;
	}
	if (!tid)
		return 0;
	if (tid == rule->tid) {
		run->class = RUN_IN_ORDER;
		run->task = rule->task;
		note_start(run, next);
	} else {
		begin_reserved(run, next, cpu, rule);
	}
	return 0;
}

struct exit_context {
	u32 tid;
};

static int forget_owner(u32 cpu, struct exit_context *context)
{
	struct cpu_rule *rule = bpf_map_lookup_elem(&cpu_rules, &cpu);

	if (!rule)
		return 1;
	if (rule->vm && rule->tid == context->tid)
		rule->tid = 0;
	return 0;
}

/* Runs before the tid is free for reuse: what a thread or VM owned ends here, whoever
 * watches. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(cpuwarden_exit, struct task_struct *p)
{
	struct exit_context context = {.tid = p->pid};
	struct identity id = identify(p);
	struct vm_slot *vm;
	struct task *task;

	if (!id.vm)
		return 0;
	task = bpf_map_lookup_elem(&tasks, &id.task);
	if (id.task && task) {
		task->exited = 1;
		if (task->class == 0)
			bpf_loop(ABI_CPUS, forget_owner, &context, 0);
	}
	vm = bpf_map_lookup_elem(&vms, &id.vm);
	/* The last thread of the process: signal->live was already taken down. */
	if (vm && vm->pid == (u32)p->tgid && !p->signal->live.counter)
		vm->ended = 1;
	return 0;
}
