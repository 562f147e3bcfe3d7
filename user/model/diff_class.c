// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The group of a class, and the groups of VMs in it. Only the class's is a partition: its
 * VMs' groups and leaves are members that set their CPUs, so that a change to one VM
 * never takes CPUs from another's threads.
 *
 * The class's group grows before its VMs and shrinks after them, each in a unit of its
 * own; with a VM that is given up it shrinks in that VM's, for only then can its threads
 * be bound to those CPUs again.
 */
#include "user/model/diff_parts.h"

#include <string.h>

void diff_class_grow(struct diff *diff)
{
	const struct desired_group *wanted = diff->root;
	const struct group *top = diff->top;

	diff->grown = wanted->cpus;
	if (top) {
		struct cpuset used = diff_used(diff, "");

		cpuset_or(&diff->grown, &used);
		diff->rebuild = !group_is_partition(top, PARTITION_MEMBER);
	}
	if (diff->rebuild)
		diff_reset_partitions(diff, "only the class's group is one");
	if (!top)
		diff_add(diff, STEP_MAKE_GROUP, wanted->path, NULL);
	else if (!cpuset_empty(&top->exclusive))
		diff_add(diff, STEP_SET_EXCLUSIVE, wanted->path,
			"the class's group claims them");
	if (!group_has_cpus(top, &diff->grown))
		diff_set_cpus(diff, wanted->path, &diff->grown, NULL);
	if (!top || !top->gives_cpuset)
		diff_add(diff, STEP_GIVE_CPUSET, wanted->path, NULL);
}

void diff_class_shrink(struct diff *diff)
{
	if (!cpuset_subset(&diff->grown, &diff->root->cpus))
		diff_set_cpus(diff, diff->root->path, &diff->root->cpus,
			"what it no longer needs");
}

static bool has_groups(const struct diff *diff, const char *except)
{
	for (size_t i = diff->below.first; i < diff->below.end; i++)
		if (!*except || !path_is_inside(diff->tree->groups[i]->path, except))
			return true;
	return false;
}

static void shrink(struct diff *diff, const struct cpuset *keep)
{
	const struct group *top = diff->top;

	if (!cpuset_subset(&top->cpus, keep))
		diff_set_cpus(diff, top->path, keep, "what it no longer needs");
	if (!cpuset_subset(&top->exclusive, keep))
		diff_add(diff, STEP_SET_EXCLUSIVE, top->path, "what it no longer needs")
			->cpus = *keep;
}

void diff_class_rest(struct diff *diff, const struct cpuset *wanted, const char *except,
	struct cpuset *others)
{
	bool used = has_groups(diff, except);
	struct cpuset keep = {};

	if (!used && !wanted) {
		if (diff->top->partition.kind != PARTITION_MEMBER)
			diff_set_partition(diff, diff->top->path, PARTITION_MEMBER,
				"no VM is left in it");
		diff_add(diff, STEP_REMOVE_GROUP, diff->top->path, "no VM is left in it");
		return;
	}
	if (used)
		keep = diff_used(diff, except);
	if (wanted) {
		struct cpuset has = *wanted;

		cpuset_and(&has, &diff->top->cpus);
		cpuset_or(&keep, &has);
	}
	/* A damaged one is mended before it shrinks. */
	if (diff->tree->remote && !cpuset_subset(&keep, &diff->top->exclusive)) {
		cpuset_or(others, &diff->top->exclusive);
		if (diff->top->partition.kind != PARTITION_MEMBER)
			cpuset_or(others, &diff->top->cpus);
		return;
	}
	cpuset_or(others, &keep);
	if (!cpuset_empty(&keep))
		shrink(diff, &keep);
}

int diff_class_settle(const char *path, const struct cpuset *wanted,
	const struct tree *tree, struct unit *ret_unit)
{
	const struct desired_group root = {.path = (char *)path};
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	struct cpuset keep, now;
	bool gone;

	diff_begin(&diff, &root);
	if (!diff.top) {
		*ret_unit = unit;
		return 0;
	}
	gone = !wanted && !has_groups(&diff, "");
	keep = diff.others = holders_other(tree, path);
	now = diff.slice->cpus;
	if (tree->remote)
		now = gone ? diff_claim_again(&diff, diff.slice, diff.top)
			   : diff.slice->exclusive;
	diff_class_rest(&diff, wanted, "", &keep);
	/* On older kernels the slice keeps its CPUs when nobody is left. */
	if (tree->remote || !cpuset_empty(&keep))
		diff_shrink_slice(&diff, &now, &keep);
	if (gone)
		diff_add(&diff, STEP_KEEP_OFF, NULL, NULL)->cpus =
			holders_all_other(tree, path);
	return diff_finish(&diff, ret_unit);
}
