/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The cgroup tree as it is: what the kernel's files say of our slice and the groups below
 * it, and of groups of libvirt's. */
#include <stdbool.h>
#include <stddef.h>

#include "user/model/cpuset.h"
#include "user/model/policy.h"

#define SLICE "cpuwarden.slice"

enum { REASON_SIZE = 128 };

/* `cpuset.cpus.partition`: a kind, and whether the kernel calls it valid. */
struct partition_state {
	enum partition kind;
	bool valid;
	char reason[REASON_SIZE]; /* the kernel's, may be "" */
};

enum group_type {
	GROUP_DOMAIN,
	GROUP_DOMAIN_THREADED,
	GROUP_DOMAIN_INVALID,
	GROUP_THREADED
};

struct group {
	char *path; /* below the mount, no leading slash; owned */
	enum group_type type;
	bool gives_cpuset; /* cpuset is in cgroup.subtree_control */
	bool has_cpuset;   /* the parent gives it: the files below exist */
	bool populated;
	struct cpuset cpus, effective;
	struct cpuset mems;	 /* cpuset.mems: memory nodes */
	struct cpuset exclusive; /* cpuset.cpus.exclusive; empty on kernels without it */
	struct partition_state partition;
};

struct beside {
	char *path; /* owned */
	struct cpuset cpus;
};

struct holders;

struct tree {
	bool root_gives_cpuset;
	/*
	 * The kernel has cpuset.cpus.exclusive, so a VM's group can be a partition
	 * although the slice above it is none (a remote partition). Without it the slice
	 * must be one, too.
	 */
	bool remote;
	struct cpuset root_effective;
	/* Groups next to the slice that set CPUs. Not read with remote partitions, where
	 * they are in nobody's way. */
	struct beside *beside;
	size_t n_beside;
	struct cpuset isolated; /* on 6.1 from the groups, else as the kernel says */
	/* The slice and all below it, and libvirt's groups that matter with those above
	 * them; ascending by path (parents first). A group is large, and stays where it
	 * is. */
	struct group **groups;
	size_t n_groups;
	struct holders *holders; /* holders.h; NULL: not counted; owned */
};

/* Groups one after another in tree->groups. */
struct group_range {
	size_t first, end;
};

void group_deinit(struct group *group);
void tree_deinit(struct tree *tree);
struct group *tree_find(const struct tree *tree, const char *path);
void tree_sort(struct tree *tree);

/* All below that path, directly or further; "" is the root. */
struct group_range tree_below(const struct tree *tree, const char *path);
struct group *tree_find_within(
	const struct tree *tree, struct group_range range, const char *path);

/* Appends a group with nothing set. NULL: out of memory. For tree_find() sort afterwards.
 */
struct group *tree_add(struct tree *tree, const char *path);

/* Appends the group, and takes over what it owns. -ENOMEM: it is as before. */
int tree_take(struct tree *tree, struct group *group);

/* Sorts where the first n_sorted groups are sorted already: those that were added since
 * go where they belong, and nothing else is looked at. -ENOMEM. */
int tree_merge(struct tree *tree, size_t n_sorted);

/* No such group: nothing to do. */
void tree_remove(struct tree *tree, const char *path);

/* That group and all below it. */
void tree_remove_inside(struct tree *tree, const char *path);

/* Is the group directly or further below that path? */
bool path_is_below(const char *path, const char *above);

/* Is it that group or below it? */
bool path_is_inside(const char *path, const char *top);

/* Cuts the last component off. False, and nothing cut, where the parent is the root. */
bool path_to_parent(char *path);

/* Does it keep its CPUs from others: a partition, and a valid one? */
bool partition_holds(const struct partition_state *state);

/*
 * Whose partition a CPU is in, by `cpuset.cpus` of the groups known here: the innermost,
 * a valid one rather than one beside it that is not. NULL: of none.
 */
const struct group *tree_partition_of(const struct tree *tree, unsigned int cpu);

/* A word and, where the kernel gave one, its reason: `isolated invalid (…)`. */
void partition_state_format(const struct partition_state *state, char *buf, size_t size);
