/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What can be attached to sched_switch here. Everything that is turned on is turned off
 * by tracer_off(); of other people's settings none is touched.
 */
#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/load.h"
#include "user/base/problem.h"

enum tracer_kind {
	TRACER_NONE,
	TRACER_EMPTY,
	TRACER_OBSERVER,
	TRACER_RUNQLAT,
	TRACER_FTRACE,
	TRACERS
};

struct tracer {
	enum tracer_kind kind;
	int program; /* fd, or -1 where there is no one program */
	struct empty_bpf *empty;
	pid_t runqlat;
};

const char *tracer_name(enum tracer_kind kind);

/* Runs in a mount namespace of its own, with tracefs mounted. Removes what a killed run
 * left. */
int tracers_init(struct problem *problem);

/*
 * Attaches one. The observer gets the rules that go with the load. -EOPNOTSUPP: this host
 * does not have it. tracer_off() afterwards, on failure too.
 */
int tracer_on(enum tracer_kind kind, const struct load *load, struct tracer *ret_tracer,
	struct problem *problem);
void tracer_off(struct tracer *tracer);

/* All runs of a program since it was loaded, while the kernel's statistics were on. */
struct program_time {
	uint64_t ns, runs;
};

int tracer_time(const struct tracer *tracer, struct program_time *ret_time);

/* Runs that the attached observer found foreign to that CPU, or of its kernel's own
 * threads. */
int tracer_strangers(unsigned int cpu, uint64_t *ret_runs);
