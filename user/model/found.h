/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What was found before the first change, to be given back exactly. store/found.h keeps
 * it. */
#include <stdbool.h>
#include <stddef.h>

#include "user/model/policy.h"
#include "user/model/vm.h"

struct found_thread {
	pid_t pid, tid;
	uint64_t start_time;
	char *cgroup; /* as in vm_thread; owned; NULL for a host thread that was never
			 moved */
	bool kernel;  /* a kernel thread that is kept off reserved CPUs */
	struct cpuset affinity;
};

/* A group of somebody else's that was changed, or may have been. */
struct found_group {
	char *path; /* owned */
	bool leaf;  /* below the VM's top group */
	enum partition partition;
	struct cpuset cpus, exclusive; /* without what VMs of ours had claimed by then */
	/* Its cpuset.cpus were written: last with these, or, if that was not to be, with
	 * those before. */
	bool set;
	struct cpuset written, earlier;
};

struct found_vm {
	char name[VM_NAME_SIZE];
	pid_t pid;
	uint64_t start_time;
	struct found_thread *threads; /* ascending by tid; the main thread is there */
	size_t n_threads;
	/* With libvirt's layout: its groups from the root down, and what was or is about
	 * to be claimed in them as exclusive. */
	struct found_group *groups;
	size_t n_groups;
	struct cpuset claimed;
};

struct found_host {
	bool cpuset_given; /* the root had cpuset in cgroup.subtree_control */
	/*
	 * Host threads bound to fewer CPUs than their group had. 6.1 forgets such a
	 * binding when a partition takes one of the CPUs; later kernels restore it by
	 * themselves.
	 */
	struct found_thread *bound;
	size_t n_bound;
	bool has_workqueues;
	struct cpuset workqueues; /* where work that is bound to no CPU was done */
};

void found_vm_deinit(struct found_vm *found);

/* Of a VM that is not to be given back by this copy. */
void found_vm_drop_threads(struct found_vm *found);
void found_host_deinit(struct found_host *found);

/* The record of a VM as it is now. -ENOMEM. The caller owns the result. */
int found_vm_of(const struct vm *vm, struct found_vm *ret_found);

/* The record that holds for a thread: its own, or for one that is younger the main
 * thread's. */
const struct found_thread *found_vm_thread(
	const struct found_vm *found, pid_t tid, uint64_t start_time);

/* Was the record made of this very process, not of an earlier one of that name? */
bool found_vm_is_of(const struct found_vm *found, pid_t pid, uint64_t start_time);

/* libvirt's group for the VM, whose leaves its threads are in; NULL: it is not in those.
 */
const char *found_vm_top(const struct found_vm *found);

/* Are these CPUs of the group what we have written? */
bool found_group_wrote(const struct found_group *group, const struct cpuset *cpus);

/* NULL: it is not in the record. */
struct found_group *found_vm_group(const struct found_vm *found, const char *path);

/* By name, in which a host's records are kept. NULL: there is none. */
void found_vms_sort(struct found_vm *records, size_t n_records);
const struct found_vm *found_vm_find(
	const struct found_vm *records, size_t n_records, const char *name);
