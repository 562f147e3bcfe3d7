/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A kernel to try plans on: what can be written to cgroupfs, as a healthy Linux takes it,
 * and stricter than any: what one of 6.1, 6.12 or 7.2 refuses, or answers with an invalid
 * partition or with silent damage, is refused here, and so is a step that changes
 * nothing.
 */
#include "tests/unit/fake_tree.h"

/* Who claims some CPUs is asked for no others, unless it is a partition. */
static inline bool is_in_the_way(
	const struct group *other, const struct cpuset *set, bool exclusive)
{
	if (cpuset_intersects(&other->exclusive, set))
		return true;
	if (!says_partition(other) && (!exclusive || !cpuset_empty(&other->exclusive)))
		return false;
	return cpuset_intersects(&other->cpus, set);
}

/* A brother with CPUs of this set: one that is a partition, or with `exclusive` any. */
static inline const struct group *overlap(const struct fake *fake,
	const struct group *group, const struct cpuset *set, bool exclusive)
{
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *other = tree->groups[i];

		if (other != group &&
			parent_of(tree, other->path) == parent_of(tree, group->path) &&
			is_in_the_way(other, set, exclusive))
			return other;
	}
	return NULL;
}

static inline bool has_below(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i]->path, path))
			return true;
	return false;
}

static inline bool holds_threads(const struct fake *fake, const char *path)
{
	for (size_t i = 0; i < fake->host->vms.n_items; i++)
		for (size_t j = 0; j < fake->host->vms.items[i].n_threads; j++)
			if (!strcmp(fake->host->vms.items[i].threads[j].cgroup, path))
				return true;
	return false;
}

static inline bool is_in_partition(const struct tree *tree, const char *path,
	const struct group *above, const char *except)
{
	const struct group *group = tree_find(tree, path);

	for (; group != above; group = parent_of(tree, group->path))
		if (says_partition(group) && strcmp(group->path, except))
			return true;
	return false;
}

/*
 * Must `above` keep a CPU when `group` takes some? It must for tasks in it and in what is
 * below and no partition. 6.12 passes over the taker itself, and not over what is below
 * that.
 */
static inline bool needs_cpu(
	const struct fake *fake, const struct group *above, const struct group *group)
{
	const struct tree *tree = &fake->host->tree;

	if (holds_threads(fake, above->path))
		return true;
	for (size_t i = 0; i < tree->n_groups; i++) {
		const char *path = tree->groups[i]->path;

		if (path_is_below(path, above->path) && strcmp(path, group->path) &&
			holds_threads(fake, path) &&
			!is_in_partition(tree, path, above, group->path))
			return true;
	}
	return false;
}

/* A partition takes these CPUs from what its parent has left. */
static inline bool take_cpus(
	struct fake *fake, const struct group *group, const struct cpuset *taken)
{
	const struct tree *tree = &fake->host->tree;
	const struct group *above = parent_of(tree, group->path);
	struct cpuset left = above ? above->effective : tree->root_effective;

	if (is_remote(fake, above)) {
		above = NULL;
		left = tree->root_effective;
	}
	cpuset_andnot(&left, taken);
	if (!cpuset_empty(&left))
		return true;
	if (!above)
		return refuse(fake, "nothing would be left for the host");
	/* With one CPU left the host has none to lend. */
	return cpuset_weight(&tree->root_effective) < 2 ||
	       !needs_cpu(fake, above, group) ||
	       refuse(fake, "Parent unable to distribute cpu downstream");
}

static inline bool make_group(struct fake *fake, const char *path)
{
	struct tree *tree = &fake->host->tree;
	const struct group *above = parent_of(tree, path);
	bool has_cpuset = above ? above->gives_cpuset : tree->root_gives_cpuset;
	bool threads = above && above->type != GROUP_DOMAIN;
	struct group *group;

	if (tree_find(tree, path))
		return refuse(fake, "EEXIST");
	if (strchr(path, '/') && !above)
		return refuse(fake, "ENOENT: no parent");
	if (tree->n_groups == FAKE_GROUPS)
		return refuse(fake, "too many groups for this test");
	group = must(tree_add(tree, path));
	group->type = threads ? GROUP_DOMAIN_INVALID : GROUP_DOMAIN;
	group->has_cpuset = group->partition.valid = has_cpuset;
	tree_sort(tree);
	return true;
}

static inline bool remove_group(struct fake *fake, const char *path)
{
	struct tree *tree = &fake->host->tree;
	struct group *group = tree_find(tree, path);

	if (!group)
		return refuse(fake, "ENOENT");
	if (group->populated || has_below(tree, path))
		return refuse(fake, "EBUSY: something is in it");
	heal(fake, path);
	tree_remove(tree, path);
	return true;
}

static inline bool make_threaded(struct fake *fake, struct group *group)
{
	struct group *above = parent_of(&fake->host->tree, group->path);

	if (!above || group->type == GROUP_THREADED)
		return refuse(fake, "threaded already, or below the root");
	group->type = GROUP_THREADED;
	above->type = GROUP_DOMAIN_THREADED;
	return true;
}

/* `group` NULL is the root. */
static inline bool give_cpuset(struct fake *fake, struct group *group, bool give)
{
	struct tree *tree = &fake->host->tree;
	bool *given = group ? &group->gives_cpuset : &tree->root_gives_cpuset;

	if (*given == give)
		return refuse(fake, "nothing to change");
	if (group && !group->has_cpuset)
		return refuse(fake, "ENOENT: cpuset is not given to it");
	*given = give;
	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *child = tree->groups[i];

		if (!is_child(tree, child, group))
			continue;
		if (!give && (says_partition(child) || child->gives_cpuset))
			return refuse(fake, "EBUSY: /%s needs it", child->path);
		child->has_cpuset = child->partition.valid = give;
	}
	return true;
}

/* Would a change of its CPUs, or of those that it claims, leave something below without?
 * What a member has is what is effective. */
static inline bool shrinks_from_under(struct fake *fake, const struct group *group,
	const struct cpuset *set, bool claims)
{
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *below = tree->groups[i];
		struct cpuset has = *claim_of(fake, below);

		if (!is_child(tree, below, group) ||
			(claims && !says_partition(below) &&
				cpuset_empty(&below->exclusive)))
			continue;
		if (!says_partition(group) && !claims)
			cpuset_and(&has, &group->effective);
		if (!cpuset_subset(&has, set))
			return !refuse(
				fake, "it would shrink from under /%s", below->path);
	}
	return false;
}

/* A partition gets more than it had? */
static inline bool grow(struct fake *fake, const struct group *group,
	const struct cpuset *from, const struct cpuset *to)
{
	struct cpuset more = *to;

	cpuset_andnot(&more, from);
	return !says_partition(group) || cpuset_empty(&more) ||
	       take_cpus(fake, group, &more);
}

/* No partition, and in none. */
static inline bool tree_is_loose(
	const struct fake *fake, const struct group *group, const struct group *above)
{
	return is_remote(fake, above) && !says_partition(group);
}

static inline bool set_cpus(
	struct fake *fake, struct group *group, const struct cpuset *set)
{
	const struct group *above = parent_of(&fake->host->tree, group->path), *other;
	struct cpuset ground = holdings(fake, above);

	if (!group->has_cpuset)
		return refuse(fake, "ENOENT: no cpuset.cpus");
	if (cpuset_equal(&group->cpus, set))
		return refuse(fake, "nothing to change");
	if (is_top(above) && is_remote(fake, above))
		cpuset_and(&ground, &group->exclusive);
	else if (above)
		cpuset_and(&ground, &above->cpus);
	/* A member may have what is not exclusive, within its parent's. */
	if (tree_is_loose(fake, group, above))
		ground = is_top(above) ? fake->host->topology.online : above->cpus;
	if (!cpuset_subset(set, &ground))
		return refuse(fake, "the parent lacks CPUs, or they are not exclusive");
	other = overlap(fake, group, set, says_partition(group));
	if (other)
		return refuse(fake, "CPUs are exclusive with /%s", other->path);
	if (shrinks_from_under(fake, group, set, false))
		return false;
	if (claim_of(fake, group) == &group->cpus &&
		!grow(fake, group, &group->cpus, set))
		return false;
	group->cpus = *set;
	return true;
}

static inline bool set_exclusive(
	struct fake *fake, struct group *group, const struct cpuset *set)
{
	const struct group *above = parent_of(&fake->host->tree, group->path), *other;
	struct cpuset ground = holdings(fake, above);

	if (!group->has_cpuset || !fake->host->tree.remote)
		return refuse(fake, "ENOENT: no cpuset.cpus.exclusive");
	if (cpuset_equal(&group->exclusive, set))
		return refuse(fake, "nothing to change");
	if (!cpuset_subset(set, &ground))
		return refuse(fake, "they are not exclusive above");
	if (says_partition(group) && !cpuset_subset(&group->cpus, set))
		return refuse(fake, "it would shrink from under its cpuset.cpus");
	other = overlap(fake, group, set, true);
	if (other)
		return refuse(fake, "CPUs are exclusive with /%s", other->path);
	if (shrinks_from_under(fake, group, set, true) ||
		!grow(fake, group, claim_of(fake, group), set))
		return false;
	group->exclusive = *set;
	return true;
}

/* A VM's partitions below a group; slices have groups of several VMs. */
static inline const struct group *partition_below(
	const struct fake *fake, const char *path, const char *top)
{
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const char *below = tree->groups[i]->path;

		if (path_is_below(below, path) &&
			(!strcmp(below, top) || path_is_below(below, top)) &&
			tree->groups[i]->partition.kind != PARTITION_MEMBER)
			return tree->groups[i];
	}
	return NULL;
}

static inline bool become_partition(
	struct fake *fake, struct group *group, enum partition kind)
{
	const struct tree *tree = &fake->host->tree;
	const struct group *above = parent_of(tree, group->path), *other;
	struct cpuset ground = holdings(fake, above);

	if (group->partition.kind == kind || find_damage(fake, group->path))
		return refuse(fake, "%s: writing it again does nothing",
			group->partition.valid ? "valid" : "invalid");
	if (!group->partition.valid)
		return refuse(fake, "invalid: on 6.1 it stays so until it was a member");
	if (above && !says_partition(above) && !is_remote(fake, above))
		return refuse(fake, "Parent is not a partition root");
	if (cpuset_empty(&group->cpus) || !cpuset_subset(claim_of(fake, group), &ground))
		return refuse(fake, "the parent lacks CPUs, or there are none");
	if (is_remote(fake, above) && is_top(above) &&
		!cpuset_subset(&group->cpus, &group->exclusive))
		return refuse(fake, "Invalid cpu list in cpuset.cpus.exclusive");
	other = overlap(fake, group, claim_of(fake, group), true);
	if (other)
		return refuse(
			fake, "Cpu list in cpuset.cpus not exclusive: /%s", other->path);
	return says_partition(group) || take_cpus(fake, group, claim_of(fake, group));
}

static inline bool set_partition(
	struct fake *fake, struct group *group, enum partition kind, const char *top)
{
	const struct group *below = partition_below(fake, group->path, top);
	const struct group *above = parent_of(&fake->host->tree, group->path);
	struct fake_damage *wrong = above ? find_damage(fake, above->path) : NULL;

	if (!group->has_cpuset)
		return refuse(fake, "ENOENT: no cpuset.cpus.partition");
	if (below &&
		(kind == PARTITION_MEMBER || group->partition.kind == PARTITION_MEMBER))
		return refuse(fake, "toggled while /%s is a partition", below->path);
	if (kind != PARTITION_MEMBER && !become_partition(fake, group, kind))
		return false;
	if (kind == PARTITION_MEMBER && group->partition.kind == kind)
		return refuse(fake, "nothing to change");
	/* A wrong parent gets and hands down CPUs all the same. */
	if (wrong && kind == PARTITION_MEMBER)
		cpuset_or(&wrong->effective, &group->cpus);
	else if (wrong)
		cpuset_andnot(&wrong->effective, &group->cpus);
	heal(fake, group->path);
	group->partition = (struct partition_state){.kind = kind, .valid = true};
	return true;
}
