/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What was found before the first change, to be given back exactly. store/found.h keeps
 * it. */
#include <stdbool.h>
#include <stddef.h>

#include "user/model/vm.h"

struct found_thread {
	pid_t pid, tid;
	uint64_t start_time;
	char *cgroup; /* as in vm_thread; owned; NULL for a host thread that was never
			 moved */
	bool kernel;  /* a kernel thread that is kept off reserved CPUs */
	struct cpuset affinity;
};

struct found_vm {
	char name[VM_NAME_SIZE];
	pid_t pid;
	uint64_t start_time;
	struct found_thread *threads; /* ascending by tid; the main thread is there */
	size_t n_threads;
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
void found_host_deinit(struct found_host *found);

/* The record of a VM as it is now. -ENOMEM. The caller owns the result. */
int found_vm_of(const struct vm *vm, struct found_vm *ret_found);

/* The record that holds for a thread: its own, or for one that is younger the main
 * thread's. */
const struct found_thread *found_vm_thread(
	const struct found_vm *found, pid_t tid, uint64_t start_time);
