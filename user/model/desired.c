// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/desired_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/hash.h"

static void desired_vm_deinit(struct desired_vm *vm)
{
	for (size_t i = 0; i < vm->n_groups; i++)
		free(vm->groups[i].path);
	free(vm->groups);
	free(vm->thread_groups);
	free(vm->reason);
	policy_ref_deinit(&vm->wish);
	rule_vm_deinit(&vm->rules);
}

void desired_deinit(struct desired *desired)
{
	for (size_t i = 0; i < desired->n_vms; i++)
		desired_vm_deinit(&desired->vms[i]);
	free(desired->vms);
	for (size_t i = 0; i < desired->n_classes; i++)
		free(desired->classes[i].path);
	free(desired->classes);
	explanation_deinit(&desired->explanation);
	memset(desired, 0, sizeof(*desired));
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct desired_vm *)item)->vm->name);
}

const struct desired_vm *desired_find(const struct desired *desired, const char *name)
{
	if (!desired->n_vms)
		return NULL;
	return bsearch(
		name, desired->vms, desired->n_vms, sizeof(*desired->vms), compare_name);
}

const struct desired_class *desired_find_class(
	const struct desired *desired, const char *path)
{
	for (size_t i = 0; i < desired->n_classes; i++)
		if (!strcmp(desired->classes[i].path, path))
			return &desired->classes[i];
	return NULL;
}

const struct found_vm *desired_record(
	const struct desired_input *input, const struct vm *vm)
{
	const struct found_vm *record =
		found_vm_find(input->records, input->n_records, vm->name);

	return record && found_vm_is_of(record, vm->pid, vm->start_time) ? record : NULL;
}

bool leaf_has_cpus(const struct group *leaf, const struct desired_group *wanted)
{
	static const struct cpuset none;

	return leaf && leaf->has_cpuset &&
	       cpuset_equal(&leaf->cpus, wanted->floats ? &none : &wanted->cpus);
}

const struct desired_group *desired_find_group(
	const struct desired_vm *vm, const char *path)
{
	for (size_t i = 0; i < vm->n_groups; i++)
		if (!strcmp(vm->groups[i].path, path))
			return &vm->groups[i];
	return NULL;
}

uint64_t desired_fingerprint(const struct desired_vm *vm)
{
	uint64_t hash = HASH_NOTHING;

	for (size_t i = 0; i < vm->n_groups; i++) {
		const struct desired_group *group = &vm->groups[i];

		hash = hash_add(hash, group->path, strlen(group->path) + 1);
		hash = hash_add(hash, &group->partition, sizeof(group->partition));
		hash = hash_add(hash, &group->cpus, sizeof(group->cpus));
		hash = hash_add(hash, &group->floats, sizeof(group->floats));
		hash = hash_add(hash, &group->mems, sizeof(group->mems));
	}
	return hash | 1;
}

const struct cpuset *desired_thread_set(const struct desired_vm *vm, size_t thread)
{
	return &vm->rules.threads[thread].set;
}

static struct desired_group *add_group(struct desired_vm *vm, const char *path,
	enum partition partition, const struct cpuset *cpus)
{
	char *copy = strdup(path);
	struct desired_group *group =
		copy ? array_push(&vm->groups, &vm->n_groups) : NULL;

	if (!group) {
		free(copy);
		return NULL;
	}
	group->path = copy;
	group->partition = partition;
	group->cpus = *cpus;
	return group;
}

/* What the VM's own group is to have: all that its leaves have. */
static struct cpuset top_cpus(const struct claim *claim)
{
	struct cpuset cpus = claim->all;

	for (size_t i = 0; i < claim->n_sets; i++)
		if (claim->sets[i].open || claim->sets[i].shares)
			cpuset_or(&cpus, &claim->sets[i].cpus);
	return cpus;
}

/* groups[i + 1] is the leaf of claim->sets[i]. */
static int add_groups(struct desired_vm *vm, const struct claim *claim)
{
	struct cpuset cpus = top_cpus(claim);

	vm->reserved = claim->all;
	if (!add_group(vm, claim->top,
		    claim->scheme == SCHEME_ROOT ? PARTITION_ROOT : PARTITION_MEMBER,
		    &cpus))
		return -ENOMEM;
	for (size_t i = 0; i < claim->n_sets; i++) {
		const struct claim_set *set = &claim->sets[i];
		bool vcpu = set->class == THREAD_VCPU;
		cleanup_free char *path = layout_leaf(claim->top, set->class, set->index);
		struct desired_group *group =
			path ? add_group(vm, path,
				       vcpu && claim->scheme != SCHEME_CLASS
					       ? vm->wish.policy->partition
					       : PARTITION_MEMBER,
				       &set->cpus)
			     : NULL;

		if (!group)
			return -ENOMEM;
		group->floats = set->floats;
	}
	return 0;
}

/* Of libvirt's VMs memory is libvirt's (numatune). */
static void set_memory(struct desired_vm *vm, const struct claim *claim,
	const struct desired_input *input)
{
	struct cpuset cpus = {};

	if (vm->wish.policy->memory != MEMORY_FOLLOW || vm->layout != LAYOUT_OWN)
		return;
	for (size_t i = 0; i < claim->n_sets; i++)
		if (claim->sets[i].class == THREAD_VCPU)
			cpuset_or(&cpus, &claim->sets[i].cpus);
	vm->groups[0].mems = topology_nodes(input->topology, &cpus);
}

static int compute_vm(struct desired_vm *vm, const struct claims *claims,
	const struct vm_policy *pins, const struct desired_input *input)
{
	const struct claim *claim = claims_find(claims, vm->vm->name);

	desired_rules_init(vm);
	if (claim)
		vm->scheme = claim->scheme;
	if (claim && !claim->reason) {
		vm->kind = DESIRED_PLACED;
		if (add_groups(vm, claim) || desired_rules_place(vm, claim))
			return -ENOMEM;
		set_memory(vm, claim, input);
		return 0;
	}
	if (vm->wish.policy->kind == POLICY_OBSERVE) {
		vm->kind = DESIRED_OBSERVED;
		return desired_rules_observe(vm, pins);
	}
	vm->reason = strdup(claim->reason);
	if (!vm->reason)
		return -ENOMEM;
	vm->kind = claim->pins_hold ? DESIRED_OBSERVED : DESIRED_KEPT;
	return vm->kind == DESIRED_OBSERVED ? desired_rules_observe_claim(vm, claim)
					    : desired_rules_observe(vm, NULL);
}

static int add_classes(struct desired *desired, const struct claims *claims)
{
	for (size_t i = 0; i < claims->n_classes; i++) {
		struct desired_class *class;

		if (cpuset_empty(&claims->classes[i].all))
			continue;
		class = array_push(&desired->classes, &desired->n_classes);
		if (!class)
			return -ENOMEM;
		class->path = strdup(claims->classes[i].path);
		if (!class->path)
			return -ENOMEM;
		class->cpus = claims->classes[i].all;
	}
	return 0;
}

static int add_vm(struct desired *desired, const struct vm *facts,
	const struct claims *claims, const struct desired_input *input)
{
	CLEANUP(policy_ref_deinit) struct policy_ref wish = {};
	const struct vm_policy *pins;
	struct desired_vm *vm;

	if (config_refer(input->config, facts->name, &wish))
		return -ENOMEM;
	if (wish.policy->kind == POLICY_IGNORE)
		return 0;
	vm = array_push(&desired->vms, &desired->n_vms);
	if (!vm)
		return -ENOMEM;
	vm->vm = facts;
	vm->wish = wish;
	wish.own = NULL; /* the VM's now */
	vm->layout = layout_of(facts);
	pins = config_is_released(input->config, facts->name)
		       ? NULL
		       : config_find_vm(input->config, facts->name);
	if (compute_vm(vm, claims, pins, input))
		return -ENOMEM;
	desired_rules_guard(vm, pins);
	return 0;
}

/* Taken over from the claim of the VM that was asked for. */
static void take_explanation(
	struct desired *desired, const struct claims *claims, const char *name)
{
	for (size_t i = 0; name && i < claims->n_items; i++)
		if (!strcmp(claims->items[i].vm->name, name)) {
			desired->explanation = claims->items[i].explanation;
			claims->items[i].explanation = (struct explanation){};
		}
}

int desired_compute(const struct desired_input *input, struct desired *ret_desired)
{
	struct desired desired = {};
	struct claims claims;
	int r;

	r = claims_compute(input, &claims);
	if (r)
		return r;
	r = add_classes(&desired, &claims);
	for (size_t i = 0; !r && i < input->vms->n_items; i++)
		r = add_vm(&desired, &input->vms->items[i], &claims, input);
	take_explanation(&desired, &claims, input->explain);
	claims_deinit(&claims);
	if (r) {
		desired_deinit(&desired);
		return r;
	}
	*ret_desired = desired;
	return 0;
}
