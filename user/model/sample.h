/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One reading of all that `top` shows: CPUs with their places and owners, VMs with their
 * vCPUs, who intruded. Counters as they stand; rates are the view's (view.h). It refers
 * to nothing else, so that it can be recorded and looked at elsewhere.
 */
#include "user/base/problem.h"
#include "user/model/counters.h"
#include "user/model/topology.h"

enum {
	HOST_NAME_SIZE = 65, /* as in struct utsname */
	SAMPLE_WORD_SIZE = 16,
	SAMPLE_LIST_SIZE = 64,
};

enum sample_observer { OBSERVER_ABSENT, OBSERVER_BLIND, OBSERVER_RUNNING };

struct sample_cpu {
	unsigned int cpu;
	bool online;
	bool shared;	     /* by the VMs of one class */
	uint16_t node, core; /* TOPOLOGY_UNKNOWN: of one that is offline */
	int owner;	     /* index in vms, -1: nobody's */
	int vcpu;	     /* of the owner's, -1: of the VM as a whole */
	struct cpu_tally tally;
};

struct sample_vcpu {
	bool counted;		   /* the observer knows it; else `tally` has no counts */
	struct thread_tally tally; /* tid, index, counts; run_ns is the kernel's own */
	int last_cpu;
	char set[SAMPLE_LIST_SIZE]; /* declared: a CPU list, cut where it is too long */
};

struct sample_vm {
	char name[VM_NAME_SIZE];
	pid_t pid; /* 0: it has ended, and CPUs are still its own */
	uint64_t start_time;
	uint64_t since; /* CLOCK_MONOTONIC ns: observed from then on; 0: it is not */
	char state[SAMPLE_WORD_SIZE];
	char *reason; /* a sentence about the state, or NULL; owned */
	struct tally foreign[CAUSE_COUNT], off_set, settling;
	struct sample_vcpu *vcpus; /* ascending by index */
	size_t n_vcpus;
};

struct sample {
	char host[HOST_NAME_SIZE], kernel[HOST_NAME_SIZE];
	uint64_t now; /* CLOCK_MONOTONIC ns */
	int64_t time; /* s since 1970 */
	enum sample_observer observer;
	struct problem why;  /* it is not running; "": it is */
	struct problem note; /* what else is to be told; "": nothing */
	uint64_t start;	     /* the observer's, CLOCK_MONOTONIC ns */
	uint64_t switches, lost;
	bool measures;		 /* how long interrupts take */
	struct sample_cpu *cpus; /* ascending by number */
	size_t n_cpus;
	struct sample_vm *vms; /* by name */
	size_t n_vms;
	struct culprit *culprits; /* those that still run first, then the latest */
	size_t n_culprits;
};

void sample_deinit(struct sample *sample);

/* NULL: there is none. */
const struct sample_cpu *sample_find_cpu(const struct sample *sample, unsigned int cpu);
const struct sample_vm *sample_find_vm(
	const struct sample *sample, pid_t pid, uint64_t start_time);
const struct sample_vcpu *sample_find_vcpu(const struct sample_vm *vm, int index);

/* `running`, `blind`, `absent` */
const char *sample_observer_name(enum sample_observer observer);
