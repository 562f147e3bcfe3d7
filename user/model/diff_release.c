// SPDX-License-Identifier: GPL-2.0-or-later
/* Giving back, and what a plan assumes of the steps before. */
#include "user/model/diff_parts.h"

#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"

/* A partition that only its leaves are: 6.12 loses their CPUs if they end unclaimed. */
static void claim_leaves_again(struct diff *diff)
{
	struct cpuset held, all;

	if (!diff->top || !diff->tree->remote ||
		!group_is_partition(diff->top, PARTITION_MEMBER))
		return;
	held = diff_leaves_hold(diff);
	if (cpuset_subset(&held, &diff->top->exclusive))
		return;
	all = diff->slice_cpus;
	cpuset_or(&all, &held);
	if (!cpuset_equal(&all, &diff->slice_cpus))
		diff_add(diff, STEP_SET_EXCLUSIVE, SLICE,
			"what a partition holds must be claimed")
			->cpus = all;
	diff->slice_cpus = all;
	cpuset_or(&held, &diff->top->exclusive);
	diff_add(diff, STEP_SET_EXCLUSIVE, diff->root->path,
		"what a partition holds must be claimed")
		->cpus = held;
}

static void remove_groups(struct diff *diff)
{
	for (size_t i = diff->below.end; i-- > diff->below.first;)
		diff_add(diff, STEP_REMOVE_GROUP, diff->tree->groups[i]->path, NULL);
	if (diff->top)
		diff_add(diff, STEP_REMOVE_GROUP, diff->top->path, NULL);
}

int diff_release(const struct unit *vm, const char *group, bool alive,
	const struct tree *tree, struct unit *ret_unit)
{
	const struct desired_group root = {.path = (char *)group};
	cleanup_free char *class_path = NULL;
	struct desired_group class = {};
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	struct cpuset others;

	if (class_of_group(group, &class_path))
		return -ENOMEM;
	class.path = class_path;
	others = holders_other(tree, class_path ? class_path : group);
	diff_name_unit(&unit, vm->vm, vm->pid, vm->start_time);
	diff_begin(&diff, &root);
	diff.others = others;
	diff_add(&diff, STEP_FORGET_RULES, NULL, NULL);
	diff.slice_cpus = diff_claim_again(
		&diff, diff.slice, class_path ? tree_find(tree, class_path) : diff.top);
	claim_leaves_again(&diff);
	/* Each keeps its CPUs as a member: no thread gets wider by this. */
	diff_reset_partitions(&diff, NULL);
	if (alive)
		diff_add(&diff, STEP_RETURN_VM, NULL, NULL);
	remove_groups(&diff);
	if (class_path)
		diff_begin(&diff, &class);
	if (class_path && diff.top)
		diff_class_rest(&diff, NULL, group, &others);
	if (diff.slice && tree->remote && !cpuset_equal(&diff.slice_cpus, &others))
		diff_add(&diff, STEP_SET_EXCLUSIVE, SLICE, "what it no longer needs")
			->cpus = others;
	if (diff.slice && !tree->remote && !cpuset_empty(&others) &&
		!cpuset_equal(&diff.slice->cpus, &others))
		diff_set_cpus(&diff, SLICE, &others, "what it no longer needs");
	/* Only now are the CPUs the host's, and a thread may be bound to them again. */
	if (alive)
		diff_add(&diff, STEP_RETURN_AFFINITY, NULL, NULL);
	diff_add(&diff, STEP_KEEP_OFF, NULL, NULL)->cpus = others;
	diff_add(&diff, STEP_DROP_RECORD, NULL, NULL);
	return diff_finish(&diff, ret_unit);
}

/* What the groups below claim. */
static struct cpuset claims_below(const struct tree *tree, const char *path)
{
	struct cpuset cpus = {};

	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i]->path, path))
			cpuset_or(&cpus, &tree->groups[i]->exclusive);
	return cpus;
}

/* Next to the root, and not ours. */
static bool is_beside(const struct group *group)
{
	return !strchr(group->path, '/') && strcmp(group->path, SLICE);
}

/* Would it keep a partition beside it from having these CPUs, unless it claims others? */
static bool is_in_the_way(const struct group *group, const struct cpuset *cpus)
{
	return is_beside(group) && cpuset_intersects(&group->cpus, cpus);
}

static struct cpuset claim_without(
	const struct tree *tree, const struct group *group, const struct cpuset *lost)
{
	struct cpuset rest =
		is_beside(group) ? claims_below(tree, group->path) : group->exclusive;

	cpuset_andnot(&rest, lost);
	return rest;
}

/* With no claim its cpuset.cpus would count, which may be all CPUs: so a group that is in
 * the way and needs no claim has one of the host's CPUs for the moment. */
static void clear_the_way(struct diff *diff, const struct cpuset *lost)
{
	const struct tree *tree = diff->tree;

	for (size_t i = tree->n_groups; i-- > 0;) {
		const struct group *group = tree->groups[i];
		struct cpuset claim = claim_without(tree, group, lost);

		if (path_is_below(group->path, SLICE))
			continue;
		if (!is_in_the_way(group, lost) &&
			!cpuset_intersects(&group->exclusive, lost))
			continue;
		if (is_in_the_way(group, lost) && cpuset_empty(&claim))
			cpuset_add(&claim,
				(unsigned int)cpuset_next(&tree->root_effective, 0));
		if (!cpuset_equal(&claim, &group->exclusive))
			diff_add(diff, STEP_SET_EXCLUSIVE, group->path,
				"what it cannot have had")
				->cpus = claim;
	}
}

static void end_the_moment(struct diff *diff, const struct cpuset *lost)
{
	const struct tree *tree = diff->tree;

	for (size_t i = tree->n_groups; i-- > 0;) {
		const struct group *group = tree->groups[i];
		struct cpuset claim = claim_without(tree, group, lost);

		if (is_in_the_way(group, lost) && cpuset_empty(&claim))
			diff_add(diff, STEP_SET_EXCLUSIVE, group->path,
				"it was for the moment");
	}
}

/*
 * What others claim the group that takes the CPUs cannot have. In the slice it is enough
 * that that does not. Of the others, those next to the root count: by what they claim,
 * where they claim something.
 */
int diff_reclaim(
	const struct cpuset *lost, const struct tree *tree, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};

	clear_the_way(&diff, lost);
	if (!tree->root_gives_cpuset)
		diff_add(&diff, STEP_GIVE_CPUSET, "", NULL);
	diff_add(&diff, STEP_RECLAIM, NULL, NULL)->cpus = *lost;
	if (!tree->root_gives_cpuset)
		diff_add(&diff, STEP_TAKE_CPUSET, "", "it was not enabled");
	end_the_moment(&diff, lost);
	return diff_finish(&diff, ret_unit);
}

int diff_release_host(const struct found_host *host, bool others_use_it,
	const struct tree *tree, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	const struct group *slice = tree_find(tree, SLICE);

	if (slice && slice->partition.kind != PARTITION_MEMBER)
		diff_set_partition(&diff, SLICE, PARTITION_MEMBER, NULL);
	if (slice)
		diff_add(&diff, STEP_REMOVE_GROUP, SLICE, NULL);
	if (host && !host->cpuset_given && tree->root_gives_cpuset)
		diff_add(&diff, others_use_it ? STEP_LEAVE : STEP_TAKE_CPUSET, "",
			others_use_it ? "others use it by now" : "it was not enabled");
	if (host) {
		diff_add(&diff, STEP_RETURN_HOST, NULL, NULL);
		diff_add(&diff, STEP_DROP_HOST_RECORD, NULL, NULL);
	}
	return diff_finish(&diff, ret_unit);
}

/* A group that is added is found only at the end, when all are in their places. */
static struct group *find_assumed(
	const struct tree *tree, size_t n_sorted, const char *path)
{
	struct group *group =
		tree_find_within(tree, (struct group_range){0, n_sorted}, path);

	for (size_t i = n_sorted; !group && i < tree->n_groups; i++)
		if (!strcmp(tree->groups[i]->path, path))
			group = tree->groups[i];
	return group;
}

static void assume_change(struct group *group, const struct step *step)
{
	if (step->kind == STEP_GIVE_CPUSET) {
		group->gives_cpuset = true;
	} else if (step->kind == STEP_SET_CPUS) {
		group->cpus = group->effective = step->cpus;
	} else if (step->kind == STEP_SET_EXCLUSIVE) {
		group->exclusive = step->cpus;
	} else if (step->kind == STEP_SET_MEMS) {
		group->mems = step->cpus;
	} else if (step->kind == STEP_SET_PARTITION) {
		group->partition =
			(struct partition_state){.kind = step->partition, .valid = true};
	}
}

int diff_assume(struct tree *tree, const struct unit *unit)
{
	size_t n_sorted = tree->n_groups;

	for (size_t i = 0; i < unit->n_steps; i++) {
		const struct step *step = &unit->steps[i];
		struct group *group =
			step->path ? find_assumed(tree, n_sorted, step->path) : NULL;

		if (step->path && !*step->path) {
			if (step->kind == STEP_GIVE_CPUSET)
				tree->root_gives_cpuset = true;
			else if (step->kind == STEP_TAKE_CPUSET)
				tree->root_gives_cpuset = false;
		} else if (step->kind == STEP_MAKE_GROUP && !group) {
			group = tree_add(tree, step->path);
			if (!group)
				return -ENOMEM;
			group->has_cpuset = group->partition.valid = true;
			holders_put_back(tree, group);
		} else if (step->kind == STEP_REMOVE_GROUP && group) {
			if (tree_merge(tree, n_sorted))
				return -ENOMEM;
			holders_take_out(tree, tree_find(tree, step->path));
			tree_remove(tree, step->path);
			n_sorted = tree->n_groups;
		} else if (group) {
			holders_take_out(tree, group);
			assume_change(group, step);
			holders_put_back(tree, group);
		}
	}
	return tree_merge(tree, n_sorted);
}
