// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/policy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_init(struct config *config)
{
	*config = (struct config){
		.defaults =
			{
				.kind = POLICY_OBSERVE,
				.partition = PARTITION_ISOLATED,
				.emulator = PLACE_OWN,
				.iothreads = PLACE_EMULATOR,
				.class = CLASS_DEFAULT,
				.numa = NUMA_PREFER,
				.smt = SMT_PREFER,
				.memory = MEMORY_LEAVE,
				.guard = GUARD_OFF,
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
	free(config->patterns);
	free(config->classes);
	free(config->released);
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

static void lay_over(struct policy *policy, const struct policy *over, unsigned int given)
{
	if (given & POLICY_KEY_KIND)
		policy->kind = over->kind;
	if (given & POLICY_KEY_PARTITION)
		policy->partition = over->partition;
	if (given & POLICY_KEY_EMULATOR) {
		policy->emulator = over->emulator;
		policy->emulator_cpus = over->emulator_cpus;
	}
	if (given & POLICY_KEY_IOTHREADS) {
		policy->iothreads = over->iothreads;
		policy->iothread_cpus = over->iothread_cpus;
	}
	if (given & POLICY_KEY_CLASS)
		memcpy(policy->class, over->class, sizeof(policy->class));
	if (given & POLICY_KEY_DEDICATED)
		policy->dedicated = over->dedicated;
	if (given & POLICY_KEY_NUMA)
		policy->numa = over->numa;
	if (given & POLICY_KEY_SMT)
		policy->smt = over->smt;
	if (given & POLICY_KEY_MEMORY)
		policy->memory = over->memory;
	if (given & POLICY_KEY_GUARD)
		policy->guard = over->guard;
}

bool config_is_released(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_released; i++)
		if (!strcmp(config->released[i], name))
			return true;
	return config->all_released;
}

void config_policy(
	const struct config *config, const char *name, struct policy *ret_policy)
{
	const struct vm_policy *vm = config_find_vm(config, name);

	*ret_policy = vm ? vm->policy : config->defaults;
	for (size_t i = 0; !vm && i < config->n_patterns; i++)
		if (!fnmatch(config->patterns[i].glob, name, 0))
			lay_over(ret_policy, &config->patterns[i].policy,
				config->patterns[i].given);
	if (config_is_released(config, name))
		ret_policy->kind = POLICY_OBSERVE;
}

int config_refer(
	const struct config *config, const char *name, struct policy_ref *ret_ref)
{
	const struct vm_policy *vm = config_find_vm(config, name);
	bool made = config_is_released(config, name);

	for (size_t i = 0; !vm && !made && i < config->n_patterns; i++)
		made = !fnmatch(config->patterns[i].glob, name, 0);
	*ret_ref = (struct policy_ref){.policy = vm ? &vm->policy : &config->defaults};
	if (!made)
		return 0;
	ret_ref->policy = ret_ref->own = malloc(sizeof(*ret_ref->own));
	if (!ret_ref->own)
		return -ENOMEM;
	config_policy(config, name, ret_ref->own);
	return 0;
}

void policy_ref_deinit(struct policy_ref *ref)
{
	free(ref->own);
	*ref = (struct policy_ref){};
}

static int compare_class(const void *key, const void *item)
{
	return strcmp(key, ((const struct vm_class *)item)->name);
}

bool config_has_class(const struct config *config, const char *name)
{
	return !strcmp(name, CLASS_DEFAULT) ||
	       (config->n_classes && bsearch(name, config->classes, config->n_classes,
					     sizeof(*config->classes), compare_class));
}

struct vm_class config_class(const struct config *config, const char *name)
{
	struct vm_class class = {.overcommit = OVERCOMMIT_DEFAULT};
	const struct vm_class *found = NULL;

	if (config->n_classes)
		found = bsearch(name, config->classes, config->n_classes, sizeof(*found),
			compare_class);
	snprintf(class.name, sizeof(class.name), "%s", name);
	return found ? *found : class;
}

int pin_compare(const void *a, const void *b)
{
	const struct pin *pin_a = a, *pin_b = b;

	return pin_a->index < pin_b->index ? -1 : pin_a->index > pin_b->index;
}

static const struct cpuset *find_pin(
	const struct pin *pins, size_t n_pins, unsigned int index)
{
	const struct pin key = {.index = index};
	const struct pin *pin = NULL;

	if (n_pins)
		pin = bsearch(&key, pins, n_pins, sizeof(*pins), pin_compare);
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

const char *guard_name(enum guard guard)
{
	static const char *const names[] = {
		[GUARD_OFF] = "off",
		[GUARD_LOG] = "log",
		[GUARD_DENY] = "deny",
	};

	return names[guard];
}

bool config_wants_guard(const struct config *config)
{
	bool wants = config->defaults.guard != GUARD_OFF;

	for (size_t i = 0; i < config->n_patterns; i++)
		wants |= config->patterns[i].policy.guard != GUARD_OFF;
	for (size_t i = 0; i < config->n_vms; i++)
		wants |= config->vms[i].policy.guard != GUARD_OFF;
	return wants;
}
