// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of steps, and why:
 *
 * - What was found is recorded before the first change, and dropped after the last.
 * - CPUs are added to a parent before a child gets them, and taken from it after the child gave them up: a
 *   parent that shrinks from under a child damages it silently.
 * - Groups are complete, and their partitions valid, before the VM's threads come. If the kernel refuses,
 *   no thread was touched.
 * - Rules widen before the first thing that moves a thread, and narrow after the last.
 * - Children are members before their parent is made a partition again: otherwise they say valid and have
 *   the wrong CPUs. A group that is as it should be is not written.
 */
#include "user/model/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

void actual_deinit(struct actual *actual)
{
	tree_deinit(&actual->tree);
	for (size_t i = 0; i < actual->n_vms; i++)
		rule_vm_deinit(&actual->vms[i].rules);
	free(actual->vms);
	memset(actual, 0, sizeof(*actual));
}

/* Steps are collected here; the first one that finds no memory makes the whole fail. */
struct diff {
	const struct desired_vm *vm;
	const struct tree *tree;
	struct unit *unit;
	bool failed;
};

static struct step *add(struct diff *diff, enum step_kind kind, const char *path, const char *why)
{
	static struct step sink;
	struct step *step = unit_add(diff->unit, kind, path, why);

	if (!step)
		diff->failed = true;
	return step ? step : &sink;
}

static void set_cpus(struct diff *diff, const char *path, const struct cpuset *cpus, const char *why)
{
	add(diff, STEP_SET_CPUS, path, why)->cpus = *cpus;
}

static void set_partition(struct diff *diff, const char *path, enum partition partition,
	const char *why)
{
	add(diff, STEP_SET_PARTITION, path, why)->partition = partition;
}

static bool is_partition(const struct group *group, enum partition kind)
{
	return group && group->has_cpuset && group->partition.valid && group->partition.kind == kind;
}

static bool has_cpus(const struct group *group, const struct cpuset *cpus)
{
	return group && group->has_cpuset && cpuset_equal(&group->cpus, cpus);
}

/* CPUs of all VM groups but one. */
static struct cpuset other_cpus(const struct tree *tree, const char *except)
{
	struct cpuset cpus = {};

	for (size_t i = 0; i < tree->n_groups; i++) {
		const char *path = tree->groups[i].path;

		if (path_is_below(path, SLICE) && !strchr(path + strlen(SLICE "/"), '/') &&
			strcmp(path, except))
			cpuset_or(&cpus, &tree->groups[i].cpus);
	}
	return cpus;
}

/* A group with these CPUs at least, a partition root, that gives cpuset to its children. */
static void grow_root(struct diff *diff, const char *path, const struct cpuset *cpus)
{
	const struct group *group = tree_find(diff->tree, path);
	struct cpuset grown = *cpus;

	if (!group)
		add(diff, STEP_MAKE_GROUP, path, NULL);
	else
		cpuset_or(&grown, &group->cpus);
	if (!has_cpus(group, &grown))
		set_cpus(diff, path, &grown, NULL);
	if (!is_partition(group, PARTITION_ROOT)) {
		/* Facts of three kernels: valid children of a parent that is toggled go wrong. */
		for (size_t i = 0; group && diff->vm && i < diff->tree->n_groups; i++) {
			const struct group *below = &diff->tree->groups[i];

			if (path_is_below(below->path, path) &&
				path_is_below(below->path, diff->vm->groups[0].path) &&
				below->partition.kind != PARTITION_MEMBER)
				set_partition(diff, below->path, PARTITION_MEMBER,
					"before its parent becomes a partition again");
		}
		set_partition(diff, path, PARTITION_ROOT,
			group && !group->partition.valid ? "the kernel calls it invalid" : NULL);
	}
	if (!group || !group->gives_cpuset)
		add(diff, STEP_GIVE_CPUSET, path, NULL);
}

static bool will_be_reset(const struct diff *diff, const struct group *leaf)
{
	const struct group *top = tree_find(diff->tree, diff->vm->groups[0].path);
	const struct group *slice = tree_find(diff->tree, SLICE);

	return leaf->partition.kind == PARTITION_MEMBER || !is_partition(top, PARTITION_ROOT) ||
		!is_partition(slice, PARTITION_ROOT);
}

static const struct desired_group *find_wanted(const struct diff *diff, const char *path)
{
	for (size_t i = 0; i < diff->vm->n_groups; i++)
		if (!strcmp(diff->vm->groups[i].path, path))
			return &diff->vm->groups[i];
	return NULL;
}

/* Will some leaf be given CPUs that this one, as it is now, holds? */
static bool is_in_the_way(const struct diff *diff, const struct group *leaf)
{
	for (size_t i = 1; i < diff->vm->n_groups; i++)
		if (strcmp(diff->vm->groups[i].path, leaf->path) &&
			cpuset_intersects(&diff->vm->groups[i].cpus, &leaf->cpus))
			return true;
	return false;
}

/* Leaves that must stop being partitions first: to be mended, or to let go of CPUs. */
static void reset_leaves(struct diff *diff)
{
	const char *top = diff->vm->groups[0].path;

	for (size_t i = 0; i < diff->tree->n_groups; i++) {
		const struct group *leaf = &diff->tree->groups[i];
		const struct desired_group *wanted = find_wanted(diff, leaf->path);

		if (!path_is_below(leaf->path, top) || will_be_reset(diff, leaf))
			continue;
		if (is_in_the_way(diff, leaf))
			set_partition(diff, leaf->path, PARTITION_MEMBER, "its CPUs go to another");
		else if (wanted && !leaf->partition.valid)
			set_partition(diff, leaf->path, PARTITION_MEMBER, "the kernel calls it invalid");
		else if (wanted && has_cpus(leaf, &wanted->cpus) &&
			!cpuset_equal(&leaf->effective, &leaf->cpus))
			set_partition(diff, leaf->path, PARTITION_MEMBER,
				"it says valid, and has other CPUs");
	}
}

static bool keeps_partition(const struct diff *diff, const struct group *leaf,
	const struct desired_group *wanted)
{
	return is_partition(leaf, wanted->partition) && !will_be_reset(diff, leaf) &&
		!is_in_the_way(diff, leaf) &&
		(!has_cpus(leaf, &wanted->cpus) || cpuset_equal(&leaf->effective, &leaf->cpus));
}

static void bring_leaves(struct diff *diff)
{
	for (size_t i = 1; i < diff->vm->n_groups; i++) {
		const struct desired_group *wanted = &diff->vm->groups[i];
		const struct group *leaf = tree_find(diff->tree, wanted->path);

		if (!leaf)
			add(diff, STEP_MAKE_GROUP, wanted->path, NULL);
		if (!leaf || leaf->type != GROUP_THREADED)
			add(diff, STEP_MAKE_THREADED, wanted->path, NULL);
		if (!has_cpus(leaf, &wanted->cpus))
			set_cpus(diff, wanted->path, &wanted->cpus, NULL);
	}
	for (size_t i = 1; i < diff->vm->n_groups; i++) {
		const struct desired_group *wanted = &diff->vm->groups[i];
		const struct group *leaf = tree_find(diff->tree, wanted->path);

		if (wanted->partition == PARTITION_MEMBER) {
			if (leaf && leaf->partition.kind != PARTITION_MEMBER && !will_be_reset(diff, leaf))
				set_partition(diff, wanted->path, PARTITION_MEMBER, NULL);
		} else if (!leaf || !keeps_partition(diff, leaf, wanted)) {
			set_partition(diff, wanted->path, wanted->partition, NULL);
		}
	}
}

static void move_threads(struct diff *diff)
{
	const struct desired_vm *vm = diff->vm;
	const struct vm *facts = vm->vm;
	bool inside = true;
	struct step *step;

	for (size_t i = 0; i < facts->n_threads; i++)
		if (facts->threads[i].tid == facts->pid)
			inside = path_is_below(facts->threads[i].cgroup, vm->groups[0].path);
	if (!inside) {
		step = add(diff, STEP_MOVE_PROCESS, vm->groups[1].path, NULL);
		step->tid = facts->pid;
		step->start_time = facts->start_time;
		step->cpus = vm->groups[1].cpus;
	}
	for (size_t i = 0; i < facts->n_threads; i++) {
		const struct vm_thread *thread = &facts->threads[i];
		const struct desired_group *group = &vm->groups[vm->thread_groups[i]];
		const struct group *leaf = tree_find(diff->tree, group->path);
		enum step_kind kind = STEP_MOVE_THREAD;

		if (!inside && vm->thread_groups[i] == 1)
			continue;
		if (inside && !strcmp(thread->cgroup, group->path)) {
			/* Only in a healthy group does the affinity say anything by itself. */
			if (!has_cpus(leaf, &group->cpus) ||
				!cpuset_equal(&leaf->effective, &group->cpus) ||
				cpuset_equal(&thread->affinity, &group->cpus))
				continue;
			kind = STEP_SET_AFFINITY;
		}
		step = add(diff, kind, group->path, NULL);
		step->tid = thread->tid;
		step->start_time = thread->start_time;
		step->cpus = group->cpus;
	}
}

static void drop_stale_leaves(struct diff *diff)
{
	for (size_t i = diff->tree->n_groups; i-- > 0;) {
		const char *path = diff->tree->groups[i].path;

		if (path_is_below(path, diff->vm->groups[0].path) && !find_wanted(diff, path))
			add(diff, STEP_REMOVE_GROUP, path, "no thread of the VM belongs there");
	}
}

/* Everything that may move a thread: between the two halves of a change of rules. */
static void change_inside(struct diff *diff)
{
	reset_leaves(diff);
	bring_leaves(diff);
	move_threads(diff);
	drop_stale_leaves(diff);
}

static void shrink(struct diff *diff)
{
	const struct desired_group *top = &diff->vm->groups[0];
	const struct group *group = tree_find(diff->tree, top->path);
	const struct group *slice = tree_find(diff->tree, SLICE);
	struct cpuset cpus = other_cpus(diff->tree, top->path);

	if (group && !cpuset_subset(&group->cpus, &top->cpus))
		set_cpus(diff, top->path, &top->cpus, "what it no longer needs");
	cpuset_or(&cpus, &top->cpus);
	if (slice && !cpuset_subset(&slice->cpus, &cpus))
		set_cpus(diff, SLICE, &cpus, "what it no longer needs");
}

static void diff_placed(struct diff *diff, const struct actual_vm *actual)
{
	struct unit *unit = diff->unit, inside = {};
	bool rules_hold = actual->rules_known && !actual->settling &&
		rule_vm_holds(&actual->rules, &diff->vm->rules);

	if (!actual->has_record)
		add(diff, STEP_RECORD, NULL, NULL);
	if (!diff->tree->root_gives_cpuset)
		add(diff, STEP_GIVE_CPUSET, "", NULL);
	grow_root(diff, SLICE, &diff->vm->groups[0].cpus);
	grow_root(diff, diff->vm->groups[0].path, &diff->vm->groups[0].cpus);

	diff->unit = &inside;
	change_inside(diff);
	shrink(diff);
	diff->unit = unit;
	if (!inside.n_steps && rules_hold)
		return;
	add(diff, STEP_BEGIN_RULES, NULL, NULL);
	for (size_t i = 0; i < inside.n_steps; i++) {
		struct step *step = array_push(&unit->steps, &unit->n_steps);

		if (!step) {
			diff->failed = true;
			break;
		}
		*step = inside.steps[i];
		inside.steps[i].path = NULL;
	}
	unit_deinit(&inside);
	add(diff, STEP_COMMIT_RULES, NULL, NULL);
}

/* A VM that is only watched needs rules and nothing else. */
static void diff_rules(struct diff *diff, const struct actual_vm *actual)
{
	if (actual->rules_known && diff->vm->kind == DESIRED_KEPT)
		return;
	if (actual->rules_known && !actual->settling &&
		rule_vm_holds(&actual->rules, &diff->vm->rules))
		return;
	add(diff, STEP_BEGIN_RULES, NULL, NULL);
	add(diff, STEP_COMMIT_RULES, NULL, NULL);
}

static void name_unit(struct unit *unit, const char *name, pid_t pid, uint64_t start_time)
{
	memcpy(unit->vm, name, sizeof(unit->vm));
	unit->pid = pid;
	unit->start_time = start_time;
}

static int finish(struct diff *diff, struct unit *ret_unit)
{
	if (diff->failed) {
		unit_deinit(diff->unit);
		return -ENOMEM;
	}
	*ret_unit = *diff->unit;
	return 0;
}

int diff_vm(const struct desired_vm *vm, const struct actual_vm *actual, const struct tree *tree,
	bool has_host_record, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.vm = vm, .tree = tree, .unit = &unit};

	name_unit(&unit, vm->vm->name, vm->vm->pid, vm->vm->start_time);
	if (vm->kind != DESIRED_PLACED) {
		diff_rules(&diff, actual);
		return finish(&diff, ret_unit);
	}
	if (!has_host_record)
		add(&diff, STEP_RECORD_HOST, NULL, NULL);
	diff_placed(&diff, actual);
	return finish(&diff, ret_unit);
}

int diff_release(const struct unit *vm, const char *group, bool alive, const struct tree *tree,
	struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	const struct group *slice = tree_find(tree, SLICE);
	struct cpuset others = other_cpus(tree, group);

	name_unit(&unit, vm->vm, vm->pid, vm->start_time);
	add(&diff, STEP_FORGET_RULES, NULL, NULL);
	/* From the leaves up, each keeps its CPUs as a member: no thread gets wider by this. */
	for (size_t i = tree->n_groups; i-- > 0;) {
		const struct group *below = &tree->groups[i];

		if ((path_is_below(below->path, group) || !strcmp(below->path, group)) &&
			below->partition.kind != PARTITION_MEMBER)
			set_partition(&diff, below->path, PARTITION_MEMBER, NULL);
	}
	if (alive)
		add(&diff, STEP_RETURN_VM, NULL, NULL);
	for (size_t i = tree->n_groups; i-- > 0;) {
		const char *path = tree->groups[i].path;

		if (path_is_below(path, group) || !strcmp(path, group))
			add(&diff, STEP_REMOVE_GROUP, path, NULL);
	}
	if (slice && !cpuset_empty(&others) && !cpuset_equal(&slice->cpus, &others))
		set_cpus(&diff, SLICE, &others, "what it no longer needs");
	add(&diff, STEP_DROP_RECORD, NULL, NULL);
	return finish(&diff, ret_unit);
}

int diff_release_host(const struct found_host *host, const struct tree *tree, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	const struct group *slice = tree_find(tree, SLICE);

	if (slice && slice->partition.kind != PARTITION_MEMBER)
		set_partition(&diff, SLICE, PARTITION_MEMBER, NULL);
	if (slice)
		add(&diff, STEP_REMOVE_GROUP, SLICE, NULL);
	if (host && !host->cpuset_given && tree->root_gives_cpuset)
		add(&diff, STEP_TAKE_CPUSET, "", "it was not enabled");
	if (host) {
		add(&diff, STEP_RETURN_HOST, NULL, NULL);
		add(&diff, STEP_DROP_HOST_RECORD, NULL, NULL);
	}
	return finish(&diff, ret_unit);
}

static void remove_group(struct tree *tree, const char *path)
{
	struct group *group = tree_find(tree, path);
	size_t index;

	if (!group)
		return;
	index = (size_t)(group - tree->groups);
	group_deinit(group);
	tree->n_groups--;
	memmove(group, group + 1, (tree->n_groups - index) * sizeof(*group));
}

int diff_assume(struct tree *tree, const struct unit *unit)
{
	for (size_t i = 0; i < unit->n_steps; i++) {
		const struct step *step = &unit->steps[i];
		struct group *group = step->path ? tree_find(tree, step->path) : NULL;

		if (step->kind == STEP_MAKE_GROUP && !group) {
			group = tree_add(tree, step->path);
			if (!group)
				return -ENOMEM;
			group->has_cpuset = group->partition.valid = true;
			tree_sort(tree);
		} else if (step->kind == STEP_REMOVE_GROUP) {
			remove_group(tree, step->path);
		} else if (step->kind == STEP_GIVE_CPUSET && !*step->path) {
			tree->root_gives_cpuset = true;
		} else if (step->kind == STEP_GIVE_CPUSET && group) {
			group->gives_cpuset = true;
		} else if (step->kind == STEP_SET_CPUS && group) {
			group->cpus = group->effective = step->cpus;
		} else if (step->kind == STEP_SET_PARTITION && group) {
			group->partition = (struct partition_state){
				.kind = step->partition, .valid = true};
		}
	}
	return 0;
}
