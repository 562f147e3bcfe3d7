/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From counters to a verdict. Pure. The numbers are the exit statuses of monitoring
 * plugins. */
#include "user/base/problem.h"
#include "user/model/past.h"

enum verdict {
	VERDICT_OK = 0,
	VERDICT_WARNING = 1,
	VERDICT_CRITICAL = 2,
	VERDICT_UNKNOWN = 3
};

struct verdict_input {
	const struct counters *counters; /* NULL: no observer, and `absent` says why */
	const char *absent;
	const char *only; /* one VM by name, or NULL for the host */
	/* What nobody watches, though it should be: a sentence, or NULL. */
	const char *unwatched;
	const char *degraded; /* a sentence about what is not as it should be, or NULL */
	/* Who had to be put right, in the window that was asked for or at all: a
	 * sentence, or NULL. Only with such a window it is a warning: without, it would
	 * be one for good. */
	const char *repaired;
	const char *exceeded; /* a limit that the caller has set: a sentence, or NULL */
	const char *culprit;  /* who the latest violation was, or NULL */
	const struct cpuset *online; /* the host's CPUs at present, or NULL */
	bool alive;	    /* the observer was seen to count while it was read */
	uint64_t window_ns; /* asked for; 0: since the observer's start */
	/* What was counted before the window: the daemon's history. NULL: it is not
	 * known. */
	const struct past *before;
};

struct verdict_result {
	enum verdict verdict;
	struct problem reason;	      /* the sentence */
	uint64_t window_ns, blind_ns; /* window_ns: the time that the counts are of */
	struct tally off_set, foreign[CAUSE_COUNT], settling;
	uint64_t switches, events_lost; /* in examined_ns */
	uint64_t examined_ns;		/* never shorter than window_ns */
	bool cleared; /* all violations that were counted were before the window */
};

void verdict_decide(const struct verdict_input *input, struct verdict_result *ret_result);

/* What was counted of a VM in the time that the result's counts are of. */
void verdict_of_vm(const struct verdict_input *input, const struct verdict_result *result,
	const struct vm_tally *vm, struct violations *ret_counted);

const char *verdict_word(enum verdict verdict); /* `ok`, …: for scripts */
const char *verdict_head(enum verdict verdict); /* `OK`, …: the line's first word */
