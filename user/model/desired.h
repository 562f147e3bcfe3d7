/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From policy and facts to what should be: groups with their CPUs, threads in groups,
 * rules. Pure. */
#include "user/base/problem.h"
#include "user/model/explanation.h"
#include "user/model/found.h"
#include "user/model/layout.h"
#include "user/model/policy.h"
#include "user/model/rules.h"
#include "user/model/topology.h"
#include "user/model/tree.h"
#include "user/model/vm.h"

enum desired_kind {
	DESIRED_OBSERVED, /* only watched; with a reason although more was asked for */
	DESIRED_PLACED,	  /* groups, threads and rules are to be as said here */
	DESIRED_KEPT,	  /* cannot be had: what is there stays, `reason` says why */
};

struct desired_group {
	char *path; /* owned */
	enum partition partition;
	struct cpuset cpus;
	/* libvirt's: it sets no CPUs, and what it runs on is to be within `cpus`. */
	bool floats;
	struct cpuset mems; /* memory nodes; empty: whatever they are */
};

/* How a VM's CPUs are kept from others. */
enum scheme {
	SCHEME_ROOT, /* its group is a root partition, the vCPUs' may be partitions below
		      */
	/* Only the vCPUs' groups are partitions, remote ones: every group above claims
	 * their CPUs, and the VM's other threads run on CPUs that are the host's, too. */
	SCHEME_LEAVES,
	/* No group of it is one: they are below its class's, which is a root partition,
	 * and all set their CPUs. */
	SCHEME_CLASS,
};

struct desired_vm {
	const struct vm *vm; /* not owned */
	struct policy_ref wish;
	enum desired_kind kind;
	enum layout layout;
	enum scheme scheme;
	char *reason; /* why it is less than was asked for: a sentence, or NULL; owned */
	/* groups[0] is the VM's, the others are the leaves below it, the emulator's
	 * first. Empty unless DESIRED_PLACED. */
	struct desired_group *groups;
	size_t n_groups;
	size_t *thread_groups;	/* by vm->threads: which group; owned */
	struct cpuset reserved; /* what nobody else may have */
	struct rule_vm rules;
};

/* The group on whose CPUs all VMs of a class float: a root partition below the slice. */
struct desired_class {
	char *path; /* owned */
	/* Those that the VMs share, and those that single vCPUs of them have alone. */
	struct cpuset cpus;
};

struct desired {
	struct desired_vm *vms; /* by name; a VM with policy `ignore` is not there */
	size_t n_vms;
	struct desired_class *classes; /* those that have VMs, by name */
	size_t n_classes;
	struct explanation explanation; /* of the VM that the input names */
};

struct desired_input {
	const struct config *config;
	const struct vms *vms;
	const struct tree
		*tree; /* what a VM has now is kept where policy leaves the choice */
	const struct found_vm *records;
	size_t n_records;
	const struct topology *topology;
	const char *explain; /* the VM whose CPUs are to be explained, or NULL */
	bool rebalance; /* running VMs may be moved where the host gets tidier by it */
};

/* The record of that VM, this very process; NULL: there is none. */
const struct found_vm *desired_record(
	const struct desired_input *input, const struct vm *vm);

/* -ENOMEM only. The caller owns the result: desired_deinit(). It points into input->vms.
 */
int desired_compute(const struct desired_input *input, struct desired *ret_desired);
void desired_deinit(struct desired *desired);

/*
 * What is desired for a VM whose threads are now these, all else being as it was. The
 * caller then puts `now` in the place of desired->vm, for both are by its threads. 1:
 * there are other vCPUs or iothreads, or some are yet to be, which concerns the whole
 * host; nothing has changed. -ENOMEM.
 */
int desired_follow(struct desired_vm *desired, const struct vm *now);

/* By the VM's name; by the path of the class's group. NULL: there is none. */
const struct desired_vm *desired_find(const struct desired *desired, const char *name);
const struct desired_class *desired_find_class(
	const struct desired *desired, const char *path);

/* Has a leaf as it is the CPUs that it is to have? It may be NULL. */
bool leaf_has_cpus(const struct group *leaf, const struct desired_group *wanted);

/* Of one VM's groups. NULL: it is none of them. */
const struct desired_group *desired_find_group(
	const struct desired_vm *vm, const char *path);

/* Of what is wanted of the VM's groups: when it is another, something else is wanted.
 * Never 0. */
uint64_t desired_fingerprint(const struct desired_vm *vm);

/* The CPUs that a thread of that class and index is declared to run on. */
const struct cpuset *desired_thread_set(const struct desired_vm *vm, size_t thread);
