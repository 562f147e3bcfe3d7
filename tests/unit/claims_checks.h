/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What has to hold of any claims, whoever asked for what. */
#include "tests/unit/random_claims.h"
#include "user/model/pools.h"

static unsigned long checked_seed;

#define check(condition, ...)                                                        \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "seed %lu: %s: ", checked_seed, #condition); \
			fprintf(stderr, __VA_ARGS__);                                \
			fprintf(stderr, "\n");                                       \
			fail_msg("see above");                                       \
		}                                                                    \
	} while (0)

static inline struct cpuset minus(struct cpuset a, struct cpuset b)
{
	cpuset_andnot(&a, &b);
	return a;
}

static inline bool is_placed(const struct desired_vm *vm)
{
	return vm->kind == DESIRED_PLACED;
}

/* The number of the first leaf's thread; every leaf has one. */
static inline const struct vm_thread *thread_of_leaf(
	const struct desired_vm *vm, size_t group)
{
	for (size_t i = 0; i < vm->vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->vm->threads[i];

		if (vm->thread_groups[i] == group &&
			(group == 1 || thread->class != THREAD_EMULATOR))
			return thread;
	}
	return NULL;
}

static inline bool is_vcpu_leaf(const struct desired_vm *vm, size_t group)
{
	const struct vm_thread *thread = thread_of_leaf(vm, group);

	return group > 1 && thread && thread->class == THREAD_VCPU;
}

/* Is the leaf for CPUs of the VM's own? */
static inline bool is_own_leaf(const struct desired_vm *vm, size_t group)
{
	return cpuset_subset(&vm->groups[group].cpus, &vm->reserved);
}

/* Did somebody write the CPUs of the leaf down? */
static inline bool is_written(
	const struct world *world, const struct desired_vm *vm, size_t group)
{
	const struct vm_policy *pins = config_find_vm(&world->host.config, vm->vm->name);
	const struct vm_thread *thread = thread_of_leaf(vm, group);
	unsigned int index = (unsigned int)thread->index;

	if (is_vcpu_leaf(vm, group))
		return pins && vm_policy_vcpu_pin(pins, index);
	if (group == 1)
		return (pins && pins->has_emulator_pin) ||
		       vm->wish.policy->emulator == PLACE_LIST;
	return (pins && vm_policy_iothread_pin(pins, index)) ||
	       vm->wish.policy->iothreads == PLACE_LIST;
}

static inline struct cpuset spare_of(const struct desired_vm *vm)
{
	struct cpuset spare = vm->reserved;

	for (size_t i = 1; i < vm->n_groups; i++)
		cpuset_andnot(&spare, &vm->groups[i].cpus);
	return spare;
}

static inline bool has_spare(const struct desired_vm *vm)
{
	struct cpuset spare = spare_of(vm);

	return !cpuset_empty(&spare);
}

static inline const struct desired_class *class_of(
	const struct world *world, const struct desired_vm *vm)
{
	const struct desired *desired = &world->host.desired;

	for (size_t i = 0; is_placed(vm) && i < desired->n_classes; i++)
		if (path_is_below(vm->groups[0].path, desired->classes[i].path))
			return &desired->classes[i];
	return NULL;
}

/* What a group right below the slice keeps from others. */
static inline struct cpuset held_by(const struct group *group)
{
	struct cpuset held = group->exclusive;

	if (group->partition.kind == PARTITION_ROOT)
		cpuset_or(&held, &group->cpus);
	return held;
}

/* Is it a group that stays, and is it somebody else's? */
static inline bool is_others(const struct world *world, const struct group *group,
	const char *vm, const struct desired_class *class)
{
	const struct desired *desired = &world->host.desired;

	if (!path_is_below(group->path, SLICE) ||
		strchr(group->path + strlen(SLICE "/"), '/'))
		return false;
	if (class && !strcmp(class->path, group->path))
		return false;
	for (size_t i = 0; i < desired->n_classes; i++)
		if (!strcmp(desired->classes[i].path, group->path))
			return true;
	for (size_t i = 0; i < desired->n_vms; i++) {
		const struct desired_vm *other = &desired->vms[i];

		if (strcmp(other->vm->name, vm) &&
			(is_placed(other) ? !strcmp(other->groups[0].path, group->path)
					  : other->kind == DESIRED_KEPT &&
						    is_group_of(group->path,
							    other->vm->name)))
			return true;
	}
	return false;
}

/* Nobody gets what another's group has by now. */
static inline void check_not_held(const struct world *world, const char *vm,
	const struct desired_class *class, const struct cpuset *cpus_of_it)
{
	const struct tree *tree = &world->host.tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		struct cpuset held = held_by(tree->groups[i]);

		if (is_others(world, tree->groups[i], vm, class))
			check(!cpuset_intersects(&held, cpus_of_it),
				"%s%s gets what /%s has", vm, class ? class->path : "",
				tree->groups[i]->path);
	}
}

/* No CPU twice, and none that is not there. */
static inline void check_owners(const struct world *world)
{
	const struct desired *desired = &world->host.desired;
	struct cpuset taken = {}, alone = {};

	for (size_t i = 0; i < desired->n_classes; i++) {
		const struct desired_class *class = &desired->classes[i];

		check(!cpuset_intersects(&class->cpus, &taken), "%s", class->path);
		cpuset_or(&taken, &class->cpus);
		check_not_held(world, "", class, &class->cpus);
	}
	for (size_t i = 0; i < desired->n_vms; i++) {
		const struct desired_vm *vm = &desired->vms[i];
		const struct desired_class *class = class_of(world, vm);

		if (!is_placed(vm))
			continue;
		check(!class == (vm->scheme != SCHEME_CLASS), "%s", vm->vm->name);
		check(!cpuset_intersects(&vm->reserved, class ? &alone : &taken), "%s",
			vm->vm->name);
		if (class)
			check(cpuset_subset(&vm->groups[0].cpus, &class->cpus), "%s",
				vm->vm->name);
		cpuset_or(&alone, &vm->reserved);
		cpuset_or(&taken, &vm->reserved);
		check_not_held(world, vm->vm->name, class, &vm->reserved);
	}
	check(cpuset_subset(&taken, &world->host.topology.online), "offline");
	for (size_t i = 0; i < desired->n_vms; i++)
		for (size_t j = 1;
			is_placed(&desired->vms[i]) && j < desired->vms[i].n_groups &&
			desired->vms[i].scheme == SCHEME_LEAVES;
			j++)
			check(is_own_leaf(&desired->vms[i], j) ||
					!cpuset_intersects(
						&desired->vms[i].groups[j].cpus, &taken),
				"%s", desired->vms[i].groups[j].path);
}

static inline void check_smt(const struct world *world, const struct desired_vm *vm)
{
	const struct topology *topology = &world->host.topology;

	for (size_t i = 1; i < vm->n_groups; i++) {
		const struct cpuset *own = &vm->groups[i].cpus;
		bool strict =
			vm->wish.policy->smt == SMT_REQUIRE ||
			(vm->wish.policy->smt == SMT_ISOLATE && is_vcpu_leaf(vm, i));

		if (!strict || !is_own_leaf(vm, i))
			continue;
		cpuset_for_each (cpu, own) {
			struct cpuset siblings =
				topology_siblings(topology, (unsigned int)cpu);

			check(cpuset_subset(&siblings, &vm->reserved), "%s: CPU %d",
				vm->groups[i].path, cpu);
			siblings = minus(siblings, *own);
			for (size_t j = 1;
				vm->wish.policy->smt == SMT_ISOLATE && j < vm->n_groups;
				j++)
				check(j == i || !cpuset_intersects(
							&vm->groups[j].cpus, &siblings),
					"%s", vm->groups[i].path);
		}
	}
}

static inline unsigned int count_nodes(
	const struct world *world, const struct cpuset *cpus_of_it)
{
	struct cpuset nodes = topology_nodes(&world->host.topology, cpus_of_it);

	return cpuset_weight(&nodes);
}

/* What was chosen is what the host gives, or what the VM had already. */
static inline void check_given(const struct world *world, const char *path,
	const struct cpuset *chosen, const struct cpuset *had)
{
	struct pools pools = pools_of(&world->host.config, &world->host.topology);
	struct cpuset fresh = minus(*chosen, *had);

	check(!cpuset_intersects(chosen, &pools.forbidden), "%s: housekeeping", path);
	check(cpuset_subset(&fresh, &pools.given), "%s: not given", path);
}

static inline void check_chosen(const struct world *world, const struct desired_vm *vm)
{
	const struct desired_class *class = class_of(world, vm);
	const struct group *group =
		tree_find(&world->host.tree, class ? class->path : vm->groups[0].path);
	struct cpuset had = group ? held_by(group) : (struct cpuset){};
	struct cpuset spare = spare_of(vm);

	check_given(world, vm->groups[0].path, &spare, &had);
	for (size_t i = 1; i < vm->n_groups; i++) {
		if (!is_own_leaf(vm, i) || is_written(world, vm, i))
			continue;
		check(cpuset_weight(&vm->groups[i].cpus) == 1, "%s", vm->groups[i].path);
		check_given(world, vm->groups[i].path, &vm->groups[i].cpus, &had);
	}
}

static inline void check_groups(const struct desired_vm *vm)
{
	struct cpuset sum = vm->reserved;

	for (size_t i = 1; i < vm->n_groups; i++) {
		const struct desired_group *one = &vm->groups[i];
		bool alone = one->partition != PARTITION_MEMBER ||
			     (vm->scheme == SCHEME_CLASS && is_own_leaf(vm, i));

		check(!cpuset_empty(&one->cpus), "%s", one->path);
		check(path_is_below(one->path, vm->groups[0].path), "%s", one->path);
		cpuset_or(&sum, &one->cpus);
		for (size_t j = 1; alone && j < vm->n_groups; j++)
			check(i == j || !cpuset_intersects(
						&one->cpus, &vm->groups[j].cpus),
				"%s and %s", one->path, vm->groups[j].path);
	}
	check(cpuset_equal(&sum, &vm->groups[0].cpus), "%s", vm->groups[0].path);
}

static inline void check_vms(const struct world *world)
{
	for (size_t i = 0; i < world->host.desired.n_vms; i++) {
		const struct desired_vm *vm = &world->host.desired.vms[i];

		check((vm->kind == DESIRED_KEPT) == (vm->reason != NULL), "%s",
			vm->vm->name);
		if (vm->reason)
			check(strlen(vm->reason) > 10 && !strchr(vm->reason, '\n'), "%s",
				vm->reason);
		if (!is_placed(vm))
			continue;
		check_groups(vm);
		check_chosen(world, vm);
		check_smt(world, vm);
		check(vm->wish.policy->numa != NUMA_SINGLE ||
				count_nodes(world, &vm->reserved) <= 1,
			"%s: not in one node", vm->vm->name);
	}
}

static inline void check_class(
	const struct world *world, const struct desired_class *class)
{
	const struct group *group = tree_find(&world->host.tree, class->path);
	struct cpuset had = group ? held_by(group) : (struct cpuset){};
	struct cpuset alone = {}, shared;
	struct vm_class wish_of_it = {};
	unsigned int n = 0;

	for (size_t i = 0; i < world->host.desired.n_vms; i++) {
		const struct desired_vm *vm = &world->host.desired.vms[i];

		if (class_of(world, vm) != class)
			continue;
		wish_of_it = config_class(&world->host.config, vm->wish.policy->class);
		cpuset_or(&alone, &vm->reserved);
	}
	check(*wish_of_it.name, "%s: no VM", class->path);
	shared = minus(class->cpus, alone);
	for (size_t i = 0; i < world->host.desired.n_vms; i++) {
		const struct desired_vm *vm = &world->host.desired.vms[i];

		for (size_t j = 1; class_of(world, vm) == class && j < vm->n_groups;
			j++) {
			if (is_own_leaf(vm, j))
				continue;
			check(cpuset_equal(&vm->groups[j].cpus, &shared), "%s",
				vm->groups[j].path);
			n += is_vcpu_leaf(vm, j);
		}
	}
	check(cpuset_weight(&shared) * wish_of_it.overcommit >= n * OVERCOMMIT_UNIT,
		"%s: %u vCPUs", class->path, n);
	if (wish_of_it.has_cpus)
		check(cpuset_equal(&wish_of_it.cpus, &shared), "%s", class->path);
	else
		check_given(world, class->path, &shared, &had);
}

static inline void check_classes(const struct world *world)
{
	for (size_t i = 0; i < world->host.desired.n_classes; i++)
		check_class(world, &world->host.desired.classes[i]);
}

static inline void check_host_keeps_a_cpu(const struct world *world)
{
	const struct desired *desired = &world->host.desired;
	const struct tree *tree = &world->host.tree;
	struct cpuset left = world->host.topology.online;

	for (size_t i = 0; i < desired->n_classes; i++)
		cpuset_andnot(&left, &desired->classes[i].cpus);
	for (size_t i = 0; i < desired->n_vms; i++)
		cpuset_andnot(&left, &desired->vms[i].reserved);
	for (size_t i = 0; i < tree->n_groups; i++) {
		struct cpuset held = held_by(tree->groups[i]);

		for (size_t j = 0; j < desired->n_vms; j++)
			if (desired->vms[j].kind == DESIRED_KEPT &&
				!strchr(vm_of_group(tree->groups[i]->path), '/') &&
				is_group_of(
					tree->groups[i]->path, desired->vms[j].vm->name))
				cpuset_andnot(&left, &held);
	}
	check(!cpuset_empty(&left), "the host has no CPU");
}
