/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the difference (diff.h): what its parts have in common, and what they are.
 */
#include "user/model/diff.h"

/* Steps are collected here; the first one that finds no memory makes the whole fail. */
struct diff {
	const struct desired_vm *vm;
	const struct actual_vm *actual;
	const struct tree *tree;
	struct unit *unit;  /* where steps go: the caller's, or */
	struct unit inside; /* those between the two halves of a change of rules */
	bool rebuild;	    /* the VM's group becomes a partition again */
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

/* CPUs of all VM groups but one, also those that a killed change has only claimed yet. */
struct cpuset diff_other_cpus(const struct tree *tree, const char *except);

/* All that is reserved on the host but by the VM whose groups are below `except`. */
struct cpuset diff_reserved(const struct tree *tree, const char *except);

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

/* diff_roots.c: the slice and the VM's group, until they have old and new CPUs, and from
 * when they need only the new. */
void diff_own_grow(struct diff *diff);
void diff_own_shrink(struct diff *diff);

/* diff_leaves.c: all that may move a thread. */
void diff_inside(struct diff *diff);

/* diff_libvirt.c: as those two, in libvirt's groups; and whether something will be
 * changed of which no record tells what it was. */
void diff_libvirt_grow(struct diff *diff);
void diff_libvirt_shrink(struct diff *diff);
bool diff_libvirt_lacks_record(const struct diff *diff);
