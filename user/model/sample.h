/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The counters at one moment of the past, as far as they were more than nothing: what was
 * counted since is what they say now, less this. Pure.
 */
#include "user/model/counters.h"

/* Counted of a VM; or of all, ended ones too. */
struct violations {
	struct tally off_set, foreign[CAUSE_COUNT], settling;
};

struct sample_vm {
	pid_t pid;
	uint64_t start_time;
	struct violations counted;
};

/* Of a vCPU. */
struct sample_waits {
	pid_t pid, tid;
	uint64_t waits[WAIT_BUCKETS];
};

/* Of a reserved CPU: what the kernel's own work took from it. ns. */
struct sample_cpu {
	unsigned int cpu;
	uint64_t taken_ns;
};

struct sample {
	uint64_t time, start; /* CLOCK_MONOTONIC ns; start: of the observer */
	uint64_t switches, events_lost;
	struct violations total;
	struct sample_vm *vms; /* those with any violation */
	size_t n_vms;
	/* A brief one is of violations alone. */
	bool full;
	struct sample_waits *waits;
	size_t n_waits;
	struct sample_cpu *cpus;
	size_t n_cpus;
};

/* -ENOMEM. The caller owns the result: sample_deinit(). */
int sample_take(const struct counters *counters, bool full, struct sample *ret_sample);
void sample_deinit(struct sample *sample);

/* Is that of these counters, and not of another observer's? NULL: it is not. */
bool sample_is_of(const struct sample *sample, const struct counters *counters);

/* How many violations there are. */
uint64_t violations_count(const struct violations *violations);

/*
 * What was counted since a sample of these counters; NULL: since the observer's start.
 * What was forgotten meanwhile, and counts anew, is all since.
 */
void sample_since(const struct sample *before, const struct counters *counters,
	struct violations *ret_since);
void sample_vm_since(const struct sample *before, const struct vm_tally *vm,
	struct violations *ret_since);

/* The thread with the waits since then; a brief sample says nothing of them. */
struct thread_tally sample_waits_since(const struct sample *before,
	const struct counters *counters, const struct thread_tally *thread);

/* What the kernel's own work took from that CPU since then. ns. */
uint64_t sample_taken_since(
	const struct sample *before, const struct counters *counters, unsigned int cpu);
