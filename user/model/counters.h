/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the observer counted. A run that is still on is part of the figures, with its
 * length so far. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/model/cpuset.h"
#include "user/model/vm.h"

/* Why a run on a reserved CPU is foreign (interface: cause). */
enum cause {
	CAUSED_BY_USER,
	CAUSED_BY_OTHER_VM,
	CAUSED_BY_OWN_VM,
	CAUSED_BY_KTHREAD,
	CAUSE_COUNT
};

struct tally {
	uint64_t count, ns;
};

struct cpu_tally {
	uint64_t switches;
	struct tally foreign[CAUSE_COUNT], off_set, bound_kthread, settling;
};

struct vm_tally {
	char name[VM_NAME_SIZE];
	pid_t pid;
	uint64_t start_time;
	bool ended;
	struct tally foreign[CAUSE_COUNT], off_set, settling;
};

struct thread_tally {
	pid_t tid;
	uint64_t switches;
	struct tally off_set;
};

/* The latest violation on one CPU. */
struct culprit {
	unsigned int cpu;
	bool off_set;	       /* else foreign */
	bool running;	       /* not over yet */
	enum cause cause;      /* when foreign */
	char vm[VM_NAME_SIZE]; /* whose CPU or, off_set, whose thread */
	int vcpu;	       /* owner of the CPU, -1 for the VM as a whole */
	pid_t tid, tgid;       /* tgid 0: not known yet */
	char comm[COMM_SIZE];
	uint64_t cgroup; /* cgroup id; 0: not known yet */
	uint64_t time, ns;
};

struct counters {
	uint64_t now, start, rules_changed; /* CLOCK_MONOTONIC ns */
	uint64_t generation, events_lost, unwritten, recursion_misses;
	struct cpu_tally total;
	struct cpu_tally *cpus; /* by CPU number */
	size_t n_cpus;
	struct vm_tally *vms;
	size_t n_vms;
	struct thread_tally *threads; /* ascending by tid */
	size_t n_threads;
	struct culprit *culprits; /* latest first */
	size_t n_culprits;
};

void counters_deinit(struct counters *counters);

/* Zeroes stand for what is not known to the observer. */
const struct vm_tally *counters_find_vm(
	const struct counters *counters, pid_t pid, uint64_t start);
const struct thread_tally *counters_find_thread(
	const struct counters *counters, pid_t tid);

uint64_t tally_foreign(const struct tally foreign[CAUSE_COUNT]);
const char *cause_name(enum cause cause);
