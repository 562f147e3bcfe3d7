// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The observer: looks at every context switch and counts each run (switch-in to
 * switch-out) that matters once, in one class.
 *
 * A run gets its class when the task is switched in and is counted when it is switched
 * out, on the same CPU. What almost every switch takes is short, and stands beside the
 * CPU's counters (struct cpu_fast): who owns the CPU, one compare; on an unreserved CPU
 * one bit that tells whether the process could be a VM. A run that is neither the owner's
 * nor nobody's is carried by cpu_runs[CPU] from its beginning to its end. Only once
 * something is wrong come the clock, hashes and the ring buffer. Nothing is allocated
 * here.
 *
 * On a reserved CPU whoever is not the owner is `foreign`. A tracked thread outside its
 * set on any other CPU is `off_set`. While user space changes something, a run that the
 * change explains is `settling`: its VM has settle_until set, which bounds the excuse
 * even if user space is killed. Such a run is looked at again when it ends, and is a
 * violation if it has outlived the change.
 *
 * A run that began before its CPU got its rule has no class when it ends. It gets one
 * then, and counts from the time of the rule. One that does not end is at no switch: user
 * space has it looked at once the rule is written (cpuwarden_look).
 *
 * A newer program takes over from this one at the same maps. For that moment both are
 * attached, and each switch is examined by whichever comes first (is_examined()): none is
 * missed, and none is counted twice.
 */
#include "bpf/count.h"
#include "bpf/drift_hooks.h"
#include "bpf/guard.h"
#include "bpf/interrupts.h"
#include "bpf/life.h"

char LICENSE[] SEC("license") = "GPL";

/* Where one run ends at the switch at which another begins, it is the same moment. */
static __always_inline u64 begin_time(
	const struct cpu_run *run, const struct cpu_counters *here)
{
	if (run->end && run->end_switch == (u32)here->switches)
		return run->end;
	return bpf_ktime_get_ns();
}

/* Of whoever is not the CPU's owner, or not where it may be. */
static __noinline void begin_run(struct cpu_counters *here, struct task_struct *p)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_run *run = bpf_map_lookup_elem(&cpu_runs, &cpu);

	if (!run)
		return;
	classify(run, p, cpu);
	here->fast.on = run->class != RUN_NONE ? ON_RUN : ON_OTHER;
	run->tid = p->pid;
	if (run->class > RUN_IN_ORDER)
		run->start = begin_time(run, here);
}

/* Of a process that filter_has(), on an unreserved CPU. */
static __noinline void begin_unreserved(struct cpu_counters *here, struct task_struct *p)
{
	u32 slot = find_slot(p->pid);
	struct task *task = get_task(slot);

	if (likely(slot && task && task->tgid == (u32)p->tgid && !task->exited &&
		    set_has(task->set, bpf_get_smp_processor_id()))) {
		here->fast.known = slot;
		here->fast.on = ON_KNOWN;
		return;
	}
	begin_run(here, p);
}

/*
 * Is the run that is on wrong by rules that are new? Attached nowhere: user space has the
 * kernel call it on that CPU, in an interrupt, so at no switch.
 */
SEC("raw_tp/sched_switch")
int cpuwarden_look(u64 *ctx)
{
	struct task_struct *p = bpf_get_current_task_btf();
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);
	struct cpu_run *run = bpf_map_lookup_elem(&cpu_runs, &cpu);
	struct cpu_rule *rule = bpf_map_lookup_elem(&cpu_rules, &cpu);
	struct cpu_fast *at;

	if (!counters || !run || !rule || !p->pid)
		return 0;
	at = &counters->fast;
	/* What is counted stays what it was when it began. */
	if (at->on == ON_RUN && run->class > RUN_IN_ORDER)
		return 0;
	classify(run, p, cpu);
	if (run->class > RUN_IN_ORDER) {
		run->tid = p->pid;
		run->start = run->class == RUN_OFF_SET ? bpf_ktime_get_ns() : rule->since;
		at->on = ON_RUN;
	} else if (at->on != ON_RUN) {
		run->class = RUN_NONE;
	}
	return 0;
}

static __noinline void count_switches(void)
{
	struct health *h = get_health();

	if (h)
		__sync_fetch_and_add(&h->switches, ABI_PORTION);
}

/*
 * Has another program examined this switch? Of one CPU's switches, each has another task
 * that is switched out or another number of times that this was (what the kernel counts
 * before the tracepoint).
 */
static __noinline bool is_examined(struct cpu_counters *here, struct task_struct *prev)
{
	u64 this = (prev->nvcsw + prev->nivcsw) << 22 | (u32)prev->pid;

	if (here->fast.examined == this) {
		here->fast.seconded++;
		return true;
	}
	here->fast.examined = this;
	return false;
}

/* The tracepoint's arguments (preempt, prev, next): read late, they need no register. */
#define PREV(ctx) ((struct task_struct *)(ctx)[1])
#define NEXT(ctx) ((struct task_struct *)(ctx)[2])

static __always_inline void count_switch(struct cpu_counters *counters)
{
	if (!(++counters->switches % ABI_PORTION))
		count_switches();
}

/* Of a tracked thread that has its slot still, which is the usual case. False: it was
 * looked for by its tid. The slot's number serves as key where it stands. */
static __always_inline bool account_slot(const u32 *slot, struct task_struct *p)
{
	struct task *task = bpf_map_lookup_elem(&tasks, slot);

	if (likely(task && task->tid == (u32)p->pid)) {
		account_task(task, p);
		return true;
	}
	account_tid(p);
	return false;
}

/* Of the one who owned the CPU when he came, and perhaps does no more. */
static __always_inline void end_owner_run(
	struct cpu_counters *here, struct task_struct *p)
{
	if (unlikely(!account_slot(&here->fast.task, p)))
		end_early_run(here, p);
}

static __always_inline void end_known_run(
	struct cpu_counters *here, struct task_struct *p)
{
	account_slot(&here->fast.known, p);
	/* The CPU became reserved under it. */
	if (unlikely(is_reserved(here->fast.vm)))
		end_early_run(here, p);
}

/*
 * On a CPU that is reserved, or where a run ends that matters. Few values are kept from
 * one line to the next: each would be put on the stack and fetched again. CPU_TAKEOVER is
 * the sign of `state`'s lower half.
 */
static __always_inline void switch_here(u64 *ctx, struct cpu_counters *here, u64 state)
{
	u32 on = state >> 32, tid;

	if (unlikely((s32)state < 0) && is_examined(here, PREV(ctx)))
		return;
	count_switch(here);
	if (on == ON_OWNER)
		end_owner_run(here, PREV(ctx));
	else if (on == ON_KNOWN)
		end_known_run(here, PREV(ctx));
	else if (unlikely(on != ON_IDLE))
		end_run(here, PREV(ctx));
	tid = NEXT(ctx)->pid;
	if (!is_reserved((u32)state)) {
		here->fast.on = ON_OTHER;
		if (filter_has(NEXT(ctx)->tgid) && tid)
			begin_unreserved(here, NEXT(ctx));
	} else if (!tid) {
		here->fast.on = ON_IDLE;
	} else if (likely(tid == here->fast.tid)) {
		here->fast.on = ON_OWNER;
	} else {
		begin_run(here, NEXT(ctx));
	}
}

/*
 * The way of a task that is no concern of ours comes first, for it is the common one.
 * That of a CPU's owner has no call in it either, that of a VM's thread one: where
 * returns are guarded against speculation (x86's return thunks), each call costs about as
 * much as that first way as a whole. All else is out of line, for a program that is short
 * stays in the CPU's caches; that also keeps the stack below the 64 bytes from which the
 * kernel sets up a private one.
 */
SEC("tp_btf/sched_switch")
int cpuwarden_switch(u64 *ctx)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_counters *counters = bpf_map_lookup_elem(&cpu_counters, &cpu);
	struct task_struct *next;
	u64 state;

	if (!counters)
		return 0;
	state = counters->fast.state;
	if (unlikely(state)) {
		switch_here(ctx, counters, state);
		return 0;
	}
	count_switch(counters);
	next = NEXT(ctx);
	if (unlikely(filter_has(next->tgid)) && next->pid)
		begin_unreserved(counters, next);
	return 0;
}
