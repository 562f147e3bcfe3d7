// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of a sample that stands for a while: no counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/sampler_parts.h"
#include "user/model/cpulist.h"

static int compare_vcpus(const void *a, const void *b)
{
	return ((const struct sample_vcpu *)a)->tally.index -
	       ((const struct sample_vcpu *)b)->tally.index;
}

static int add_vcpus(
	const struct cycle *cycle, const struct desired_vm *from, struct sample_vm *vm)
{
	const struct cpuset *online = &cycle->topology.online;

	for (size_t i = 0; i < vm_born(from->vm); i++) {
		const struct cpuset *declared = desired_thread_set(from, i);
		cleanup_free char *set = NULL;
		struct sample_vcpu *vcpu;

		if (from->vm->threads[i].class != THREAD_VCPU)
			continue;
		vcpu = array_push(&vm->vcpus, &vm->n_vcpus);
		/* Somebody who may run anywhere may run on what there is. */
		set = cpulist_format(cpuset_subset(online, declared) ? online : declared);
		if (!vcpu || !set)
			return -ENOMEM;
		vcpu->tally.tid = from->vm->threads[i].tid;
		vcpu->tally.index = from->vm->threads[i].index;
		vcpu->last_cpu = from->vm->threads[i].last_cpu;
		vcpu->tally.run_ns = from->vm->threads[i].run_ns;
		snprintf(vcpu->set, sizeof(vcpu->set), "%s", set);
	}
	if (vm->n_vcpus)
		qsort(vm->vcpus, vm->n_vcpus, sizeof(*vm->vcpus), compare_vcpus);
	return 0;
}

static int add_vm(const struct cycle *cycle, size_t index, struct sample *sample)
{
	const struct desired_vm *from = &cycle->desired.vms[index];
	struct sample_vm *vm = array_push(&sample->vms, &sample->n_vms);
	enum vm_state state;
	int r;

	if (!vm)
		return -ENOMEM;
	memcpy(vm->name, from->vm->name, sizeof(vm->name));
	vm->pid = from->vm->pid;
	vm->start_time = from->vm->start_time;
	r = cycle_vm_state(cycle, index, &state, &vm->reason);
	if (r)
		return r;
	snprintf(vm->state, sizeof(vm->state), "%s", vm_state_name(state));
	return add_vcpus(cycle, from, vm);
}

/* Who has CPUs and is no VM that runs has ended. */
static int add_ended(const struct owners *owners, struct sample *sample)
{
	for (size_t i = 0; i < owners->n_items; i++) {
		struct sample_vm *vm;
		size_t j = 0;

		while (j < sample->n_vms &&
			strcmp(sample->vms[j].name, owners->items[i].vm) != 0)
			j++;
		if (j < sample->n_vms)
			continue;
		vm = array_push(&sample->vms, &sample->n_vms);
		if (!vm)
			return -ENOMEM;
		memcpy(vm->name, owners->items[i].vm, sizeof(vm->name));
		strcpy(vm->state, "ended");
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(
		((const struct sample_vm *)a)->name, ((const struct sample_vm *)b)->name);
}

static int index_of_vm(const struct sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->n_vms; i++)
		if (!strcmp(sample->vms[i].name, name))
			return (int)i;
	return -1;
}

static int add_cpus(
	const struct cycle *cycle, const struct owners *owners, struct sample *sample)
{
	cpuset_for_each (cpu, &cycle->topology.present) {
		struct sample_cpu *to = array_push(&sample->cpus, &sample->n_cpus);
		const struct owner *owner = owners_find(owners, (unsigned int)cpu);
		const struct group *group =
			tree_partition_of(&cycle->actual.tree, (unsigned int)cpu);

		if (!to)
			return -ENOMEM;
		to->cpu = (unsigned int)cpu;
		to->online = cpuset_has(&cycle->topology.online, (unsigned int)cpu);
		to->node = cycle->topology.places[cpu].node;
		to->core = cycle->topology.places[cpu].core;
		to->shared = !owner && group && is_class_group(group->path);
		to->owner = owner ? index_of_vm(sample, owner->vm) : -1;
		to->vcpu = owner ? owner->vcpu : -1;
	}
	return 0;
}

int sampler_read_standing(const struct cycle *cycle, const struct owners *owners,
	struct sample *ret_standing)
{
	struct sample standing = {};
	struct utsname names;
	int r = 0;

	if (!uname(&names)) {
		snprintf(standing.host, sizeof(standing.host), "%s", names.nodename);
		snprintf(standing.kernel, sizeof(standing.kernel), "%s", names.release);
	}
	for (size_t i = 0; !r && i < cycle->desired.n_vms; i++)
		r = add_vm(cycle, i, &standing);
	if (!r)
		r = add_ended(owners, &standing);
	if (!r && standing.n_vms)
		qsort(standing.vms, standing.n_vms, sizeof(*standing.vms), compare_names);
	if (!r)
		r = add_cpus(cycle, owners, &standing);
	if (r)
		sample_deinit(&standing);
	else
		*ret_standing = standing;
	return r;
}
