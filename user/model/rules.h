/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The observer's rules for one VM: which thread may run where, and which CPUs are its
 * own. */
#include <stdbool.h>
#include <stddef.h>

#include "user/model/policy.h"
#include "user/model/vm.h"

struct rule_thread {
	pid_t tid;
	uint64_t start_time;
	enum thread_class class;
	int index;
	struct cpuset set; /* the declared set */
	bool owns;	   /* this vCPU alone owns every CPU of its set */
};

struct rule_vm {
	char name[VM_NAME_SIZE];
	pid_t pid;
	uint64_t start_time;
	struct cpuset set; /* for threads of the VM that are not listed: the emulator's */
	struct cpuset
		owned; /* CPUs that the VM as a whole owns (a vCPU's are not in it) */
	bool unborn;   /* it is being started: to execute another program is not its end
			*/
	enum guard guard;  /* of its threads */
	bool libvirt_pins; /* with a guard: libvirt may pin them, too */
	/* Of those in force, CLOCK_MONOTONIC ns: when the latest change of them began,
	 * when it was done (0: not yet), and when the one before it was. */
	uint64_t since, committed, committed_before;
	struct rule_thread *threads; /* ascending by tid */
	size_t n_threads;
};

/* A program's file, as the kernel tells it apart from all others. */
struct program_file {
	uint64_t inode;
	unsigned int major, minor; /* of the file system */
};

void rule_vm_deinit(struct rule_vm *vm);

/* Is that thread, and no later one with its number, listed? */
bool rule_vm_lists(const struct rule_vm *vm, pid_t tid, uint64_t start_time);

/* The CPUs that are its own, or its vCPUs'. */
void rule_vm_owned(const struct rule_vm *vm, struct cpuset *ret_cpus);

/*
 * Are the rules in force as good as those wanted? The emulator's lesser threads (workers,
 * RCU, migration) come and go: one that is not listed is covered by vm->set, and one that
 * has gone does no harm.
 */
bool rule_vm_holds(const struct rule_vm *in_force, const struct rule_vm *wanted);
