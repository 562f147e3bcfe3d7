/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A kernel to try plans on: cpuset partitions, threads and their allowed CPUs as a
 * healthy Linux computes them, and stricter than any: what one of 6.1, 6.12 or 7.2
 * refuses, or answers with an invalid partition or with silent damage, is refused here,
 * and so is a step that changes nothing.
 *
 * Damage is what a plan may find: a group that says it is valid and has other CPUs. It
 * lasts until the group was a member once, whatever is written to its cpuset.cpus.
 */
#include "tests/unit/build_host.h"
#include "user/model/diff.h"

enum { FAKE_GROUPS = 96, FAKE_THREADS = 32, FAKE_VMS = 4 };

struct fake_damage {
	char path[256];
	struct cpuset effective;
};

struct fake_vm {
	struct actual_vm actual;	   /* record, rules */
	struct cpuset masks[FAKE_THREADS]; /* sched_setaffinity() of its threads */
};

struct fake {
	struct host *host;  /* its tree and threads are the kernel's state */
	bool forgets_masks; /* as 6.1 */
	bool host_record;
	struct fake_vm vms[FAKE_VMS]; /* as host->vms */
	struct fake_damage damage[FAKE_GROUPS];
	size_t n_damage;
	char refusal[256]; /* why a step was refused, or "" */
};

static inline void fake_init(struct fake *fake, struct host *host)
{
	memset(fake, 0, sizeof(*fake));
	fake->host = host;
	for (size_t i = 0; i < FAKE_VMS; i++)
		memset(fake->vms[i].masks, 0xff, sizeof(fake->vms[i].masks));
}

static inline void fake_deinit(struct fake *fake)
{
	for (size_t i = 0; i < FAKE_VMS; i++)
		rule_vm_deinit(&fake->vms[i].actual.rules);
}

__attribute__((format(printf, 2, 3))) static inline bool refuse(
	struct fake *fake, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fake->refusal, sizeof(fake->refusal), format, args);
	va_end(args);
	return false;
}

/* Groups -------------------------------------------------------------------------------
 */

static inline struct group *parent_of(const struct tree *tree, const char *path)
{
	char above[256];
	char *slash;

	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	return tree_find(tree, above);
}

/* Directly below; `parent` NULL is the root. */
static inline bool is_child(
	const struct tree *tree, const struct group *group, const struct group *parent)
{
	return parent_of(tree, group->path) == parent &&
	       (parent || !strchr(group->path, '/'));
}

static inline struct fake_damage *find_damage(struct fake *fake, const char *path)
{
	for (size_t i = 0; i < fake->n_damage; i++)
		if (!strcmp(fake->damage[i].path, path))
			return &fake->damage[i];
	return NULL;
}

static inline void heal(struct fake *fake, const char *path)
{
	struct fake_damage *damage = find_damage(fake, path);

	if (damage)
		*damage = fake->damage[--fake->n_damage];
}

static inline bool says_partition(const struct group *group)
{
	return group->has_cpuset && group->partition.valid &&
	       group->partition.kind != PARTITION_MEMBER;
}

/* What a parent could hand down; `parent` NULL is the root. */
static inline struct cpuset holdings(const struct fake *fake, const struct group *parent)
{
	struct cpuset all = fake->host->online;

	for (; parent; parent = parent_of(&fake->host->tree, parent->path))
		cpuset_and(&all, &parent->cpus);
	return all;
}

static inline struct cpuset effective_of(
	const struct fake *fake, const struct group *group)
{
	const struct group *above =
		group ? parent_of(&fake->host->tree, group->path) : NULL;
	const struct tree *tree = &fake->host->tree;
	struct cpuset set, other;

	if (!group)
		return tree->root_effective;
	other = above ? above->effective : tree->root_effective;
	set = group->cpus;
	cpuset_and(&set, &other);
	if (!says_partition(group))
		return cpuset_empty(&set) ? other : set;
	set = holdings(fake, group);
	for (size_t i = 0; i < tree->n_groups; i++)
		if (is_child(tree, &tree->groups[i], group) &&
			says_partition(&tree->groups[i]))
			cpuset_andnot(&set, &tree->groups[i].cpus);
	return set;
}

/* Partitions whose ground has gone become invalid; damaged ones do not notice. */
static inline void settle_validity(struct fake *fake)
{
	struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = &tree->groups[i];
		const struct group *above = parent_of(tree, group->path);
		struct cpuset ground = holdings(fake, above);

		if (!says_partition(group) || find_damage(fake, group->path))
			continue;
		if ((above && !says_partition(above)) ||
			!cpuset_subset(&group->cpus, &ground)) {
			group->partition.valid = false;
			snprintf(group->partition.reason, sizeof(group->partition.reason),
				"Parent is an invalid partition root");
		}
	}
}

static inline struct cpuset allowed(const struct fake *fake,
	const struct vm_thread *thread, const struct cpuset *mask)
{
	const struct group *group = tree_find(&fake->host->tree, thread->cgroup);
	struct cpuset set = group ? group->effective : fake->host->tree.root_effective;
	struct cpuset narrow = set;

	cpuset_and(&narrow, mask);
	return cpuset_empty(&narrow) ? set : narrow;
}

/* After each change: validity, effective sets from the top down, what threads may use. */
static inline void settle(struct fake *fake)
{
	struct tree *tree = &fake->host->tree;

	settle_validity(fake);
	tree->root_effective = fake->host->online;
	memset(&tree->isolated, 0, sizeof(tree->isolated));
	for (size_t i = 0; i < tree->n_groups; i++)
		if (!strchr(tree->groups[i].path, '/') &&
			says_partition(&tree->groups[i]))
			cpuset_andnot(&tree->root_effective, &tree->groups[i].cpus);
	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = &tree->groups[i];
		const struct fake_damage *damage = find_damage(fake, group->path);

		group->effective = damage ? damage->effective : effective_of(fake, group);
		group->populated = false;
	}
	for (size_t i = 0; i < fake->host->vms.n_items; i++) {
		struct vm *vm = &fake->host->vms.items[i];

		for (size_t j = 0; j < vm->n_threads; j++) {
			struct vm_thread *thread = &vm->threads[j];
			struct group *group = tree_find(tree, thread->cgroup);

			thread->affinity = allowed(fake, thread, &fake->vms[i].masks[j]);
			for (; group; group = parent_of(tree, group->path))
				group->populated = true;
		}
	}
}

/* Overlap with a brother: `exclusive` when one of the two is a partition. */
static inline const struct group *overlap(const struct fake *fake,
	const struct group *group, const struct cpuset *set, bool exclusive)
{
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *other = &tree->groups[i];

		if (other != group &&
			parent_of(tree, other->path) == parent_of(tree, group->path) &&
			(exclusive || says_partition(other)) &&
			cpuset_intersects(&other->cpus, set))
			return other;
	}
	return NULL;
}

static inline bool has_below(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i].path, path))
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
		const char *path = tree->groups[i].path;

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
	struct group *left = NULL;
	size_t n = 0;

	if (!group)
		return refuse(fake, "ENOENT");
	if (group->populated || has_below(tree, path))
		return refuse(fake, "EBUSY: something is in it");
	heal(fake, path);
	group_deinit(group);
	for (size_t i = 0; i < tree->n_groups; i++) {
		if (tree->groups[i].path)
			*(struct group *)must(array_push(&left, &n)) = tree->groups[i];
	}
	free(tree->groups);
	tree->groups = left;
	tree->n_groups = n;
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
		struct group *child = &tree->groups[i];

		if (!is_child(tree, child, group))
			continue;
		if (!give && (says_partition(child) || child->gives_cpuset))
			return refuse(fake, "EBUSY: /%s needs it", child->path);
		child->has_cpuset = child->partition.valid = give;
	}
	return true;
}

static inline bool set_cpus(
	struct fake *fake, struct group *group, const struct cpuset *set)
{
	const struct tree *tree = &fake->host->tree;
	const struct group *above = parent_of(tree, group->path), *other;
	struct cpuset ground = holdings(fake, above), more = *set;

	if (!group->has_cpuset)
		return refuse(fake, "ENOENT: no cpuset.cpus");
	if (cpuset_equal(&group->cpus, set))
		return refuse(fake, "nothing to change");
	if (!cpuset_subset(set, &ground))
		return refuse(fake, "the parent lacks CPUs");
	other = overlap(fake, group, set, says_partition(group));
	if (other)
		return refuse(fake, "CPUs are exclusive with /%s", other->path);
	for (size_t i = 0; i < tree->n_groups; i++)
		if (is_child(tree, &tree->groups[i], group) &&
			!cpuset_subset(&tree->groups[i].cpus, set))
			return refuse(fake, "it would shrink from under /%s",
				tree->groups[i].path);
	cpuset_andnot(&more, &group->cpus);
	if (says_partition(group) && !cpuset_empty(&more) &&
		!take_cpus(fake, group, &more))
		return false;
	group->cpus = *set;
	return true;
}

/* A VM's partitions below a group; slices have groups of several VMs. */
static inline const struct group *partition_below(
	const struct fake *fake, const char *path, const char *top)
{
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const char *below = tree->groups[i].path;

		if (path_is_below(below, path) &&
			(!strcmp(below, top) || path_is_below(below, top)) &&
			tree->groups[i].partition.kind != PARTITION_MEMBER)
			return &tree->groups[i];
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
	if (above && !says_partition(above))
		return refuse(fake, "Parent is not a partition root");
	if (cpuset_empty(&group->cpus) || !cpuset_subset(&group->cpus, &ground))
		return refuse(fake, "the parent lacks CPUs, or there are none");
	other = overlap(fake, group, &group->cpus, true);
	if (other)
		return refuse(
			fake, "Cpu list in cpuset.cpus not exclusive: /%s", other->path);
	return says_partition(group) || take_cpus(fake, group, &group->cpus);
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
