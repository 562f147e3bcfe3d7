/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From policy and facts to what should be: groups with their CPUs, threads in groups,
 * rules. Pure. */
#include "user/base/problem.h"
#include "user/model/policy.h"
#include "user/model/rules.h"
#include "user/model/tree.h"
#include "user/model/vm.h"

enum desired_kind {
	DESIRED_OBSERVED, /* only watched */
	DESIRED_PLACED,	  /* groups, threads and rules are to be as said here */
	DESIRED_KEPT,	  /* cannot be had: what is there stays, `reason` says why */
};

struct desired_group {
	char *path; /* owned */
	enum partition partition;
	struct cpuset cpus;
};

struct desired_vm {
	const struct vm *vm; /* not owned */
	struct policy policy;
	enum desired_kind kind;
	char *reason; /* with DESIRED_KEPT: a sentence; owned */
	/* groups[0] is the VM's, the others are the leaves below it. Empty unless
	 * DESIRED_PLACED. */
	struct desired_group *groups;
	size_t n_groups;
	size_t *thread_groups; /* by vm->threads: which group; owned */
	struct rule_vm rules;
};

struct desired {
	struct desired_vm *vms; /* by name; a VM with policy `ignore` is not there */
	size_t n_vms;
};

struct desired_input {
	const struct config *config;
	const struct vms *vms;
	const struct tree
		*tree; /* what a VM has now is kept where policy leaves the choice */
	struct cpuset online;
	struct cpuset first_cores; /* housekeeping, unless configured */
};

/* -ENOMEM only. The caller owns the result: desired_deinit(). It points into input->vms.
 */
int desired_compute(const struct desired_input *input, struct desired *ret_desired);
void desired_deinit(struct desired *desired);

const struct desired_vm *desired_find(const struct desired *desired, const char *name);

/* The VM's group below the slice, named after it. The caller frees; NULL: out of memory.
 */
char *vm_group_path(const char *vm_name);

/* The CPUs that a thread of that class and index is declared to run on. */
const struct cpuset *desired_thread_set(const struct desired_vm *vm, size_t thread);
