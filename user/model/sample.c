// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/sample.h"

#include <stdlib.h>
#include <string.h>

void sample_deinit(struct sample *sample)
{
	for (size_t i = 0; i < sample->n_vms; i++) {
		free(sample->vms[i].vcpus);
		free(sample->vms[i].reason);
	}
	free(sample->vms);
	free(sample->cpus);
	free(sample->culprits);
	memset(sample, 0, sizeof(*sample));
}

static int compare_cpu(const void *key, const void *item)
{
	unsigned int cpu = *(const unsigned int *)key;
	const struct sample_cpu *other = item;

	return cpu < other->cpu ? -1 : cpu > other->cpu;
}

const struct sample_cpu *sample_find_cpu(const struct sample *sample, unsigned int cpu)
{
	if (!sample->n_cpus)
		return NULL;
	return bsearch(
		&cpu, sample->cpus, sample->n_cpus, sizeof(*sample->cpus), compare_cpu);
}

const struct sample_vm *sample_find_vm(
	const struct sample *sample, pid_t pid, uint64_t start_time)
{
	for (size_t i = 0; i < sample->n_vms; i++)
		if (sample->vms[i].pid == pid && sample->vms[i].start_time == start_time)
			return &sample->vms[i];
	return NULL;
}

static int compare_index(const void *key, const void *item)
{
	int index = *(const int *)key;
	const struct sample_vcpu *vcpu = item;

	return index < vcpu->tally.index ? -1 : index > vcpu->tally.index;
}

const struct sample_vcpu *sample_find_vcpu(const struct sample_vm *vm, int index)
{
	if (!vm->n_vcpus)
		return NULL;
	return bsearch(&index, vm->vcpus, vm->n_vcpus, sizeof(*vm->vcpus), compare_index);
}

const char *sample_observer_name(enum sample_observer observer)
{
	static const char *const names[] = {"absent", "blind", "running"};

	return names[observer];
}
