// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of steps, and why:
 *
 * - What was found is recorded before the first change, and dropped after the last.
 * - CPUs are added to a parent before a child gets them, and taken from it after the
 * child gave them up: a parent that shrinks from under a child damages it silently.
 * - Groups are complete, and their partitions valid, before the VM's threads come. If the
 * kernel refuses, no thread was touched.
 * - Rules widen before the first thing that moves a thread, and narrow after the last.
 * - Children are members before their parent is made a partition again: otherwise they
 * say valid and have the wrong CPUs. A group that is as it should be is not written.
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
	bool rebuild; /* the VM's group becomes a partition again */
	/* While the change is made; with remote partitions, the exclusive ones. */
	struct cpuset slice_cpus, top_cpus;
	bool failed;
};

static struct step *add(
	struct diff *diff, enum step_kind kind, const char *path, const char *why)
{
	static struct step sink;
	struct step *step = unit_add(diff->unit, kind, path, why);

	if (!step)
		diff->failed = true;
	return step ? step : &sink;
}

static void set_cpus(
	struct diff *diff, const char *path, const struct cpuset *cpus, const char *why)
{
	add(diff, STEP_SET_CPUS, path, why)->cpus = *cpus;
}

static void set_partition(
	struct diff *diff, const char *path, enum partition partition, const char *why)
{
	add(diff, STEP_SET_PARTITION, path, why)->partition = partition;
}

static bool is_partition(const struct group *group, enum partition kind)
{
	return group && group->has_cpuset && group->partition.valid &&
	       group->partition.kind == kind;
}

static bool has_cpus(const struct group *group, const struct cpuset *cpus)
{
	return group && group->has_cpuset && cpuset_equal(&group->cpus, cpus);
}

/* CPUs of all VM groups but one, also those that a killed change has only claimed yet. */
static struct cpuset other_cpus(const struct tree *tree, const char *except)
{
	struct cpuset cpus = {};

	for (size_t i = 0; i < tree->n_groups; i++) {
		const char *path = tree->groups[i].path;

		if (path_is_below(path, SLICE) &&
			!strchr(path + strlen(SLICE "/"), '/') && strcmp(path, except)) {
			cpuset_or(&cpus, &tree->groups[i].cpus);
			cpuset_or(&cpus, &tree->groups[i].exclusive);
		}
	}
	return cpus;
}

static bool is_inside(const char *path, const char *top)
{
	return !strcmp(path, top) || path_is_below(path, top);
}

/* A valid partition root whose effective set is what its valid child partitions leave of
 * it. */
static bool is_sound_root(const struct tree *tree, const struct group *group)
{
	struct cpuset left = group->cpus;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *leaf = &tree->groups[i];

		if (path_is_below(leaf->path, group->path) && leaf->partition.valid &&
			leaf->partition.kind != PARTITION_MEMBER)
			cpuset_andnot(&left, &leaf->cpus);
	}
	return is_partition(group, PARTITION_ROOT) &&
	       cpuset_equal(&group->effective, &left);
}

/*
 * A remote partition that ends while its claim above is gone takes its CPUs along: 6.12
 * then has them in no partition and keeps them from the host, and the VM's threads are
 * let loose on what is left. So what the slice no longer claims it claims again, before
 * all else.
 */
static struct cpuset claim_again(
	struct diff *diff, const struct group *slice, const struct group *top)
{
	struct cpuset claimed = {};

	if (slice)
		claimed = slice->exclusive;
	if (!slice || !top || !diff->tree->remote ||
		top->partition.kind == PARTITION_MEMBER ||
		cpuset_subset(&top->exclusive, &claimed))
		return claimed;
	claimed = other_cpus(diff->tree, "");
	cpuset_or(&claimed, &slice->exclusive);
	add(diff, STEP_SET_EXCLUSIVE, SLICE, "what a partition holds must be claimed")
		->cpus = claimed;
	return claimed;
}

/*
 * A slice or VM group that is no sound partition root is made one again by way of
 * `member`: 6.1 leaves an invalid one as it is. First come the partitions below, from the
 * leaves up: facts of three kernels: valid children of a parent that is toggled go wrong.
 */
static void reset_roots(struct diff *diff)
{
	const struct group *slice = tree_find(diff->tree, SLICE);
	const struct group *top = tree_find(diff->tree, diff->vm->groups[0].path);
	bool slice_wrong =
		slice && !is_partition(slice,
				 diff->tree->remote ? PARTITION_MEMBER : PARTITION_ROOT);

	diff->rebuild = top && (slice_wrong || !is_sound_root(diff->tree, top));
	for (size_t i = diff->tree->n_groups; diff->rebuild && i-- > 0;) {
		const struct group *group = &diff->tree->groups[i];

		if (is_inside(group->path, top->path) &&
			group->partition.kind != PARTITION_MEMBER)
			set_partition(diff, group->path, PARTITION_MEMBER,
				"before it or its parent becomes a partition again");
	}
	if (slice_wrong && slice->partition.kind != PARTITION_MEMBER)
		set_partition(
			diff, SLICE, PARTITION_MEMBER, "the kernel calls it invalid");
}

/*
 * A group with tasks that becomes a partition, or takes more CPUs, must leave its parent
 * one: 6.12 counts the tasks below it as the parent's (partition_is_populated() in
 * kernel/cgroup/cpuset.c passes over the child but not what is below). For the moment the
 * slice then takes a spare CPU from the host, where that has two.
 */
static bool add_spare(const struct diff *diff, struct cpuset *grown)
{
	const struct desired_group *wanted = &diff->vm->groups[0];
	const struct group *top = tree_find(diff->tree, wanted->path);
	const struct group *slice = tree_find(diff->tree, SLICE);
	struct cpuset left = *grown, host = diff->tree->root_effective;
	struct cpuset others = other_cpus(diff->tree, wanted->path);
	int spare = -1;

	if (!top || !top->populated ||
		(!diff->rebuild && cpuset_subset(&wanted->cpus, &top->cpus)))
		return false;
	cpuset_andnot(&left, &others);
	cpuset_andnot(&left, &wanted->cpus);
	cpuset_andnot(&left, &top->cpus);
	if (slice)
		cpuset_or(&host, &slice->cpus);
	cpuset_andnot(&host, grown);
	if (!cpuset_empty(&left) || cpuset_weight(&host) < 2)
		return false;
	cpuset_for_each (cpu, &host)
		spare = cpu;
	cpuset_add(grown, (unsigned int)spare);
	return true;
}

/* A group with these CPUs, a partition root, that gives cpuset to its children. */
static void bring_root(struct diff *diff, const char *path, const struct cpuset *cpus,
	bool rebuild, const char *why)
{
	const struct group *group = tree_find(diff->tree, path);

	if (!group && !diff->tree->remote)
		add(diff, STEP_MAKE_GROUP, path, NULL);
	if (!has_cpus(group, cpus))
		set_cpus(diff, path, cpus, why);
	if (rebuild || !is_partition(group, PARTITION_ROOT))
		set_partition(diff, path, PARTITION_ROOT, NULL);
	if (!group || !group->gives_cpuset)
		add(diff, STEP_GIVE_CPUSET, path, NULL);
}

/* Claims CPUs beside those that are claimed already, and tells which they all are. */
static struct cpuset grow_exclusive(struct diff *diff, const char *path,
	const struct cpuset *now, const struct cpuset *cpus)
{
	struct cpuset grown = *cpus;

	if (now)
		cpuset_or(&grown, now);
	if (!now || !cpuset_equal(now, &grown))
		add(diff, STEP_SET_EXCLUSIVE, path, NULL)->cpus = grown;
	return grown;
}

/*
 * With remote partitions the slice is none: it only hands down which CPUs are exclusive,
 * and a VM's group neither needs a CPU to spare in it nor suffers when it shrinks
 * (on 6.12 and 7.2, a slice that is a partition and shrinks to what its VMs hold makes
 * them all invalid).
 */
static void grow_remote(struct diff *diff)
{
	const struct desired_group *wanted = &diff->vm->groups[0];
	const struct group *slice = tree_find(diff->tree, SLICE);
	const struct group *top = tree_find(diff->tree, wanted->path);
	struct cpuset grown = wanted->cpus, all = other_cpus(diff->tree, wanted->path);

	if (!slice)
		add(diff, STEP_MAKE_GROUP, SLICE, NULL);
	cpuset_or(&all, &wanted->cpus);
	if (top)
		cpuset_or(&all, &top->cpus);
	if (top)
		cpuset_or(&all, &top->exclusive);
	diff->slice_cpus =
		grow_exclusive(diff, SLICE, slice ? &diff->slice_cpus : NULL, &all);
	if (!slice || !slice->gives_cpuset)
		add(diff, STEP_GIVE_CPUSET, SLICE, NULL);
	if (!top)
		add(diff, STEP_MAKE_GROUP, wanted->path, NULL);
	else
		cpuset_or(&grown, &top->cpus);
	diff->top_cpus =
		grow_exclusive(diff, wanted->path, top ? &top->exclusive : NULL, &grown);
	bring_root(diff, wanted->path, &grown, diff->rebuild, NULL);
}

static void shrink_remote(struct diff *diff)
{
	const struct desired_group *wanted = &diff->vm->groups[0];
	const struct group *top = tree_find(diff->tree, wanted->path);
	struct cpuset all = other_cpus(diff->tree, wanted->path);

	if (top && !cpuset_subset(&top->cpus, &wanted->cpus))
		set_cpus(diff, wanted->path, &wanted->cpus, "what it no longer needs");
	if (!cpuset_subset(&diff->top_cpus, &wanted->cpus))
		add(diff, STEP_SET_EXCLUSIVE, wanted->path, "what it no longer needs")
			->cpus = wanted->cpus;
	cpuset_or(&all, &wanted->cpus);
	if (!cpuset_subset(&diff->slice_cpus, &all))
		add(diff, STEP_SET_EXCLUSIVE, SLICE, "what it no longer needs")->cpus =
			all;
}

/*
 * Slice and VM group have old and new CPUs while the leaves change. What a killed change
 * left in the slice is kept until it shrinks, unless it must grow: the host might have
 * nothing left. Then it is given back before, for 6.1 looks at what is taken and not at
 * what is returned with it.
 */
static void grow_roots(struct diff *diff)
{
	const struct desired_group *wanted = &diff->vm->groups[0];
	const struct group *slice = tree_find(diff->tree, SLICE);
	const struct group *top = tree_find(diff->tree, wanted->path);
	struct cpuset grown = wanted->cpus, all = other_cpus(diff->tree, wanted->path);
	bool spare;

	if (top)
		cpuset_or(&grown, &top->cpus);
	cpuset_or(&all, &grown);
	if (is_partition(slice, PARTITION_ROOT) && cpuset_subset(&all, &slice->cpus)) {
		all = slice->cpus;
	} else if (is_partition(slice, PARTITION_ROOT) &&
		   !cpuset_subset(&slice->cpus, &all)) {
		struct cpuset needed = all;

		cpuset_and(&needed, &slice->cpus);
		set_cpus(diff, SLICE, &needed, "what it no longer needs");
	}
	spare = add_spare(diff, &all);
	diff->slice_cpus = all;
	bring_root(
		diff, SLICE, &all, false, spare ? "one to spare for the change" : NULL);
	bring_root(diff, wanted->path, &grown, diff->rebuild, NULL);
}

static const struct desired_group *find_wanted(const struct diff *diff, const char *path)
{
	for (size_t i = 0; i < diff->vm->n_groups; i++)
		if (!strcmp(diff->vm->groups[i].path, path))
			return &diff->vm->groups[i];
	return NULL;
}

/* Will some other leaf be given CPUs that this one, as it is now, holds? */
static bool is_in_the_way(const struct diff *diff, const struct group *leaf)
{
	for (size_t i = 1; i < diff->vm->n_groups; i++)
		if (strcmp(diff->vm->groups[i].path, leaf->path) &&
			cpuset_intersects(&diff->vm->groups[i].cpus, &leaf->cpus))
			return true;
	return false;
}

/* Does some other leaf, as it is now, hold CPUs that this one will be given? */
static bool finds_in_its_way(const struct diff *diff, const struct desired_group *wanted)
{
	for (size_t i = 0; i < diff->tree->n_groups; i++) {
		const struct group *leaf = &diff->tree->groups[i];

		if (path_is_below(leaf->path, diff->vm->groups[0].path) &&
			strcmp(leaf->path, wanted->path) &&
			cpuset_intersects(&leaf->cpus, &wanted->cpus))
			return true;
	}
	return false;
}

/* Why a leaf must stop being a partition first, or NULL. */
static const char *why_reset(const struct diff *diff, const struct group *leaf)
{
	const struct desired_group *wanted = find_wanted(diff, leaf->path);

	if (diff->rebuild || leaf->partition.kind == PARTITION_MEMBER)
		return NULL;
	if (is_in_the_way(diff, leaf))
		return "its CPUs go to another";
	if (!wanted)
		return NULL;
	if (!leaf->partition.valid)
		return "the kernel calls it invalid";
	if (!cpuset_equal(&leaf->effective, &leaf->cpus))
		return "it says valid, and has other CPUs";
	if (finds_in_its_way(diff, wanted))
		return "its new CPUs are another's yet";
	return wanted->partition == PARTITION_MEMBER ? "it is to be none" : NULL;
}

/* Leaves that must stop being partitions: to be mended, to let go of CPUs, or to take
 * others. */
static void reset_leaves(struct diff *diff)
{
	const char *top = diff->vm->groups[0].path;

	for (size_t i = 0; i < diff->tree->n_groups; i++) {
		const struct group *leaf = &diff->tree->groups[i];
		const char *why =
			path_is_below(leaf->path, top) ? why_reset(diff, leaf) : NULL;

		if (why)
			set_partition(diff, leaf->path, PARTITION_MEMBER, why);
	}
	/* A stale leaf goes only when it is empty; until then it must not share with a
	 * partition. */
	for (size_t i = 0; i < diff->tree->n_groups; i++) {
		const struct group *leaf = &diff->tree->groups[i];

		if (path_is_below(leaf->path, top) && !find_wanted(diff, leaf->path) &&
			is_in_the_way(diff, leaf) &&
			!has_cpus(leaf, &diff->vm->groups[1].cpus))
			set_cpus(diff, leaf->path, &diff->vm->groups[1].cpus,
				"its CPUs go to another");
	}
}

static bool keeps_partition(const struct diff *diff, const struct group *leaf,
	const struct desired_group *wanted)
{
	return is_partition(leaf, wanted->partition) && !diff->rebuild &&
	       !why_reset(diff, leaf);
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

		if (wanted->partition != PARTITION_MEMBER &&
			!keeps_partition(diff, leaf, wanted))
			set_partition(diff, wanted->path, wanted->partition, NULL);
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
			inside = is_inside(facts->threads[i].cgroup, vm->groups[0].path);
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
			/* Only in a healthy group does the affinity say anything by
			 * itself. */
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

		if (path_is_below(path, diff->vm->groups[0].path) &&
			!find_wanted(diff, path))
			add(diff, STEP_REMOVE_GROUP, path,
				"no thread of the VM belongs there");
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
	struct cpuset cpus = other_cpus(diff->tree, top->path);

	if (group && !cpuset_subset(&group->cpus, &top->cpus))
		set_cpus(diff, top->path, &top->cpus, "what it no longer needs");
	cpuset_or(&cpus, &top->cpus);
	if (!cpuset_subset(&diff->slice_cpus, &cpus))
		set_cpus(diff, SLICE, &cpus, "what it no longer needs");
}

static bool sets_partition(const struct unit *unit)
{
	for (size_t i = 0; i < unit->n_steps; i++)
		if (unit->steps[i].kind == STEP_SET_PARTITION)
			return true;
	return false;
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
	diff->slice_cpus = claim_again(diff, tree_find(diff->tree, SLICE),
		tree_find(diff->tree, diff->vm->groups[0].path));
	reset_roots(diff);
	if (diff->tree->remote)
		grow_remote(diff);
	else
		grow_roots(diff);

	diff->unit = &inside;
	change_inside(diff);
	if (diff->tree->remote)
		shrink_remote(diff);
	else
		shrink(diff);
	if (!inside.n_steps && rules_hold)
		diff->unit = unit;
	/* Last: when an isolated partition comes or goes, newer kernels bind theirs anew.
	 */
	if (actual->has_strays || sets_partition(unit) || sets_partition(&inside)) {
		struct cpuset reserved = other_cpus(diff->tree, diff->vm->groups[0].path);

		cpuset_or(&reserved, &diff->vm->groups[0].cpus);
		add(diff, STEP_KEEP_OFF, NULL, NULL)->cpus = reserved;
	}
	if (diff->unit == unit)
		return;
	diff->unit = unit;
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

int diff_vm(const struct desired_vm *vm, const struct actual_vm *actual,
	const struct tree *tree, bool has_host_record, struct unit *ret_unit)
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

int diff_release(const struct unit *vm, const char *group, bool alive,
	const struct tree *tree, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	const struct group *slice = tree_find(tree, SLICE);
	struct cpuset others = other_cpus(tree, group);

	name_unit(&unit, vm->vm, vm->pid, vm->start_time);
	add(&diff, STEP_FORGET_RULES, NULL, NULL);
	diff.slice_cpus = claim_again(&diff, slice, tree_find(tree, group));
	/* From the leaves up, each keeps its CPUs as a member: no thread gets wider by
	 * this. */
	for (size_t i = tree->n_groups; i-- > 0;) {
		const struct group *below = &tree->groups[i];

		if (is_inside(below->path, group) &&
			below->partition.kind != PARTITION_MEMBER)
			set_partition(&diff, below->path, PARTITION_MEMBER, NULL);
	}
	if (alive)
		add(&diff, STEP_RETURN_VM, NULL, NULL);
	for (size_t i = tree->n_groups; i-- > 0;) {
		const char *path = tree->groups[i].path;

		if (is_inside(path, group))
			add(&diff, STEP_REMOVE_GROUP, path, NULL);
	}
	if (slice && tree->remote && !cpuset_equal(&diff.slice_cpus, &others))
		add(&diff, STEP_SET_EXCLUSIVE, SLICE, "what it no longer needs")->cpus =
			others;
	if (slice && !tree->remote && !cpuset_empty(&others) &&
		!cpuset_equal(&slice->cpus, &others))
		set_cpus(&diff, SLICE, &others, "what it no longer needs");
	/* Only now are the CPUs the host's, and a thread may be bound to them again. */
	if (alive)
		add(&diff, STEP_RETURN_AFFINITY, NULL, NULL);
	add(&diff, STEP_KEEP_OFF, NULL, NULL)->cpus = others;
	add(&diff, STEP_DROP_RECORD, NULL, NULL);
	return finish(&diff, ret_unit);
}

int diff_reclaim(
	const struct cpuset *lost, const struct tree *tree, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	const struct group *slice = tree_find(tree, SLICE);

	/* What the slice claims its sibling cannot have. */
	if (slice && cpuset_intersects(&slice->exclusive, lost)) {
		struct cpuset rest = slice->exclusive;

		cpuset_andnot(&rest, lost);
		add(&diff, STEP_SET_EXCLUSIVE, SLICE, "what it cannot have had")->cpus =
			rest;
	}
	if (!tree->root_gives_cpuset)
		add(&diff, STEP_GIVE_CPUSET, "", NULL);
	add(&diff, STEP_RECLAIM, NULL, NULL)->cpus = *lost;
	if (!tree->root_gives_cpuset)
		add(&diff, STEP_TAKE_CPUSET, "", "it was not enabled");
	return finish(&diff, ret_unit);
}

int diff_release_host(
	const struct found_host *host, const struct tree *tree, struct unit *ret_unit)
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
		} else if (step->kind == STEP_TAKE_CPUSET && !*step->path) {
			tree->root_gives_cpuset = false;
		} else if (step->kind == STEP_GIVE_CPUSET && group) {
			group->gives_cpuset = true;
		} else if (step->kind == STEP_SET_CPUS && group) {
			group->cpus = group->effective = step->cpus;
		} else if (step->kind == STEP_SET_EXCLUSIVE && group) {
			group->exclusive = step->cpus;
		} else if (step->kind == STEP_SET_PARTITION && group) {
			group->partition = (struct partition_state){
				.kind = step->partition, .valid = true};
		}
	}
	return 0;
}
