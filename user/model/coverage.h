/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How much of a window was watched, and what was missed in it. Pure.
 *
 * A CPU is watched as its owner's from the moment of its rule. Without a window asked
 * for, a rule that came later than the observer blinds nothing: before it the CPU was
 * nobody's, and how long it has been the owner's is told as its share. Who asks for a
 * window asks about all of it: there a VM that ran in the window before its CPU's rule
 * was in force, or before it was known at all, was not watched for so long, and no
 * verdict is OK. Of one that was started within the window the first moments do not
 * count.
 *
 * Lost events are told and blind nobody: a verdict comes from counters.
 */
#include "user/base/problem.h"
#include "user/model/counters.h"

/* For so long a VM that has just been started may be unknown. */
#define COVERAGE_BIRTH_NS (UINT64_C(10) * 1000 * 1000 * 1000)

struct coverage_input {
	const struct counters *counters;
	const struct cpuset *online;
	const char *only;   /* one VM by name, or NULL for the host */
	uint64_t window_ns; /* asked for; 0: since the observer's start */
	bool alive;	    /* the observer was seen to count while it was read */
};

/* What was asked for, or all the time since the observer's start. */
uint64_t coverage_window(const struct coverage_input *input);

/* How long in the window the CPU was watched as its owner's. ns. */
uint64_t coverage_watched(
	const struct coverage_input *input, const struct reservation *reservation);

/* Does the question cover that CPU? */
bool coverage_includes(
	const struct coverage_input *input, const struct reservation *reservation);

/* The CPU that was watched least, or NULL when there is none. */
const struct reservation *coverage_least(const struct coverage_input *input);

/* For how long the window was not watched as it had to be, with the reason; when it
 * cannot be told since when, for all of it. 0: it was watched. ns. */
uint64_t coverage_blind(const struct coverage_input *input, struct problem *ret_reason);
