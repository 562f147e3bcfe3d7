/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the difference (diff.h): what its parts have in common, and what they are.
 */
#include "user/model/diff.h"
#include "user/model/holders.h"

/* Steps are collected here; the first one that finds no memory makes the whole fail. */
struct diff {
	const struct desired_vm *vm; /* NULL: the unit is a class's */
	const struct actual_vm *actual;
	const struct tree *tree;
	const struct desired_group *root; /* the VM's group, or the class's */
	const struct group *slice, *top;  /* as they are; `top` is `root`; or NULL */
	struct group_range below;	  /* `root` */
	struct cpuset others; /* what is held below the slice but by it, or its class */
	struct unit *unit;    /* where steps go: the caller's, or */
	struct unit inside;   /* those between the two halves of a change of rules */
	bool rebuild;	      /* the group becomes a partition again, or none */
	bool late;	      /* and only when its leaves have changed */
	/* While the change is made; with remote partitions, the exclusive ones. Without,
	 * top_cpus stays empty. */
	struct cpuset slice_cpus, top_cpus;
	struct cpuset grown; /* cpuset.cpus of the VM's group meanwhile */
	bool failed;
};

/* Appends a step to the unit; never NULL. */
struct step *diff_add(
	struct diff *diff, enum step_kind kind, const char *path, const char *why);
void diff_set_cpus(
	struct diff *diff, const char *path, const struct cpuset *cpus, const char *why);
void diff_set_partition(
	struct diff *diff, const char *path, enum partition partition, const char *why);
void diff_name_unit(struct unit *unit, const char *name, pid_t pid, uint64_t start_time);

/* The unit, whole, or -ENOMEM. */
int diff_finish(struct diff *diff, struct unit *ret_unit);

/* What is to be compared with what: `root` and what is there of it. */
void diff_begin(struct diff *diff, const struct desired_group *root);

/* Is the group a valid partition of that kind, does it have these CPUs? It may be NULL.
 */
bool group_is_partition(const struct group *group, enum partition kind);
bool group_has_cpus(const struct group *group, const struct cpuset *cpus);

/*
 * A remote partition that ends while its claim above is gone takes its CPUs along: 6.12
 * then has them in no partition and keeps them from the host, and the VM's threads are
 * let loose on what is left. So what the slice no longer claims it claims again, before
 * all else. Returns what it then claims.
 */
struct cpuset diff_claim_again(
	struct diff *diff, const struct group *slice, const struct group *top);

/* The group and all below it become members, from the leaves up. */
void diff_reset_partitions(struct diff *diff, const char *why);

/* What valid partitions below the group are to have, and no other group has: if one ended
 * without its claim above, 6.12 would lose its CPUs. */
struct cpuset diff_leaves_hold(const struct diff *diff);

/* CPUs of the group that those below it have, but those inside `except`. Where one below
 * sets none, all. */
struct cpuset diff_used(const struct diff *diff, const char *except);

/* diff_roots.c: the slice and the group below it, until they have old and new CPUs, and
 * from when they need only the new. */
void diff_own_grow(struct diff *diff);
void diff_own_shrink(struct diff *diff);
/* When the leaves have changed: a partition that could not be one before. */
void diff_own_turn(struct diff *diff);

/* The slice lets go of what is not among these. */
void diff_shrink_slice(
	struct diff *diff, const struct cpuset *now, const struct cpuset *keep);

/* diff_class.c: the same for a VM's group in its class's; and the steps after which a
 * class's group has only what its VMs still use, and `wanted` if that is not NULL. What
 * it then has is added to *others. */
void diff_class_grow(struct diff *diff);
void diff_class_shrink(struct diff *diff);
void diff_class_rest(struct diff *diff, const struct cpuset *wanted, const char *except,
	struct cpuset *others);

/* diff_leaves.c: all that may move a thread. */
void diff_inside(struct diff *diff);

/* diff_libvirt.c: as those two, in libvirt's groups; and whether something will be
 * changed of which no record tells what it was. */
void diff_libvirt_grow(struct diff *diff);
void diff_libvirt_shrink(struct diff *diff);
bool diff_libvirt_lacks_record(const struct diff *diff);
