// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/pin_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"

const struct cpuset *pin_of(
	const struct vm_policy *policy, enum thread_class class, unsigned int index)
{
	if (!policy)
		return NULL;
	if (class == THREAD_VCPU)
		return vm_policy_vcpu_pin(policy, index);
	if (class == THREAD_IOTHREAD)
		return vm_policy_iothread_pin(policy, index);
	return policy->has_emulator_pin ? &policy->emulator_pin : NULL;
}

static int tell_owner(char **ret_reason, const struct cpuset *owned,
	const struct cpuset *cpus, const char *kind, const char *name)
{
	struct cpuset both = *owned;

	cpuset_and(&both, cpus);
	if (cpuset_empty(&both))
		return 0;
	return asprintf(ret_reason, "CPU %d is reserved by %s %s", cpuset_next(&both, 0),
		       kind, name) < 0
		       ? -ENOMEM
		       : 0;
}

/* The CPUs of the class that a VM is of. */
static int find_class(const struct desired *desired, const struct desired_vm *vm,
	const struct cpuset **ret_cpus)
{
	cleanup_free char *path = class_group_path(vm->wish.policy->class);
	const struct desired_class *class;

	if (!path)
		return -ENOMEM;
	class = desired_find_class(desired, path);
	*ret_cpus = class ? &class->cpus : NULL;
	return 0;
}

int pin_check_reserved(const struct desired *desired, const char *vm,
	const struct policy *policy, const struct cpuset *cpus, char **ret_reason)
{
	char *reason = NULL;
	int r = 0;

	for (size_t i = 0; !r && !reason && i < desired->n_vms; i++) {
		const struct desired_vm *other = &desired->vms[i];
		const struct cpuset *class = NULL;

		if (!strcmp(other->vm->name, vm))
			continue;
		r = tell_owner(&reason, &other->reserved, cpus, "VM", other->vm->name);
		if (!r && !reason && other->wish.policy->kind == POLICY_SHARED &&
			(policy->kind != POLICY_SHARED ||
				strcmp(policy->class, other->wish.policy->class)))
			r = find_class(desired, other, &class);
		if (!r && class)
			r = tell_owner(
				&reason, class, cpus, "class", other->wish.policy->class);
	}
	if (!r)
		*ret_reason = reason;
	return r;
}

/* The vCPU of that policy which is pinned to one of these CPUs, but not vCPU `except`. */
static const struct pin *find_vcpu(const struct vm_policy *policy,
	const struct cpuset *cpus, int except, struct cpuset *ret_both)
{
	for (size_t i = 0; i < policy->n_vcpu_pins; i++) {
		const struct pin *pin = &policy->vcpu_pins[i];

		*ret_both = pin->cpus;
		cpuset_and(ret_both, cpus);
		if (!cpuset_empty(ret_both) && (int)pin->index != except)
			return pin;
	}
	return NULL;
}

static int tell(char **ret_reason, const struct cpuset *both, const struct pin *pin,
	const char *vm)
{
	return asprintf(ret_reason, "CPU %d is pinned to vCPU %u%s%s",
		       cpuset_next(both, 0), pin->index, *vm ? " of VM " : "", vm) < 0
		       ? -ENOMEM
		       : 0;
}

int pin_check_configured(const struct config *config, const char *vm,
	enum thread_class class, unsigned int index, char **ret_reason)
{
	const struct vm_policy *policy = config_find_vm(config, vm);
	const struct cpuset *cpus = pin_of(policy, class, index);
	const struct pin *pin;
	struct cpuset both;

	*ret_reason = NULL;
	if (!cpus || policy->policy.kind != POLICY_DEDICATED)
		return 0;
	for (size_t i = 0; i < config->n_vms; i++) {
		const struct vm_policy *other = &config->vms[i];

		if (other == policy || other->policy.kind != POLICY_DEDICATED)
			continue;
		pin = find_vcpu(other, cpus, -1, &both);
		if (pin)
			return tell(ret_reason, &both, pin, other->name);
	}
	if (class != THREAD_VCPU)
		return 0;
	both = *cpus;
	cpuset_and(&both, &config->housekeeping);
	if (config->has_housekeeping && !cpuset_empty(&both))
		return asprintf(ret_reason,
			       "CPU %d, pinned to vCPU %u, is a housekeeping CPU",
			       cpuset_next(&both, 0), index) < 0
			       ? -ENOMEM
			       : 0;
	pin = find_vcpu(policy, cpus, (int)index, &both);
	return pin && policy->policy.partition != PARTITION_MEMBER
		       ? tell(ret_reason, &both, pin, "")
		       : 0;
}
