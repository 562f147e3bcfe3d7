// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/page/fixture_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t n, size_t size)
{
	void *items = calloc(n ? n : 1, size);

	if (!items)
		abort();
	return items;
}

unsigned int fixture_chance(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % below;
}

void fixture_name(const struct fixture *fixture, unsigned int vm, char *name, size_t size)
{
	if (fixture->hostile && !vm)
		snprintf(name, size, "%s", FIXTURE_HOSTILE);
	else
		snprintf(name, size, "tenant%02u-db.example.net", vm);
}

const char *fixture_comm(const struct fixture *fixture, unsigned int n)
{
	static const char *const comms[] = {
		"stress-ng-cpu", "kworker/u512:3", "rsync", "node_exporter", "python3"};

	return fixture->hostile && !n ? "</script><b>" : comms[n % 5];
}

static void add(struct tally *tally, struct tally *total, uint64_t count, uint64_t ns)
{
	tally->count += count;
	tally->ns += ns;
	total->count += count;
	total->ns += ns;
}

static void make_threads(const struct fixture *fixture, struct counters *counters)
{
	unsigned int seed = 7;

	counters->n_threads = fixture->vms * (fixture->vcpus + 3);
	counters->threads = zeroed(counters->n_threads, sizeof(*counters->threads));
	for (size_t i = 0; i < counters->n_threads; i++) {
		struct thread_tally *thread = &counters->threads[i];
		unsigned int number = (unsigned int)(i % (fixture->vcpus + 3));

		thread->tid = (pid_t)(10000 + i);
		thread->vm = i / (fixture->vcpus + 3);
		thread->class = number < fixture->vcpus ? THREAD_VCPU : THREAD_EMULATOR;
		thread->index = number < fixture->vcpus ? (int)number : 0;
		for (unsigned int j = 0; j < WAIT_BUCKETS; j++) {
			thread->waits[j] =
				j < 8 ? fixture_chance(&seed, 1u << (16 - 2 * j)) : 0;
			thread->switches += thread->waits[j];
		}
		thread->run_ns = thread->switches * 40000;
		thread->wait_ns = thread->switches * 3000;
	}
}

/* A third of the reserved CPUs has seen somebody. */
static void violate(const struct fixture *fixture, struct counters *counters,
	unsigned int cpu, struct vm_tally *vm)
{
	enum cause cause = (enum cause)(cpu / 3 % CAUSE_COUNT);
	struct culprit *culprit = &counters->culprits[counters->n_culprits++];
	struct culprit_tally *tally = &counters->tallies[counters->n_tallies++];
	uint64_t count = cpu * 3, ns = cpu * 1234567;

	add(&counters->cpus[cpu].foreign[cause], &counters->total.foreign[cause], count,
		ns);
	vm->foreign[cause].count += count;
	vm->foreign[cause].ns += ns;
	*culprit = (struct culprit){.cpu = cpu,
		.cause = cause,
		.vcpu = (int)((cpu - 2) % fixture->vcpus),
		.tid = 4000 + (pid_t)cpu,
		.tgid = 4000 + (pid_t)cpu,
		.cgroup = 77,
		.time = NOW - cpu * 60 * SECOND,
		.ns = cpu * 1000000};
	snprintf(culprit->vm, sizeof(culprit->vm), "%s", vm->name);
	snprintf(culprit->comm, sizeof(culprit->comm), "%s",
		fixture_comm(fixture, cpu / 3 - 1));
	*tally = (struct culprit_tally){.kind = KIND_FOREIGN,
		.cause = cause,
		.runs = {count, ns},
		.time = culprit->time,
		.tid = culprit->tid,
		.tgid = culprit->tgid,
		.cpu = cpu};
	memcpy(tally->vm, culprit->vm, sizeof(tally->vm));
	memcpy(tally->comm, culprit->comm, sizeof(tally->comm));
}

struct counters fixture_counters(const struct fixture *fixture)
{
	struct counters counters = {.now = NOW,
		.start = START,
		.rules_changed = START + 5000 * SECOND,
		.generation = 2 * fixture->vms,
		.programs = 1};

	counters.n_cpus = fixture->cpus;
	counters.cpus = zeroed(fixture->cpus, sizeof(*counters.cpus));
	counters.n_vms = fixture->vms;
	counters.vms = zeroed(fixture->vms, sizeof(*counters.vms));
	counters.reserved = zeroed(fixture->cpus, sizeof(*counters.reserved));
	counters.culprits = zeroed(fixture->cpus, sizeof(*counters.culprits));
	counters.tallies = zeroed(fixture->cpus, sizeof(*counters.tallies));
	for (unsigned int i = 0; i < fixture->vms; i++) {
		struct vm_tally *vm = &counters.vms[i];

		fixture_name(fixture, i, vm->name, sizeof(vm->name));
		vm->pid = (pid_t)(10000 + i * (fixture->vcpus + 3));
		vm->start_time = 360000 + i;
		vm->started = vm->since = START + i * SECOND;
	}
	for (unsigned int cpu = 0; cpu < fixture->cpus; cpu++) {
		unsigned int vm = cpu < 2 ? fixture->vms : (cpu - 2) / fixture->vcpus;

		counters.cpus[cpu].switches = 1000000 + cpu * 7919;
		counters.total.switches += counters.cpus[cpu].switches;
		add(&counters.cpus[cpu].bound_kthread, &counters.total.bound_kthread, cpu,
			cpu * 40000);
		if (vm >= fixture->vms)
			continue;
		counters.reserved[counters.n_reserved++] = (struct reservation){
			.cpu = cpu, .vm = vm, .since = START + vm * SECOND + cpu * 1000};
		if (!fixture->clean && !(cpu % 3))
			violate(fixture, &counters, cpu, &counters.vms[vm]);
	}
	make_threads(fixture, &counters);
	return counters;
}
