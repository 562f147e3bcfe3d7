// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/sampler_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/host/proc.h"
#include "user/model/coverage.h"

#define STALE_NS (UINT64_C(10) * 1000 * 1000 * 1000)

struct sampler {
	struct folders folders;
	struct cycle *cycle; /* not to be moved, hence by itself */
	/* Host, CPUs and VMs as they were found then, without counts. */
	struct sample standing;
	uint64_t read_at;	/* CLOCK_MONOTONIC ns */
	uint64_t rules_changed; /* as the observer says; 0: not asked yet */
	uint64_t switches;	/* at the latest sample */
	struct problem note;
};

static void cycle_free(struct cycle *cycle)
{
	if (cycle)
		cycle_deinit(cycle);
	free(cycle);
}

void sampler_free(struct sampler *sampler)
{
	if (!sampler)
		return;
	sample_deinit(&sampler->standing);
	cycle_free(sampler->cycle);
	free(sampler);
}

void sampler_free_p(struct sampler **sampler)
{
	sampler_free(*sampler);
}

/* All anew, or as it was. */
static int read_again(struct sampler *sampler, struct problem *problem)
{
	struct cycle *cycle = calloc(1, sizeof(*cycle));
	struct owners owners = {};
	struct sample standing;
	int r;

	if (!cycle)
		return problem_nomem(problem);
	cycle->hierarchy.root = -1;
	r = cycle_read(&sampler->folders, cycle, problem);
	if (!r)
		r = cycle_owners(cycle, &owners, problem);
	if (!r) {
		r = sampler_read_standing(cycle, &owners, &standing);
		if (r)
			problem_set(problem, r, "cannot tell how the VMs stand: %s",
				strerror(-r));
	}
	owners_deinit(&owners);
	if (r) {
		cycle_free(cycle);
		return r;
	}
	sample_deinit(&sampler->standing);
	cycle_free(sampler->cycle);
	sampler->standing = standing;
	sampler->cycle = cycle;
	sampler->rules_changed = 0;
	return 0;
}

int sampler_new(const struct folders *folders, struct sampler **ret_sampler,
	struct problem *problem)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));
	int r;

	if (!sampler)
		return problem_nomem(problem);
	sampler->folders = *folders;
	r = read_again(sampler, problem);
	if (r) {
		sampler_free(sampler);
		return r;
	}
	sampler->read_at = clock_now_ns();
	*ret_sampler = sampler;
	return 0;
}

/* Of a vCPU the kernel knows best how long it ran, and where it is. */
static void read_times(const struct sample_vm *from, struct sample_vm *vm)
{
	cleanup_close int procfd = -1;

	if (proc_open(from->pid, &procfd))
		return;
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		struct vm_thread thread;

		if (proc_read_thread_at(procfd, vm->vcpus[i].tally.tid, &thread))
			continue;
		vm->vcpus[i].tally.run_ns = thread.run_ns;
		vm->vcpus[i].last_cpu = thread.last_cpu;
		free(thread.cgroup);
	}
}

static void count_vcpus(const struct counters *counters, struct sample_vm *vm)
{
	for (size_t i = 0; i < vm->n_vcpus; i++) {
		struct sample_vcpu *vcpu = &vm->vcpus[i];
		const struct thread_tally *tally =
			counters_find_thread(counters, vcpu->tally.tid);
		uint64_t run_ns = vcpu->tally.run_ns;
		int index = vcpu->tally.index;

		if (!tally)
			continue;
		vcpu->counted = true;
		vcpu->tally = *tally;
		vcpu->tally.run_ns = run_ns;
		vcpu->tally.index = index;
	}
}

static int fill_vm(const struct sample_vm *from, const struct counters *counters,
	struct sample_vm *vm)
{
	const struct vm_tally *tally =
		counters ? counters_find_vm(counters, from->pid, from->start_time) : NULL;

	*vm = *from;
	vm->reason = from->reason ? strdup(from->reason) : NULL;
	vm->vcpus = malloc((from->n_vcpus + 1) * sizeof(*vm->vcpus));
	if (!vm->vcpus || (from->reason && !vm->reason))
		return -ENOMEM;
	if (from->n_vcpus)
		memcpy(vm->vcpus, from->vcpus, from->n_vcpus * sizeof(*vm->vcpus));
	if (from->pid)
		read_times(from, vm);
	if (tally) {
		vm->since = tally->since;
		memcpy(vm->foreign, tally->foreign, sizeof(vm->foreign));
		vm->off_set = tally->off_set;
		vm->settling = tally->settling;
	}
	if (counters)
		count_vcpus(counters, vm);
	return 0;
}

/* Of one that still runs the observer knows only the thread. */
static void name_culprit(struct culprit *culprit)
{
	struct vm_thread now;

	if (*culprit->comm || proc_read_thread(culprit->tid, culprit->tid, &now))
		return;
	memcpy(culprit->comm, now.comm, sizeof(culprit->comm));
	free(now.cgroup);
}

static int add_culprits(const struct counters *counters, struct sample *sample)
{
	for (int running = 1; running >= 0; running--)
		for (size_t i = 0; i < counters->n_culprits; i++) {
			struct culprit *to;

			if (counters->culprits[i].running != running)
				continue;
			to = array_push(&sample->culprits, &sample->n_culprits);
			if (!to)
				return -ENOMEM;
			*to = counters->culprits[i];
			if (running)
				name_culprit(to);
		}
	return 0;
}

static void count_host(const struct sampler *sampler, const struct counters *counters,
	struct sample *sample)
{
	const struct coverage_input input = {.counters = counters,
		.online = &sampler->cycle->topology.online,
		.alive = true};

	sample->now = counters->now;
	sample->start = counters->start;
	sample->switches = counters->total.switches;
	sample->lost = counters->events_lost;
	sample->measures = counters->measures;
	sample->observer =
		coverage_blind(&input, &sample->why) ? OBSERVER_BLIND : OBSERVER_RUNNING;
	for (size_t i = 0; i < sample->n_cpus; i++)
		if (sample->cpus[i].cpu < counters->n_cpus)
			sample->cpus[i].tally = counters->cpus[sample->cpus[i].cpu];
}

static int fill(const struct sampler *sampler, const struct counters *counters,
	struct sample *sample)
{
	const struct sample *from = &sampler->standing;
	int r = 0;

	memcpy(sample->host, from->host, sizeof(sample->host));
	memcpy(sample->kernel, from->kernel, sizeof(sample->kernel));
	sample->now = clock_now_ns();
	sample->time = time(NULL);
	sample->note = sampler->note;
	sample->cpus = malloc((from->n_cpus + 1) * sizeof(*sample->cpus));
	sample->vms = calloc(from->n_vms + 1, sizeof(*sample->vms));
	if (!sample->cpus || !sample->vms)
		return -ENOMEM;
	memcpy(sample->cpus, from->cpus, from->n_cpus * sizeof(*sample->cpus));
	sample->n_cpus = from->n_cpus;
	for (size_t i = 0; !r && i < from->n_vms; i++) {
		sample->n_vms++;
		r = fill_vm(&from->vms[i], counters, &sample->vms[i]);
	}
	if (counters) {
		count_host(sampler, counters, sample);
		return r ? r : add_culprits(counters, sample);
	}
	sample->why = sampler->cycle->observer_problem;
	if (sampler->cycle->observer)
		problem_set(&sample->why, 0, "the observer cannot be read");
	return r;
}

static bool has_ended(const struct sampler *sampler)
{
	for (size_t i = 0; i < sampler->standing.n_vms; i++) {
		const struct sample_vm *vm = &sampler->standing.vms[i];
		const struct process_id process = {vm->pid, vm->start_time};

		if (vm->pid && !process_alive(&process))
			return true;
	}
	return false;
}

/* True if all is to be read again first: it is old, or another than it was. */
static bool is_stale(const struct sampler *sampler, const struct counters *counters)
{
	uint64_t now = clock_now_ns();

	if (now - sampler->read_at > STALE_NS)
		return true;
	/* One that does not count any more may have been replaced. */
	if (counters && ((sampler->rules_changed &&
				 counters->rules_changed != sampler->rules_changed) ||
				counters->total.switches == sampler->switches))
		return true;
	return (sampler->cycle->observer && !counters) || has_ended(sampler);
}

int sampler_take(
	struct sampler *sampler, struct sample *ret_sample, struct problem *problem)
{
	struct counters counters = {};
	struct sample sample = {};
	bool counted = false;
	int r = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		counters_deinit(&counters);
		counted = sampler->cycle->observer &&
			  !observer_read(sampler->cycle->observer, &counters);
		if (attempt || !is_stale(sampler, counted ? &counters : NULL))
			break;
		*sampler->note.text = '\0';
		read_again(sampler, &sampler->note);
		sampler->read_at = clock_now_ns();
	}
	if (counted) {
		sampler->rules_changed = counters.rules_changed;
		sampler->switches = counters.total.switches;
	}
	r = fill(sampler, counted ? &counters : NULL, &sample);
	counters_deinit(&counters);
	if (r) {
		sample_deinit(&sample);
		return problem_nomem(problem);
	}
	*ret_sample = sample;
	return 0;
}
