/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What is no violation and may still be more than somebody wants: how long vCPUs wait for
 * their CPU, and what the kernel's own work takes from it. Pure.
 */
#include "user/base/problem.h"
#include "user/model/past.h"

struct limits {
	/* 0: none. A wait counts as longer when all of its bucket is: a limit of 1,024 ns
	 * times a power of two is kept to exactly, another one to the next of those. */
	uint64_t wait_p99_ns;
	uint64_t interference_ppm; /* of a reserved CPU's time; 0: none */
};

/* The worst there is. */
struct limit_figures {
	const struct thread_tally *slowest; /* NULL: no vCPU has waited at all */
	uint64_t wait_p99_ns; /* a bound of its p99; 0: there is none, or no wait */
	bool too_slow;	      /* its p99 is beyond the limit */
	bool has_cpu;	      /* a CPU is reserved */
	unsigned int cpu;     /* the most disturbed one */
	uint64_t interference_ppm;
	bool too_disturbed;
};

/* Of one VM by name, or of the host (NULL), since a full entry; without one, since the
 * observer's start. */
void limits_measure(const struct limits *limits, const struct counters *counters,
	const struct past *before, const char *only, struct limit_figures *ret_figures);

/* A sentence about what is beyond its limit; false: nothing is. */
bool limits_tell(const struct limits *limits, const struct counters *counters,
	const struct limit_figures *figures, struct problem *ret_sentence);
