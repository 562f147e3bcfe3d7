/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Samples of a host in a few lines: CPUs with two siblings a core, VMs with a vCPU on
 * each CPU of whole cores. Nothing here reads the machine. */
#include "tests/unit/build_host.h"
#include "user/model/view.h"

#define SECOND UINT64_C(1000000000)

enum { BORN = 50 }; /* s: from when on VMs are observed */

/* Siblings are `cores` apart. Sampled `second` s after the boot; without VMs. */
static inline void sample_init(
	struct sample *sample, uint64_t second, unsigned int nodes, unsigned int cores)
{
	memset(sample, 0, sizeof(*sample));
	strcpy(sample->host, "host1");
	strcpy(sample->kernel, "6.12.0");
	sample->now = second * SECOND;
	sample->time = 1700000000 + (int64_t)second;
	sample->observer = OBSERVER_RUNNING;
	sample->start = 10 * SECOND;
	sample->switches = second * 1000;
	for (unsigned int cpu = 0; cpu < 2 * cores; cpu++) {
		struct sample_cpu *to = must(array_push(&sample->cpus, &sample->n_cpus));

		to->cpu = cpu;
		to->online = true;
		to->core = (uint16_t)(cpu % cores);
		to->node = (uint16_t)(to->core / (cores / nodes));
		to->owner = to->vcpu = -1;
	}
}

/* To be called in the order of names. Its vCPUs own the CPUs of so many cores. */
static inline struct sample_vm *sample_add_vm(struct sample *sample, const char *name,
	unsigned int first_core, unsigned int cores)
{
	struct sample_vm *vm = must(array_push(&sample->vms, &sample->n_vms));
	unsigned int all = (unsigned int)sample->n_cpus / 2;

	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->pid = (pid_t)(1000 * sample->n_vms);
	vm->start_time = (uint64_t)vm->pid;
	vm->since = BORN * SECOND;
	strcpy(vm->state, "placed");
	for (unsigned int i = 0; i < 2 * cores; i++) {
		struct sample_vcpu *vcpu = must(array_push(&vm->vcpus, &vm->n_vcpus));
		unsigned int cpu = first_core + i / 2 + i % 2 * all;

		vcpu->counted = true;
		vcpu->tally.tid = vm->pid + 1 + (pid_t)i;
		vcpu->tally.index = vcpu->last_cpu = (int)i;
		vcpu->last_cpu = (int)cpu;
		snprintf(vcpu->set, sizeof(vcpu->set), "%u", cpu);
		sample->cpus[cpu].owner = (int)sample->n_vms - 1;
		sample->cpus[cpu].vcpu = (int)i;
	}
	return vm;
}

/* The latest, or one that still runs: these are to be added first. */
static inline struct culprit *sample_add_culprit(struct sample *sample, const char *comm,
	unsigned int cpu, const char *vm, bool running)
{
	struct culprit *culprit =
		must(array_push(&sample->culprits, &sample->n_culprits));

	culprit->cpu = cpu;
	culprit->running = running;
	culprit->vcpu = sample->cpus[cpu].vcpu;
	culprit->tid = 777;
	culprit->time = sample->now - (running ? 0 : SECOND / 2);
	culprit->ns = 2000000;
	snprintf(culprit->comm, sizeof(culprit->comm), "%s", comm);
	snprintf(culprit->vm, sizeof(culprit->vm), "%s", vm);
	return culprit;
}

static inline struct view view_of(const struct sample *before, const struct sample *now)
{
	struct view view;

	if (view_compute(before, now, &view))
		abort();
	return view;
}
