// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The slice and the group below it, a VM's or a class's. Two layouts: on kernels with
 * remote partitions the slice hands down exclusive CPUs and is no partition; on older
 * ones it is the root partition above the others.
 *
 * Where only the leaves are to be partitions (SCHEME_LEAVES), the VM's group is a member
 * that claims their CPUs and no others: what else its cpuset.cpus has is the host's.
 */
#include "user/model/diff_parts.h"

#include <string.h>

/* A valid partition root whose effective set is what its valid child partitions leave of
 * it. */
static bool is_sound_root(const struct diff *diff)
{
	const struct tree *tree = diff->tree;
	const struct group *top = diff->top;
	struct cpuset left = top->cpus;

	for (size_t i = diff->below.first; i < diff->below.end; i++)
		if (partition_holds(&tree->groups[i]->partition))
			cpuset_andnot(&left, &tree->groups[i]->cpus);
	/* The host's CPUs come back late on older kernels; on newer ones what a partition
	 * has the host has not. */
	return group_is_partition(top, PARTITION_ROOT) &&
	       cpuset_equal(&top->effective, &left) &&
	       !(tree->remote && cpuset_intersects(&tree->root_effective, &top->cpus));
}

/* Is the group, or one below it, a partition, valid or not? */
static bool has_partitions(const struct tree *tree, const struct group *top)
{
	struct group_range below = tree_below(tree, top->path);
	bool found = top->partition.kind != PARTITION_MEMBER;

	for (size_t i = below.first; !found && i < below.end; i++)
		found = tree->groups[i]->partition.kind != PARTITION_MEMBER;
	return found;
}

struct cpuset diff_claim_again(
	struct diff *diff, const struct group *slice, const struct group *top)
{
	struct cpuset claimed = {};

	if (slice)
		claimed = slice->exclusive;
	if (!slice || !top || !diff->tree->remote ||
		cpuset_subset(&top->exclusive, &claimed) ||
		!has_partitions(diff->tree, top))
		return claimed;
	claimed = holders_other(diff->tree, "");
	cpuset_or(&claimed, &slice->exclusive);
	diff_add(
		diff, STEP_SET_EXCLUSIVE, SLICE, "what a partition holds must be claimed")
		->cpus = claimed;
	return claimed;
}

static bool is_root(const struct diff *diff)
{
	return diff->root->partition == PARTITION_ROOT;
}

/*
 * A slice or VM group that is no sound partition root is made one again by way of
 * `member`: 6.1 leaves an invalid one as it is. First come the partitions below, from the
 * leaves up: facts of three kernels: valid children of a parent that is toggled go wrong.
 */
static void reset_roots(struct diff *diff)
{
	const struct group *slice = diff->slice, *top = diff->top;
	bool slice_wrong =
		slice && !group_is_partition(slice,
				 diff->tree->remote ? PARTITION_MEMBER : PARTITION_ROOT);

	diff->rebuild =
		top && (slice_wrong || (is_root(diff) ? !is_sound_root(diff)
						      : !group_is_partition(
								top, PARTITION_MEMBER)));
	if (diff->rebuild)
		diff_reset_partitions(
			diff, "before it or its parent becomes a partition again");
	if (slice_wrong && slice->partition.kind != PARTITION_MEMBER)
		diff_set_partition(
			diff, SLICE, PARTITION_MEMBER, "the kernel calls it invalid");
}

void diff_reset_partitions(struct diff *diff, const char *why)
{
	for (size_t i = diff->below.end; i-- > diff->below.first;) {
		const struct group *group = diff->tree->groups[i];

		if (group->partition.kind != PARTITION_MEMBER)
			diff_set_partition(diff, group->path, PARTITION_MEMBER, why);
	}
	if (diff->top && diff->top->partition.kind != PARTITION_MEMBER)
		diff_set_partition(diff, diff->top->path, PARTITION_MEMBER, why);
}

/*
 * A group with tasks that becomes a partition, or takes more CPUs, must leave its parent
 * one: 6.12 counts the tasks below it as the parent's (partition_is_populated() in
 * kernel/cgroup/cpuset.c passes over the child but not what is below). For the moment the
 * slice then takes a spare CPU from the host, where that has two.
 */
static bool add_spare(const struct diff *diff, struct cpuset *grown)
{
	const struct desired_group *wanted = diff->root;
	const struct group *top = diff->top;
	struct cpuset left = *grown, host = diff->tree->root_effective;
	int spare = -1;

	if (!top || !top->populated ||
		(!diff->rebuild && cpuset_subset(&wanted->cpus, &top->cpus)))
		return false;
	cpuset_andnot(&left, &diff->others);
	cpuset_andnot(&left, &wanted->cpus);
	cpuset_andnot(&left, &top->cpus);
	if (diff->slice)
		cpuset_or(&host, &diff->slice->cpus);
	cpuset_andnot(&host, grown);
	if (!cpuset_empty(&left) || cpuset_weight(&host) < 2)
		return false;
	cpuset_for_each (cpu, &host)
		spare = cpu;
	cpuset_add(grown, (unsigned int)spare);
	return true;
}

/* A group with these CPUs that gives cpuset to its children. */
static void bring_group(struct diff *diff, const char *path, const struct group *group,
	const struct cpuset *cpus, bool to_root, const char *why)
{
	if (!group && !diff->tree->remote)
		diff_add(diff, STEP_MAKE_GROUP, path, NULL);
	if (!group_has_cpus(group, cpus))
		diff_set_cpus(diff, path, cpus, why);
	if (to_root)
		diff_set_partition(diff, path, PARTITION_ROOT, NULL);
	if (!group || !group->gives_cpuset)
		diff_add(diff, STEP_GIVE_CPUSET, path, NULL);
}

static bool to_root(const struct group *group, bool rebuild)
{
	return rebuild || !group_is_partition(group, PARTITION_ROOT);
}

/*
 * What the group must not lose before its leaves have changed: what they have now. The
 * rest of its CPUs somebody has written there, perhaps another VM's.
 */
struct cpuset diff_used(const struct diff *diff, const char *except)
{
	struct cpuset used = {};
	bool all = false;

	for (size_t i = diff->below.first; i < diff->below.end; i++) {
		const struct group *leaf = diff->tree->groups[i];

		if (*except && path_is_inside(leaf->path, except))
			continue;
		cpuset_or(&used, &leaf->cpus);
		all |= cpuset_empty(&leaf->cpus);
	}
	if (all)
		used = diff->top->cpus;
	cpuset_and(&used, &diff->top->cpus);
	cpuset_andnot(&used, &diff->others);
	return used;
}

struct cpuset diff_leaves_hold(const struct diff *diff)
{
	struct cpuset cpus = {};

	for (size_t i = diff->below.first; i < diff->below.end; i++)
		if (partition_holds(&diff->tree->groups[i]->partition))
			cpuset_or(&cpus, &diff->tree->groups[i]->cpus);
	cpuset_andnot(&cpus, &diff->others);
	return cpus;
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

/* What the group is to claim in the end. */
static const struct cpuset *kept_claim(const struct diff *diff)
{
	return is_root(diff) ? &diff->root->cpus : &diff->vm->reserved;
}

/*
 * What it claims meanwhile. A partition must claim all that it has: one that was none,
 * and whose leaves run on the host's CPUs, becomes one when they no longer do.
 */
static struct cpuset grown_claim(struct diff *diff, const struct cpuset *used)
{
	struct cpuset claim = *kept_claim(diff), claimed = claim;

	if (!is_root(diff)) {
		struct cpuset held = diff_leaves_hold(diff);

		cpuset_or(&claim, &held);
		return claim;
	}
	if (diff->top)
		cpuset_or(&claimed, &diff->top->exclusive);
	diff->late = group_is_partition(diff->top, PARTITION_MEMBER) &&
		     !cpuset_subset(used, &claimed);
	if (!diff->late)
		cpuset_or(&claim, used);
	return claim;
}

/*
 * With remote partitions the slice is none: it only hands down which CPUs are exclusive,
 * and a VM's group neither needs a CPU to spare in it nor suffers when it shrinks
 * (on 6.12 and 7.2, a slice that is a partition and shrinks to what its VMs hold makes
 * them all invalid).
 */
static void grow_remote(struct diff *diff)
{
	const struct desired_group *wanted = diff->root;
	const struct group *slice = diff->slice, *top = diff->top;
	struct cpuset used = {}, claim, all = diff->others;

	if (top)
		used = diff_used(diff, "");
	claim = grown_claim(diff, &used);
	if (!slice)
		diff_add(diff, STEP_MAKE_GROUP, SLICE, NULL);
	cpuset_or(&all, &claim);
	if (top)
		cpuset_or(&all, &top->exclusive);
	diff->slice_cpus =
		grow_exclusive(diff, SLICE, slice ? &diff->slice_cpus : NULL, &all);
	if (!slice || !slice->gives_cpuset)
		diff_add(diff, STEP_GIVE_CPUSET, SLICE, NULL);
	if (!top)
		diff_add(diff, STEP_MAKE_GROUP, wanted->path, NULL);
	diff->top_cpus =
		grow_exclusive(diff, wanted->path, top ? &top->exclusive : NULL, &claim);
	diff->grown = used;
	cpuset_or(&diff->grown, &wanted->cpus);
	bring_group(diff, wanted->path, top, &diff->grown,
		is_root(diff) && !diff->late && to_root(top, diff->rebuild), NULL);
}

/*
 * Slice and VM group have old and new CPUs while the leaves change. What a killed change
 * left in the slice is kept until it shrinks, unless it must grow: the host might have
 * nothing left. Then it is given back before, for 6.1 looks at what is taken and not at
 * what is returned with it.
 */
static void grow_roots(struct diff *diff)
{
	const struct desired_group *wanted = diff->root;
	const struct group *slice = diff->slice, *top = diff->top;
	struct cpuset grown = wanted->cpus, all = diff->others;
	bool spare;

	if (top) {
		struct cpuset used = diff_used(diff, "");

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
	bring_group(diff, SLICE, slice, &all, to_root(slice, false),
		spare ? "one to spare for the change" : NULL);
	diff->grown = grown;
	bring_group(diff, wanted->path, top, &grown, to_root(top, diff->rebuild), NULL);
}

void diff_own_grow(struct diff *diff)
{
	diff->others = holders_other(diff->tree, diff->root->path);
	diff->slice_cpus = diff_claim_again(diff, diff->slice, diff->top);
	reset_roots(diff);
	if (diff->tree->remote)
		grow_remote(diff);
	else
		grow_roots(diff);
}

void diff_own_turn(struct diff *diff)
{
	const struct desired_group *wanted = diff->root;

	if (!diff->late)
		return;
	if (!cpuset_equal(&diff->grown, &wanted->cpus))
		diff_set_cpus(
			diff, wanted->path, &wanted->cpus, "what it no longer needs");
	diff_set_partition(diff, wanted->path, PARTITION_ROOT, NULL);
	diff->grown = wanted->cpus;
}

void diff_shrink_slice(
	struct diff *diff, const struct cpuset *now, const struct cpuset *keep)
{
	if (!cpuset_subset(now, keep))
		diff_add(diff, diff->tree->remote ? STEP_SET_EXCLUSIVE : STEP_SET_CPUS,
			SLICE, "what it no longer needs")
			->cpus = *keep;
}

void diff_own_shrink(struct diff *diff)
{
	const struct desired_group *wanted = diff->root;
	const struct cpuset *claim = kept_claim(diff);
	struct cpuset all = diff->others;

	if (diff->top && !cpuset_subset(&diff->grown, &wanted->cpus))
		diff_set_cpus(
			diff, wanted->path, &wanted->cpus, "what it no longer needs");
	if (!cpuset_subset(&diff->top_cpus, claim))
		diff_add(
			diff, STEP_SET_EXCLUSIVE, wanted->path, "what it no longer needs")
			->cpus = *claim;
	cpuset_or(&all, claim);
	diff_shrink_slice(diff, &diff->slice_cpus, &all);
}
