// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

static bool is_something(const struct violations *counted)
{
	return violations_count(counted) || counted->settling.count;
}

static struct violations of_vm(const struct vm_tally *vm)
{
	struct violations counted = {.off_set = vm->off_set, .settling = vm->settling};

	memcpy(counted.foreign, vm->foreign, sizeof(counted.foreign));
	return counted;
}

static struct violations of_all(const struct counters *counters)
{
	const struct cpu_tally *total = &counters->total;
	struct violations counted = {
		.off_set = total->off_set, .settling = total->settling};

	memcpy(counted.foreign, total->foreign, sizeof(counted.foreign));
	return counted;
}

static uint64_t taken(const struct counters *counters, unsigned int cpu)
{
	const struct cpu_tally *tally = &counters->cpus[cpu];

	return tally->bound_kthread.ns + tally->interrupts.ns + tally->softirqs.ns;
}

static bool is_vcpu(const struct counters *counters, const struct thread_tally *thread)
{
	return thread->class == THREAD_VCPU && !thread->exited &&
	       thread->vm < counters->n_vms;
}

static int take_vms(const struct counters *counters, struct past *past)
{
	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];
		struct violations counted = of_vm(vm);
		struct past_vm *item;

		if (!is_something(&counted))
			continue;
		item = array_push(&past->vms, &past->n_vms);
		if (!item)
			return -ENOMEM;
		*item = (struct past_vm){
			.pid = vm->pid, .start_time = vm->start_time, .counted = counted};
	}
	return 0;
}

static int take_rest(const struct counters *counters, struct past *past)
{
	for (size_t i = 0; i < counters->n_threads; i++) {
		const struct thread_tally *thread = &counters->threads[i];
		struct past_waits *item;

		if (!is_vcpu(counters, thread))
			continue;
		item = array_push(&past->waits, &past->n_waits);
		if (!item)
			return -ENOMEM;
		item->pid = counters->vms[thread->vm].pid;
		item->tid = thread->tid;
		memcpy(item->waits, thread->waits, sizeof(item->waits));
	}
	/* Of those that are nobody's, too: they may be somebody's again. */
	for (unsigned int cpu = 0; cpu < counters->n_cpus; cpu++) {
		struct past_cpu *item;

		if (!taken(counters, cpu))
			continue;
		item = array_push(&past->cpus, &past->n_cpus);
		if (!item)
			return -ENOMEM;
		*item = (struct past_cpu){.cpu = cpu, .taken_ns = taken(counters, cpu)};
	}
	return 0;
}

int past_take(const struct counters *counters, bool full, struct past *ret_past)
{
	struct past past = {.time = counters->now,
		.start = counters->start,
		.switches = counters->total.switches,
		.events_lost = counters->events_lost,
		.total = of_all(counters),
		.full = full};
	int r = take_vms(counters, &past);

	if (!r && full)
		r = take_rest(counters, &past);
	if (r)
		past_deinit(&past);
	else
		*ret_past = past;
	return r;
}

void past_deinit(struct past *past)
{
	free(past->vms);
	free(past->waits);
	free(past->cpus);
	*past = (struct past){};
}

bool past_is_of(const struct past *past, const struct counters *counters)
{
	return past && past->start == counters->start && past->time <= counters->now &&
	       past->switches <= counters->total.switches;
}

uint64_t violations_count(const struct violations *violations)
{
	return violations->off_set.count + tally_foreign(violations->foreign);
}

/* ---- since ---- */

static bool is_less(const struct tally *now, const struct tally *before)
{
	return now->count < before->count || now->ns < before->ns;
}

static void subtract(struct tally *now, const struct tally *before)
{
	now->count -= before->count;
	now->ns -= before->ns;
}

static void subtract_all(struct violations *now, const struct violations *before)
{
	bool anew = is_less(&now->off_set, &before->off_set) ||
		    is_less(&now->settling, &before->settling);

	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		anew |= is_less(&now->foreign[cause], &before->foreign[cause]);
	if (anew)
		return;
	subtract(&now->off_set, &before->off_set);
	subtract(&now->settling, &before->settling);
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		subtract(&now->foreign[cause], &before->foreign[cause]);
}

void past_since(const struct past *before, const struct counters *counters,
	struct violations *ret_since)
{
	*ret_since = of_all(counters);
	if (before)
		subtract_all(ret_since, &before->total);
}

void past_vm_since(const struct past *before, const struct vm_tally *vm,
	struct violations *ret_since)
{
	*ret_since = of_vm(vm);
	/* A slot that is younger counts anew, however much it has by now. */
	if (before && vm->since > before->time)
		before = NULL;
	for (size_t i = 0; before && i < before->n_vms; i++)
		if (before->vms[i].pid == vm->pid &&
			before->vms[i].start_time == vm->start_time)
			subtract_all(ret_since, &before->vms[i].counted);
}

struct thread_tally past_waits_since(const struct past *before,
	const struct counters *counters, const struct thread_tally *thread)
{
	struct thread_tally since = *thread;
	const struct past_waits *was = NULL;

	for (size_t i = 0; before && !was && i < before->n_waits; i++)
		if (before->waits[i].tid == thread->tid && is_vcpu(counters, thread) &&
			before->waits[i].pid == counters->vms[thread->vm].pid)
			was = &before->waits[i];
	for (unsigned int i = 0; was && i < WAIT_BUCKETS; i++)
		if (thread->waits[i] < was->waits[i])
			was = NULL;
	for (unsigned int i = 0; was && i < WAIT_BUCKETS; i++)
		since.waits[i] -= was->waits[i];
	return since;
}

uint64_t past_taken_since(
	const struct past *before, const struct counters *counters, unsigned int cpu)
{
	uint64_t now = taken(counters, cpu);

	for (size_t i = 0; before && i < before->n_cpus; i++)
		if (before->cpus[i].cpu == cpu && before->cpus[i].taken_ns <= now)
			return now - before->cpus[i].taken_ns;
	return now;
}
