// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the observer is told of a VM: where each of its threads may run, and which CPUs
 * are theirs. A thread's rule and its group come from the same set of the VM's claim.
 */
#include "user/model/desired_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

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

void desired_rules_init(struct desired_vm *vm)
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

void desired_rules_guard(struct desired_vm *vm, const struct vm_policy *pins)
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

int desired_rules_place(struct desired_vm *vm, const struct claim *claim)
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

int desired_rules_observe(struct desired_vm *vm, const struct vm_policy *pins)
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

int desired_rules_observe_claim(struct desired_vm *vm, const struct claim *claim)
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
