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

struct past_vm {
	pid_t pid;
	uint64_t start_time;
	struct violations counted;
};

/* Of a vCPU. */
struct past_waits {
	pid_t pid, tid;
	uint64_t waits[WAIT_BUCKETS];
};

/* What the kernel's own work took from a CPU while it was reserved, where it was
 * anything. ns. */
struct past_cpu {
	unsigned int cpu;
	uint64_t taken_ns;
};

struct past {
	uint64_t time, start; /* CLOCK_MONOTONIC ns; start: of the observer */
	uint64_t switches, events_lost;
	struct violations total;
	struct past_vm *vms; /* those with any violation */
	size_t n_vms;
	/* A brief one is of violations alone. */
	bool full;
	struct past_waits *waits;
	size_t n_waits;
	struct past_cpu *cpus;
	size_t n_cpus;
};

/* -ENOMEM. The caller owns the result: past_deinit(). */
int past_take(const struct counters *counters, bool full, struct past *ret_past);
void past_deinit(struct past *past);

/* Is that of these counters, and not of another observer's? NULL: it is not. */
bool past_is_of(const struct past *past, const struct counters *counters);

/* How many violations there are. */
uint64_t violations_count(const struct violations *violations);

/*
 * What was counted since an entry of these counters; NULL: since the observer's start.
 * What was forgotten meanwhile, and counts anew, is all since.
 */
void past_since(const struct past *before, const struct counters *counters,
	struct violations *ret_since);
void past_vm_since(const struct past *before, const struct vm_tally *vm,
	struct violations *ret_since);

/* The thread with the waits since then; a brief entry says nothing of them. */
struct thread_tally past_waits_since(const struct past *before,
	const struct counters *counters, const struct thread_tally *thread);

/* What the kernel's own work took from that CPU since then. ns. */
uint64_t past_taken_since(
	const struct past *before, const struct counters *counters, unsigned int cpu);
