// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/desired.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/claims.h"

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

/*
 * QEMU's workers are born where their maker is: those of an iothread with a group of its
 * own belong there with it.
 */
static bool is_worker_of(
	const struct claim *claim, size_t set, const struct vm_thread *thread)
{
	cleanup_free char *leaf = NULL;

	if (claim->sets[set].class != THREAD_IOTHREAD ||
		thread->class != THREAD_EMULATOR || thread->tid == claim->vm->pid ||
		!claim->top)
		return false;
	leaf = layout_leaf(claim->top, THREAD_IOTHREAD, claim->sets[set].index);
	return leaf && !strcmp(leaf, thread->cgroup);
}

static size_t find_set(const struct claim *claim, const struct vm_thread *thread)
{
	for (size_t i = 1; i < claim->n_sets; i++)
		if (is_worker_of(claim, i, thread))
			return i;
	for (size_t i = 1; i < claim->n_sets; i++)
		if (claim->sets[i].class == thread->class &&
			claim->sets[i].index == thread->index)
			return i;
	return 0; /* the emulator's */
}

/* Does nobody else of the VM share the set? */
static bool is_alone(const struct claim *claim, size_t set)
{
	for (size_t i = 0; i < claim->n_sets; i++)
		if (i != set &&
			cpuset_intersects(&claim->sets[i].cpus, &claim->sets[set].cpus))
			return false;
	return true;
}

static void init_rules(struct desired_vm *vm)
{
	memcpy(vm->rules.name, vm->vm->name, sizeof(vm->rules.name));
	vm->rules.pid = vm->vm->pid;
	vm->rules.start_time = vm->vm->start_time;
	vm->rules.unborn = vm_born(vm->vm) < vm->vm->n_threads;
}

static bool has_pins(const struct vm_policy *pins)
{
	return pins &&
	       (pins->n_vcpu_pins || pins->n_iothread_pins || pins->has_emulator_pin);
}

/*
 * From when all its threads are there: until then QEMU and who starts it put them where
 * they belong. A VM that is only watched is left to everybody.
 */
static void set_guard(struct desired_vm *vm, const struct vm_policy *pins)
{
	enum guard guard = vm->wish.policy->guard;

	if (guard == GUARD_OFF || vm->rules.unborn)
		return;
	vm->rules.guard = vm->kind == DESIRED_PLACED ? guard : GUARD_LOG;
	vm->rules.libvirt_pins = vm->vm->libvirt && !has_pins(pins);
}

static struct rule_thread *add_rule(
	struct desired_vm *vm, const struct vm_thread *thread, const struct cpuset *set)
{
	struct rule_thread *rule = array_push(&vm->rules.threads, &vm->rules.n_threads);

	if (!rule)
		return NULL;
	rule->tid = thread->tid;
	rule->start_time = thread->start_time;
	rule->class = thread->class;
	rule->index = thread->index;
	rule->set = *set;
	return rule;
}

/*
 * While some of its threads are yet to be born, who of the VM runs where on its CPUs is
 * not settled: a new thread is nobody yet, and its maker is where it is to be born.
 */
static struct cpuset whole_of(const struct claim *claim)
{
	struct cpuset cpus = claim->all;

	for (size_t i = 0; i < claim->n_sets; i++)
		cpuset_or(&cpus, &claim->sets[i].cpus);
	return cpus;
}

static int add_threads(struct desired_vm *vm, const struct claim *claim)
{
	size_t n = vm->vm->n_threads;
	struct cpuset whole = whole_of(claim);
	bool unborn = vm_born(vm->vm) < n;

	vm->thread_groups = calloc(n ? n : 1, sizeof(*vm->thread_groups));
	if (!vm->thread_groups)
		return -ENOMEM;
	vm->rules.set = claim->sets[0].cpus;
	/* One that is not known yet may be an iothread's worker. */
	for (size_t i = 1; i < claim->n_sets; i++)
		if (claim->sets[i].class == THREAD_IOTHREAD)
			cpuset_or(&vm->rules.set, &claim->sets[i].cpus);
	if (unborn)
		vm->rules.set = whole;
	vm->rules.owned = claim->all;
	for (size_t i = 0; i < n; i++) {
		size_t set = find_set(claim, &vm->vm->threads[i]);
		struct rule_thread *rule;

		vm->thread_groups[i] = set + 1;
		if (!vm->vm->threads[i].tid)
			continue;
		rule = add_rule(vm, &vm->vm->threads[i],
			unborn && !set ? &whole : &claim->sets[set].cpus);
		if (!rule)
			return -ENOMEM;
		rule->owns = rule->class == THREAD_VCPU && is_alone(claim, set) &&
			     cpuset_subset(&rule->set, &claim->all);
		if (rule->owns)
			cpuset_andnot(&vm->rules.owned, &rule->set);
	}
	return 0;
}

/* Only watched: a thread may run where a pin says, else anywhere. */
static int observe(struct desired_vm *vm, const struct vm_policy *pins)
{
	struct cpuset all;

	memset(&all, 0xff, sizeof(all));
	vm->rules.set = pins && pins->has_emulator_pin ? pins->emulator_pin : all;
	for (size_t i = 0; i < vm_born(vm->vm); i++) {
		const struct vm_thread *thread = &vm->vm->threads[i];
		const struct cpuset *set = &vm->rules.set;

		if (thread->class == THREAD_VCPU)
			set = pins ? vm_policy_vcpu_pin(pins, (unsigned int)thread->index)
				   : NULL;
		else if (thread->class == THREAD_IOTHREAD)
			set = pins ? vm_policy_iothread_pin(
					     pins, (unsigned int)thread->index)
				   : NULL;
		if (!add_rule(vm, thread, set ? set : &all))
			return -ENOMEM;
	}
	return 0;
}

/* libvirt's pins cannot be made partitions; they can be watched. */
static int observe_claim(struct desired_vm *vm, const struct claim *claim)
{
	const struct vm *facts = vm->vm;
	struct cpuset all;

	memset(&all, 0xff, sizeof(all));
	vm->rules.set = claim->sets[0].floats ? all : claim->sets[0].cpus;
	for (size_t i = 0; i < vm_born(facts); i++) {
		const struct claim_set *set =
			&claim->sets[find_set(claim, &facts->threads[i])];

		if (!add_rule(vm, &facts->threads[i], set->pinned ? &set->cpus : &all))
			return -ENOMEM;
	}
	return 0;
}

static int compute_vm(struct desired_vm *vm, const struct claims *claims,
	const struct vm_policy *pins, const struct desired_input *input)
{
	const struct claim *claim = claims_find(claims, vm->vm->name);

	init_rules(vm);
	if (claim)
		vm->scheme = claim->scheme;
	if (claim && !claim->reason) {
		vm->kind = DESIRED_PLACED;
		if (add_groups(vm, claim) || add_threads(vm, claim))
			return -ENOMEM;
		set_memory(vm, claim, input);
		return 0;
	}
	if (vm->wish.policy->kind == POLICY_OBSERVE) {
		vm->kind = DESIRED_OBSERVED;
		return observe(vm, pins);
	}
	vm->reason = strdup(claim->reason);
	if (!vm->reason)
		return -ENOMEM;
	vm->kind = claim->pins_hold ? DESIRED_OBSERVED : DESIRED_KEPT;
	return vm->kind == DESIRED_OBSERVED ? observe_claim(vm, claim)
					    : observe(vm, NULL);
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
	pins = config_find_vm(input->config, facts->name);
	if (compute_vm(vm, claims, pins, input))
		return -ENOMEM;
	set_guard(vm, pins);
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
