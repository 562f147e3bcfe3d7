// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/policy.h"

#include <stdlib.h>
#include <string.h>

void config_init(struct config *config)
{
	*config = (struct config){
		.defaults =
			{
				.kind = POLICY_OBSERVE,
				.partition = PARTITION_ISOLATED,
				.emulator = EMULATOR_OWN,
				.numa = NUMA_PREFER,
				.smt = SMT_PREFER,
				.memory = MEMORY_LEAVE,
			},
		.listen = "127.0.0.1:9753",
	};
}

void vm_policy_deinit(struct vm_policy *policy)
{
	free(policy->vcpu_pins);
	free(policy->iothread_pins);
	memset(policy, 0, sizeof(*policy));
}

void config_deinit(struct config *config)
{
	for (size_t i = 0; i < config->n_vms; i++)
		vm_policy_deinit(&config->vms[i]);
	free(config->vms);
	memset(config, 0, sizeof(*config));
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct vm_policy *)item)->name);
}

const struct vm_policy *config_find_vm(const struct config *config, const char *name)
{
	if (!config->n_vms)
		return NULL;
	return bsearch(
		name, config->vms, config->n_vms, sizeof(*config->vms), compare_name);
}

static int compare_index(const void *key, const void *item)
{
	unsigned int index = *(const unsigned int *)key;
	const struct pin *pin = item;

	return index < pin->index ? -1 : index > pin->index;
}

static const struct cpuset *find_pin(
	const struct pin *pins, size_t n_pins, unsigned int index)
{
	const struct pin *pin = NULL;

	if (n_pins)
		pin = bsearch(&index, pins, n_pins, sizeof(*pins), compare_index);
	return pin ? &pin->cpus : NULL;
}

const struct cpuset *vm_policy_vcpu_pin(
	const struct vm_policy *policy, unsigned int index)
{
	return find_pin(policy->vcpu_pins, policy->n_vcpu_pins, index);
}

const struct cpuset *vm_policy_iothread_pin(
	const struct vm_policy *policy, unsigned int index)
{
	return find_pin(policy->iothread_pins, policy->n_iothread_pins, index);
}

const char *policy_kind_name(enum policy_kind kind)
{
	static const char *const names[] = {
		[POLICY_OBSERVE] = "observe",
		[POLICY_DEDICATED] = "dedicated",
		[POLICY_SHARED] = "shared",
		[POLICY_IGNORE] = "ignore",
	};

	return names[kind];
}

const char *partition_name(enum partition partition)
{
	static const char *const names[] = {
		[PARTITION_MEMBER] = "member",
		[PARTITION_ROOT] = "root",
		[PARTITION_ISOLATED] = "isolated",
	};

	return names[partition];
}
