/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The state of the fake kernel (fake_kernel.h has its operations): groups, partitions,
 * threads, and what follows from them: which partitions are valid, what is effective,
 * where threads may run.
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
	const char *scope; /* the group whose unit is carried out, with those below */
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

/* With remote partitions, CPUs are claimed by cpuset.cpus.exclusive where that is
 * written. */
static inline const struct cpuset *claim_of(
	const struct fake *fake, const struct group *group)
{
	return fake->host->tree.remote && (!strchr(group->path, '/') ||
						  !cpuset_empty(&group->exclusive))
		       ? &group->exclusive
		       : &group->cpus;
}

/* What a group has as a partition, and could hand down; NULL is the root. */
static inline struct cpuset holdings(const struct fake *fake, const struct group *group)
{
	struct cpuset all = fake->host->topology.online;

	for (; group; group = parent_of(&fake->host->tree, group->path))
		cpuset_and(&all, claim_of(fake, group));
	return all;
}

/* Does a partition's parent have to be one? Not below a member if remote. */
static inline bool is_remote(const struct fake *fake, const struct group *above)
{
	return fake->host->tree.remote && above &&
	       above->partition.kind == PARTITION_MEMBER;
}

static inline bool is_top(const struct group *group)
{
	return group && !strchr(group->path, '/');
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
		if (is_child(tree, tree->groups[i], group) &&
			says_partition(tree->groups[i]))
			cpuset_andnot(&set, &tree->groups[i]->cpus);
	return set;
}

/* Partitions whose ground has gone become invalid; damaged ones do not notice. */
static inline void settle_validity(struct fake *fake)
{
	struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = tree->groups[i];
		const struct group *above = parent_of(tree, group->path);
		struct cpuset ground = holdings(fake, above);

		if (!says_partition(group) || find_damage(fake, group->path))
			continue;
		if ((above && !says_partition(above) && !is_remote(fake, above)) ||
			!cpuset_subset(claim_of(fake, group), &ground)) {
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
	tree->root_effective = fake->host->topology.online;
	memset(&tree->isolated, 0, sizeof(tree->isolated));
	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *group = tree->groups[i];
		struct cpuset taken = holdings(fake, group);

		if (says_partition(group) &&
			(!strchr(group->path, '/') ||
				is_remote(fake, parent_of(tree, group->path))))
			cpuset_andnot(&tree->root_effective, &taken);
	}
	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = tree->groups[i];
		const struct fake_damage *damage = find_damage(fake, group->path);

		group->effective = damage ? damage->effective : effective_of(fake, group);
		group->populated = false;
		if (says_partition(group) && group->partition.kind == PARTITION_ISOLATED)
			cpuset_or(&tree->isolated, &group->cpus);
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
