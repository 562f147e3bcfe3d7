// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The slice and the VM's group. Two layouts: on kernels with remote partitions the slice
 * hands down exclusive CPUs and is no partition; on older ones it is the root partition
 * above the VM's.
 */
#include "user/model/diff_parts.h"

#include <string.h>

/* A valid partition root whose effective set is what its valid child partitions leave of
 * it. */
static bool is_sound_root(const struct tree *tree, const struct group *group)
{
	struct cpuset left = group->cpus;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *leaf = &tree->groups[i];

		if (path_is_below(leaf->path, group->path) &&
			partition_holds(&leaf->partition))
			cpuset_andnot(&left, &leaf->cpus);
	}
	/* The host's CPUs come back late on older kernels; on newer ones what a partition
	 * has the host has not. */
	return group_is_partition(group, PARTITION_ROOT) &&
	       cpuset_equal(&group->effective, &left) &&
	       !(tree->remote && cpuset_intersects(&tree->root_effective, &group->cpus));
}

/* Is the group, or one below it, a partition, valid or not? */
static bool has_partitions(const struct tree *tree, const char *top)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_inside(tree->groups[i].path, top) &&
			tree->groups[i].partition.kind != PARTITION_MEMBER)
			return true;
	return false;
}

struct cpuset diff_claim_again(
	struct diff *diff, const struct group *slice, const struct group *top)
{
	struct cpuset claimed = {};

	if (slice)
		claimed = slice->exclusive;
	if (!slice || !top || !diff->tree->remote ||
		!has_partitions(diff->tree, top->path) ||
		cpuset_subset(&top->exclusive, &claimed))
		return claimed;
	claimed = diff_other_cpus(diff->tree, "");
	cpuset_or(&claimed, &slice->exclusive);
	diff_add(
		diff, STEP_SET_EXCLUSIVE, SLICE, "what a partition holds must be claimed")
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
		slice && !group_is_partition(slice,
				 diff->tree->remote ? PARTITION_MEMBER : PARTITION_ROOT);

	diff->rebuild = top && (slice_wrong || !is_sound_root(diff->tree, top));
	for (size_t i = diff->tree->n_groups; diff->rebuild && i-- > 0;) {
		const struct group *group = &diff->tree->groups[i];

		if (path_is_inside(group->path, top->path) &&
			group->partition.kind != PARTITION_MEMBER)
			diff_set_partition(diff, group->path, PARTITION_MEMBER,
				"before it or its parent becomes a partition again");
	}
	if (slice_wrong && slice->partition.kind != PARTITION_MEMBER)
		diff_set_partition(
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
	struct cpuset others = diff_other_cpus(diff->tree, wanted->path);
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
		diff_add(diff, STEP_MAKE_GROUP, path, NULL);
	if (!group_has_cpus(group, cpus))
		diff_set_cpus(diff, path, cpus, why);
	if (rebuild || !group_is_partition(group, PARTITION_ROOT))
		diff_set_partition(diff, path, PARTITION_ROOT, NULL);
	if (!group || !group->gives_cpuset)
		diff_add(diff, STEP_GIVE_CPUSET, path, NULL);
}

/*
 * What the VM's group must not lose before its leaves have changed: what they have now.
 * The rest of its CPUs somebody has written there, perhaps another VM's.
 */
static struct cpuset used_cpus(const struct diff *diff, const struct group *top)
{
	struct cpuset used = {}, others = diff_other_cpus(diff->tree, top->path);
	bool all = false;

	for (size_t i = 0; i < diff->tree->n_groups; i++) {
		const struct group *leaf = &diff->tree->groups[i];

		if (!path_is_below(leaf->path, top->path))
			continue;
		cpuset_or(&used, &leaf->cpus);
		all |= cpuset_empty(&leaf->cpus);
	}
	if (all)
		used = top->cpus;
	cpuset_and(&used, &top->cpus);
	cpuset_andnot(&used, &others);
	return used;
}

/* Claims CPUs beside those that are claimed already, and tells which they all are. */
static struct cpuset grow_exclusive(struct diff *diff, const char *path,
	const struct cpuset *now, const struct cpuset *cpus)
{
	struct cpuset grown = *cpus;

	if (now)
		cpuset_or(&grown, now);
	if (!now || !cpuset_equal(now, &grown))
		diff_add(diff, STEP_SET_EXCLUSIVE, path, NULL)->cpus = grown;
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
	struct cpuset grown = wanted->cpus, used = {},
		      all = diff_other_cpus(diff->tree, wanted->path);

	if (top)
		used = used_cpus(diff, top);
	if (!slice)
		diff_add(diff, STEP_MAKE_GROUP, SLICE, NULL);
	cpuset_or(&grown, &used);
	cpuset_or(&all, &grown);
	if (top)
		cpuset_or(&all, &top->exclusive);
	diff->slice_cpus =
		grow_exclusive(diff, SLICE, slice ? &diff->slice_cpus : NULL, &all);
	if (!slice || !slice->gives_cpuset)
		diff_add(diff, STEP_GIVE_CPUSET, SLICE, NULL);
	if (!top)
		diff_add(diff, STEP_MAKE_GROUP, wanted->path, NULL);
	diff->top_cpus =
		grow_exclusive(diff, wanted->path, top ? &top->exclusive : NULL, &grown);
	diff->grown = grown;
	bring_root(diff, wanted->path, &grown, diff->rebuild, NULL);
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
	struct cpuset grown = wanted->cpus,
		      all = diff_other_cpus(diff->tree, wanted->path);
	bool spare;

	if (top) {
		struct cpuset used = used_cpus(diff, top);

		cpuset_or(&grown, &used);
	}
	cpuset_or(&all, &grown);
	/* Not from under what the VM's group has until that is written. */
	if (top && slice) {
		struct cpuset still = top->cpus;

		cpuset_and(&still, &slice->cpus);
		cpuset_or(&all, &still);
	}
	if (group_is_partition(slice, PARTITION_ROOT) &&
		cpuset_subset(&all, &slice->cpus)) {
		all = slice->cpus;
	} else if (group_is_partition(slice, PARTITION_ROOT) &&
		   !cpuset_subset(&slice->cpus, &all)) {
		struct cpuset needed = all;

		cpuset_and(&needed, &slice->cpus);
		if (!cpuset_empty(&needed))
			diff_set_cpus(diff, SLICE, &needed, "what it no longer needs");
	}
	spare = add_spare(diff, &all);
	diff->slice_cpus = all;
	bring_root(
		diff, SLICE, &all, false, spare ? "one to spare for the change" : NULL);
	diff->grown = grown;
	bring_root(diff, wanted->path, &grown, diff->rebuild, NULL);
}

void diff_own_grow(struct diff *diff)
{
	diff->slice_cpus = diff_claim_again(diff, tree_find(diff->tree, SLICE),
		tree_find(diff->tree, diff->vm->groups[0].path));
	reset_roots(diff);
	if (diff->tree->remote)
		grow_remote(diff);
	else
		grow_roots(diff);
}

void diff_own_shrink(struct diff *diff)
{
	const struct desired_group *wanted = &diff->vm->groups[0];
	const struct tree *tree = diff->tree;
	struct cpuset all = diff_other_cpus(tree, wanted->path);

	if (tree_find(tree, wanted->path) && !cpuset_subset(&diff->grown, &wanted->cpus))
		diff_set_cpus(
			diff, wanted->path, &wanted->cpus, "what it no longer needs");
	if (!cpuset_subset(&diff->top_cpus, &wanted->cpus))
		diff_add(
			diff, STEP_SET_EXCLUSIVE, wanted->path, "what it no longer needs")
			->cpus = wanted->cpus;
	cpuset_or(&all, &wanted->cpus);
	if (!cpuset_subset(&diff->slice_cpus, &all))
		diff_add(diff, tree->remote ? STEP_SET_EXCLUSIVE : STEP_SET_CPUS, SLICE,
			"what it no longer needs")
			->cpus = all;
}
