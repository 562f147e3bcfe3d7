// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters and events out of the maps, as the model knows them. */
#include "user/observer/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/clock.h"
#include "user/observer/parts.h"
#include "user/observer/programs.h"

static struct tally to_tally(const volatile struct count *count)
{
	return (struct tally){.count = count->count, .ns = count->ns};
}

static void add_tally(struct tally *to, const struct tally *tally)
{
	to->count += tally->count;
	to->ns += tally->ns;
}

static void add_cpu(struct cpu_tally *to, const struct cpu_tally *cpu)
{
	to->switches += cpu->switches;
	for (int i = 0; i < CAUSE_COUNT; i++)
		add_tally(&to->foreign[i], &cpu->foreign[i]);
	add_tally(&to->off_set, &cpu->off_set);
	add_tally(&to->bound_kthread, &cpu->bound_kthread);
	add_tally(&to->settling, &cpu->settling);
}

static struct vm_tally *vm_of_slot(
	struct counters *counters, const struct observer *observer, u32 slot)
{
	if (slot >= observer->n_vms)
		return NULL;
	for (size_t i = 0; i < counters->n_vms; i++)
		if (counters->vms[i].pid == (pid_t)observer->vms[slot].pid &&
			counters->vms[i].start_time == observer->vms[slot].start_ticks)
			return &counters->vms[i];
	return NULL;
}

void observer_to_culprit(const struct observer *observer, const struct event *event,
	struct culprit *culprit)
{
	culprit->cpu = event->cpu;
	culprit->off_set = event->class == RUN_OFF_SET;
	culprit->cause = event->cause % CAUSE_COUNT;
	/* Of a VM whose place in the map is another's by now no name is left. */
	*culprit->vm = '\0';
	if (event->vm < observer->n_vms && event->time >= observer->vms[event->vm].since)
		observer_name_vm(observer, event->vm, culprit->vm);
	culprit->vcpu = event->vcpu == ABI_NONE ? -1 : (int)event->vcpu;
	culprit->tid = (pid_t)event->tid;
	culprit->tgid = (pid_t)event->tgid;
	observer_copy_comm(culprit->comm, event->comm);
	culprit->cgroup = event->cgroup;
	culprit->time = event->time;
	culprit->ns = event->ns;
}

/* Has a run that a change excused outlived it? */
static bool is_still_wrong(
	const struct observer *observer, const struct cpu_run *run, u32 cpu)
{
	u32 set = observer->vms[run->vm % observer->n_vms].set;

	if (run->class == RUN_FOREIGN)
		return observer->cpu_rules[cpu].vm == run->vm;
	if (run->task && run->task < observer->n_tasks)
		set = observer->tasks[run->task].set;
	return !(observer->cpu_sets[set % observer->n_cpu_sets].words[cpu / 64] >>
			 cpu % 64 &
		 1);
}

/*
 * A run that is still on is counted here with its length so far, or a task that never
 * leaves the CPU would never be seen. It is read while the CPU may be ending it: taken
 * only if the record stood still.
 */
static int add_current(
	struct counters *counters, const struct observer *observer, u32 cpu)
{
	volatile struct cpu_run *shared = &observer->cpu_runs[cpu];
	const struct timespec moment = {.tv_nsec = 50000};
	struct cpu_run run = *shared;
	uint64_t switches = observer->cpu_counters[cpu].switches;
	struct cpu_tally *at = &counters->cpus[cpu];
	struct culprit *culprit;
	struct vm_tally *vm;
	struct tally tally;

	if (run.class <= RUN_IN_ORDER || run.start > counters->now)
		return 0;
	/* Time enough for a switch that is being counted to come to its end. */
	nanosleep(&moment, NULL);
	if (run.start != shared->start || run.class != shared->class ||
		switches != at->switches ||
		switches != observer->cpu_counters[cpu].switches)
		return 0;
	tally = (struct tally){.count = 1, .ns = counters->now - run.start};
	vm = vm_of_slot(counters, observer, run.vm);
	/* Its length is added at its end: of the stopper, under which a CPU went offline,
	 * nobody knows one. */
	if (run.class == RUN_BOUND_KTHREAD) {
		at->bound_kthread.count++;
		return 0;
	}
	/* As settle() in the observer. */
	if (run.settling && abi_excuses(&observer->vms[run.vm % observer->n_vms], &run,
				    observer->health->loose_until, counters->now)) {
		add_tally(&at->settling, &tally);
		if (vm)
			add_tally(&vm->settling, &tally);
		return 0;
	}
	if (run.settling && !is_still_wrong(observer, &run, cpu))
		return 0;
	if (run.class == RUN_OFF_SET) {
		add_tally(&at->off_set, &tally);
		if (vm)
			add_tally(&vm->off_set, &tally);
	} else {
		add_tally(&at->foreign[run.cause % CAUSE_COUNT], &tally);
		if (vm)
			add_tally(&vm->foreign[run.cause % CAUSE_COUNT], &tally);
	}
	culprit = array_push(&counters->culprits, &counters->n_culprits);
	if (!culprit)
		return -ENOMEM;
	*culprit = (struct culprit){.cpu = cpu,
		.running = true,
		.off_set = run.class == RUN_OFF_SET,
		.cause = run.cause % CAUSE_COUNT,
		.vcpu = run.vcpu == ABI_NONE ? -1 : (int)run.vcpu,
		.tid = (pid_t)run.tid,
		.time = counters->now,
		.ns = tally.ns};
	observer_name_vm(observer, run.vm, culprit->vm);
	return 0;
}

static int read_cpus(
	struct counters *counters, const struct observer *observer, bool running)
{
	counters->cpus = calloc(observer->n_cpus, sizeof(*counters->cpus));
	if (!counters->cpus)
		return -ENOMEM;
	counters->n_cpus = observer->n_cpus;
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		const volatile struct cpu_counters *from = &observer->cpu_counters[cpu];
		struct event last = *(struct event *)&observer->cpu_runs[cpu].last;
		struct cpu_tally *to = &counters->cpus[cpu];
		struct culprit *culprit;

		to->switches = from->switches;
		for (int i = 0; i < CAUSE_COUNT; i++)
			to->foreign[i] = to_tally(&from->foreign[i]);
		to->off_set = to_tally(&from->off_set);
		to->bound_kthread = to_tally(&from->bound_kthread);
		to->settling = to_tally(&from->settling);
		to->interrupts = to_tally(&observer->interrupts[cpu].irq);
		to->softirqs = to_tally(&observer->interrupts[cpu].softirq);
		to->base = (struct cpu_interrupts){observer->interrupts[cpu].irq_base,
			observer->interrupts[cpu].softirq_base};
		if (running && add_current(counters, observer, cpu))
			return -ENOMEM;
		add_cpu(&counters->total, to);
		if (!last.time)
			continue;
		culprit = array_push(&counters->culprits, &counters->n_culprits);
		if (!culprit)
			return -ENOMEM;
		observer_to_culprit(observer, &last, culprit);
	}
	return 0;
}

/* Of one whose owner has ended nobody is the owner. */
static int read_reserved(struct counters *counters, const struct observer *observer)
{
	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++) {
		uint64_t since = observer->cpu_rules[cpu].since;
		u32 owner = observer_owner(observer, cpu);
		struct vm_tally *vm =
			owner ? vm_of_slot(counters, observer, owner) : NULL;
		struct reservation *reservation;

		if (!vm || vm->ended)
			continue;
		reservation = array_push(&counters->reserved, &counters->n_reserved);
		if (!reservation)
			return -ENOMEM;
		*reservation = (struct reservation){
			.cpu = cpu, .vm = (size_t)(vm - counters->vms), .since = since};
	}
	return 0;
}

/* When a process was started, from what /proc/PID/stat says of it. */
static uint64_t start_of(uint64_t now, u64 start_ticks)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), since_boot, age;
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	since_boot = (uint64_t)boot.tv_sec * 1000000000 + (uint64_t)boot.tv_nsec;
	age = since_boot - start_ticks * (1000000000 / hz);
	return now > age ? now - age : 0;
}

static int read_vms(struct counters *counters, const struct observer *observer)
{
	for (u32 slot = 1; slot < observer->n_vms; slot++) {
		const volatile struct vm_slot *from = &observer->vms[slot];
		struct vm_tally *to;

		if (!from->pid)
			continue;
		to = array_push(&counters->vms, &counters->n_vms);
		if (!to)
			return -ENOMEM;
		observer_name_vm(observer, slot, to->name);
		to->pid = (pid_t)from->pid;
		to->start_time = from->start_ticks;
		to->started = start_of(counters->now, from->start_ticks);
		to->since = from->since;
		to->repaired = from->repaired;
		to->repaired_since = from->repaired_since;
		to->ended = from->ended;
		for (int i = 0; i < CAUSE_COUNT; i++)
			to->foreign[i] = to_tally(&from->foreign[i]);
		to->off_set = to_tally(&from->off_set);
		to->settling = to_tally(&from->settling);
	}
	return 0;
}

static int compare_threads(const void *a, const void *b)
{
	pid_t x = ((const struct thread_tally *)a)->tid,
	      y = ((const struct thread_tally *)b)->tid;

	return x < y ? -1 : x > y;
}

/* What was handed over plus what is pending; again if a run ended or a portion was handed
 * over in between. */
static void read_thread(
	struct thread_tally *to, const struct observer *observer, u32 slot)
{
	struct task *task = (struct task *)&observer->tasks[slot];
	struct task_counters counters = {};
	struct task_pending pending;
	u32 tid = task->tid;

	for (int i = 0; i < 8; i++) {
		memcpy(&pending, &task->pending, sizeof(pending));
		bpf_map_lookup_elem(observer->task_counters, &tid, &counters);
		observer_barrier();
		if (!memcmp(&pending, &task->pending, sizeof(pending)))
			break;
	}
	if (pending.delay == ABI_UNMARKED)
		memset(&pending, 0, sizeof(pending));
	to->tid = (pid_t)tid;
	to->class = (enum thread_class)(task->class % THREAD_CLASSES);
	to->index = (int)task->index;
	to->exited = task->exited;
	to->run_ns = counters.run_ns;
	to->switches = counters.switches;
	to->wait_ns = counters.wait_ns + pending.delay - pending.delay_mark;
	for (int i = 0; i < WAIT_BUCKETS; i++) {
		to->switches += pending.waits[i];
		to->waits[i] = counters.waits[i] + pending.waits[i];
	}
	to->off_set = to_tally(&counters.off_set);
}

static int read_threads(struct counters *counters, const struct observer *observer)
{
	for (u32 slot = 1; slot < observer->n_tasks; slot++) {
		struct thread_tally *to;
		struct vm_tally *vm;

		if (!observer->tasks[slot].tid)
			continue;
		to = array_push(&counters->threads, &counters->n_threads);
		if (!to)
			return -ENOMEM;
		read_thread(to, observer, slot);
		vm = vm_of_slot(counters, observer, observer->tasks[slot].vm);
		to->vm = vm ? (size_t)(vm - counters->vms) : SIZE_MAX;
	}
	if (counters->n_threads)
		qsort(counters->threads, counters->n_threads, sizeof(*counters->threads),
			compare_threads);
	return 0;
}

static int compare_culprits(const void *a, const void *b)
{
	uint64_t x = ((const struct culprit *)a)->time,
		 y = ((const struct culprit *)b)->time;

	return x > y ? -1 : x < y;
}

/* A takeover takes far longer than this: one of the two looks at it sees it. */
static int read_programs(struct counters *counters, const struct observer *observer)
{
	int n;

	counters->takeover = observer->health->takeover;
	n = programs_count(observer->dir);
	counters->takeover |= observer->health->takeover;
	if (n < 0)
		return n;
	counters->programs = (unsigned int)n;
	return 0;
}

uint64_t observer_examined(const struct observer *observer)
{
	uint64_t n = 0;

	for (u32 cpu = 0; cpu < observer->n_cpus; cpu++)
		n += observer->cpu_counters[cpu].switches;
	return n;
}

static int read_mapped(
	const struct observer *observer, bool running, struct counters *ret_counters)
{
	struct counters counters = {
		.now = clock_now_ns(),
		.start = observer->health->start,
		.rules_changed = observer->health->rules_changed,
		.generation = observer->health->generation,
		.events_lost = observer->health->events_lost,
		.unwritten = observer->health->unwritten,
		.unwritten_time = observer->health->unwritten_time,
		.culprits_full = observer->health->culprits_full,
		.groups_full = observer->health->groups_full,
		.recursion_misses = observer->health->missed,
		.programs = 1,
		.measures = observer->health->parts & PART_INTERRUPTS,
	};
	int r;

	r = read_vms(&counters, observer);
	if (!r)
		r = read_reserved(&counters, observer);
	if (!r)
		r = read_cpus(&counters, observer, running);
	if (!r)
		r = read_threads(&counters, observer);
	if (r) {
		counters_deinit(&counters);
		return r;
	}
	if (counters.n_culprits)
		qsort(counters.culprits, counters.n_culprits, sizeof(*counters.culprits),
			compare_culprits);
	*ret_counters = counters;
	return 0;
}

int observer_read_mapped(const struct observer *observer, struct counters *ret_counters)
{
	return read_mapped(observer, false, ret_counters);
}

int observer_read(const struct observer *observer, struct counters *ret_counters)
{
	struct counters counters;
	uint64_t misses;
	int r;

	r = program_misses(observer->dir, &misses);
	if (!r)
		r = read_mapped(observer, true, &counters);
	if (r)
		return r;
	counters.recursion_misses += misses;
	counters.measures = parts_attached(observer) & PART_INTERRUPTS;
	r = observer_read_culprits(observer, &counters);
	if (!r)
		r = read_programs(&counters, observer);
	if (r)
		counters_deinit(&counters);
	else
		*ret_counters = counters;
	return r;
}
