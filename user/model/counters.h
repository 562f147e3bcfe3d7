/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the observer counted. A run that is still on is part of the figures, with its
 * length so far. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/model/cpuset.h"
#include "user/model/interrupts.h"
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
	struct tally interrupts, softirqs; /* measured ones */
	struct cpu_interrupts base;	   /* the kernel's counters at `start` */
};

/* A CPU that has an owner. */
struct reservation {
	unsigned int cpu;
	size_t vm;	/* whose: index in vms */
	uint64_t since; /* from when on this owner's, CLOCK_MONOTONIC ns */
};

struct vm_tally {
	char name[VM_NAME_SIZE];
	pid_t pid;
	uint64_t start_time;
	uint64_t started; /* the same as CLOCK_MONOTONIC ns */
	uint64_t since;	  /* CLOCK_MONOTONIC ns: from when on it has been observed */
	/* CLOCK_MONOTONIC ns: its placement was last put right (0: never), and since when
	 * it had been right. */
	uint64_t repaired, repaired_since;
	bool ended;
	struct tally foreign[CAUSE_COUNT], off_set, settling;
};

enum { WAIT_BUCKETS = 16 };

/* Of the runs whose end was seen, and the waits before them. */
struct thread_tally {
	pid_t tid;
	size_t vm; /* index in vms; SIZE_MAX: it is not known there */
	enum thread_class class;
	int index; /* of a vCPU or iothread */
	bool exited;
	uint64_t switches;
	struct tally off_set;
	uint64_t run_ns; /* as of a while ago: the kernel tells it, and is not asked each
			    time */
	uint64_t wait_ns;
	uint64_t waits[WAIT_BUCKETS]; /* by length: see wait_bound() */
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

enum run_kind { KIND_OFF_SET, KIND_FOREIGN, KIND_BOUND_KTHREAD };

/* Runs on a VM's CPUs of all tasks with one name, or of a VM's threads off their sets.
 * What is left over when there are too many names has no name and no VM. */
struct culprit_tally {
	char vm[VM_NAME_SIZE]; /* as in struct culprit; "": it is no longer known */
	enum run_kind kind;
	enum cause cause; /* when foreign; CAUSE_COUNT: of any kind, left over */
	char comm[COMM_SIZE];
	struct tally runs;
	/* Of the latest one. */
	uint64_t time, cgroup;
	pid_t tid, tgid;
	unsigned int cpu;
};

struct counters {
	uint64_t now, start, rules_changed; /* CLOCK_MONOTONIC ns */
	uint64_t generation, events_lost, unwritten, recursion_misses;
	uint64_t unwritten_time; /* of the latest one, CLOCK_MONOTONIC ns */
	/* What could not be named for want of room: runs, and groups of VMs. */
	uint64_t culprits_full, groups_full;
	unsigned int programs; /* at sched_switch that count into the same maps */
	bool measures;	       /* how long interrupts take */
	bool takeover;	       /* one takes another's place, so there may be two */
	struct cpu_tally total;
	struct cpu_tally *cpus; /* by CPU number */
	size_t n_cpus;
	struct vm_tally *vms;
	size_t n_vms;
	struct thread_tally *threads; /* ascending by tid */
	size_t n_threads;
	struct culprit *culprits; /* latest first */
	size_t n_culprits;
	struct reservation *reserved; /* ascending by CPU */
	size_t n_reserved;
	struct culprit_tally *tallies; /* by time on the CPU, longest first */
	size_t n_tallies;
};

void counters_deinit(struct counters *counters);

/* Zeroes stand for what is not known to the observer. */
const struct vm_tally *counters_find_vm(
	const struct counters *counters, pid_t pid, uint64_t start);
const struct thread_tally *counters_find_thread(
	const struct counters *counters, pid_t tid);

/* What is counted about those that a culprit belongs to, or NULL. */
const struct culprit_tally *counters_find_culprit(
	const struct counters *counters, const struct culprit *culprit);

/* Waits of bucket i are shorter than this; those of the last one have no bound: 0. ns. */
uint64_t wait_bound(unsigned int bucket);

/* A bound that so many percent of the waits are below, as exactly as buckets tell: ns. 0:
 * there is none. */
uint64_t wait_quantile(const struct thread_tally *thread, unsigned int percent);

const char *run_kind_name(enum run_kind kind);
uint64_t tally_foreign(const struct tally foreign[CAUSE_COUNT]);
const char *cause_name(enum cause cause);
