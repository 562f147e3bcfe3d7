/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The difference between desired and actual, as steps in a safe order. Pure. An empty
 * unit means: nothing to do, which is also the proof that a placement holds.
 */
#include "user/model/desired.h"
#include "user/model/found.h"
#include "user/model/plan.h"
#include "user/model/tree.h"

/* What there is of one VM beside its groups and threads. */
struct actual_vm {
	bool has_record;  /* what it was like when found */
	bool rules_known; /* the observer has rules for it */
	bool settling;	  /* a change of rules was begun, and not committed */
	bool has_strays; /* kernel threads that could run elsewhere may run on its CPUs */
	/* Of a VM of that name, perhaps an earlier process; NULL: none. Not owned. */
	const struct found_vm *record;
	/* By other VMs in groups of libvirt's. For a VM in its own groups it does not
	 * matter. */
	struct cpuset others_claimed;
	struct rule_vm rules;
};

struct actual {
	struct tree tree;
	bool has_host_record;
	struct cpuset kernel_cpus; /* where kernel threads that could run elsewhere may */
	struct actual_vm *vms;	   /* by desired->vms */
	size_t n_vms;
	struct found_vm *records; /* all that are kept, by no order; owned */
	size_t n_records;
};

void actual_deinit(struct actual *actual);

/* Steps that bring one VM to what is desired. -ENOMEM. The caller owns: unit_deinit(). */
int diff_vm(const struct desired_vm *vm, const struct actual_vm *actual,
	const struct tree *tree, bool has_host_record, struct unit *ret_unit);

/*
 * Steps that bring the group of a class to what is desired, before its VMs: what they
 * use yet it keeps. `has_strays`: kernel threads that could run elsewhere may run there.
 */
int diff_class(const struct desired_class *class, bool has_strays,
	const struct tree *tree, bool has_host_record, struct unit *ret_unit);

/*
 * After its VMs: steps that take from a class's group what neither they use nor it is to
 * have; `wanted` is NULL where no VM is to be in it. Without VMs it goes.
 */
int diff_class_settle(const char *path, const struct cpuset *wanted,
	const struct tree *tree, struct unit *ret_unit);

/*
 * Steps that give one VM's groups up: rules end, partitions dissolve, threads return if
 * the VM lives, groups go, the slice shrinks, and so does the class's group if `group` is
 * in one. `vm` names the unit.
 */
int diff_release(const struct unit *vm, const char *group, bool alive,
	const struct tree *tree, struct unit *ret_unit);

/*
 * The same for a VM in libvirt's groups, which go on: what the record says comes back,
 * but where somebody else has changed it since.
 */
int diff_release_libvirt(const struct unit *vm, const struct found_vm *record,
	const struct cpuset *others_claimed, bool alive, const struct tree *tree,
	struct unit *ret_unit);

/* What all VMs in libvirt's groups but that one have claimed, by their groups. */
struct cpuset diff_others_claims(const struct tree *tree, const struct found_vm *records,
	size_t n_records, const char *except);

/*
 * Steps that return CPUs to the host which the kernel keeps from it although no partition
 * has them. 6.12 loses them when a remote partition ends without its claim above, for
 * good: until a partition next to the root takes them and ends.
 */
int diff_reclaim(
	const struct cpuset *lost, const struct tree *tree, struct unit *ret_unit);

/*
 * Steps that give the host back when no VM's group is left; `host` may be NULL. cpuset
 * stays enabled below the root where groups of others use it by now.
 */
int diff_release_host(const struct found_host *host, bool others_use_it,
	const struct tree *tree, struct unit *ret_unit);

/* Does to the tree what the unit would do to the groups, so that the next plan starts
 * from there. -ENOMEM. */
int diff_assume(struct tree *tree, const struct unit *unit);
