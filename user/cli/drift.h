/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Drift, for the verbs that show it. */
#include "user/cli/cli.h"

struct cli_drift {
	const struct cycle *cycle; /* not owned: its groups give the paths */
	struct drift_note *notes;  /* newest first, our own among them; owned */
	size_t n;
	uint64_t total; /* since the observer's start */
};

/* Empty without an observer. -ENOMEM. The caller owns: cli_drift_deinit(). */
int cli_drift_read(const struct cycle *cycle, struct cli_drift *ret_drift);
void cli_drift_deinit(struct cli_drift *drift);

/*
 * All that others changed, newest first; with `only`, of that VM and of no single one.
 * time_ns is CLOCK_MONOTONIC; groups have a slash in front and are null when they are
 * gone.
 */
struct json_object *cli_drift_list(const struct cli_drift *drift, const char *only);

/* Who has brought a VM to where it is: one change, or NULL, which is JSON's null. */
struct json_object *cli_drift_latest(const struct cli_drift *drift, const char *vm);

/* Puts `; affinity changed by …` behind a sentence about a VM or a violation, where that
 * is known: see drift_find(). */
void cli_drift_tell(const struct cli_drift *drift, const struct drift_question *question,
	struct problem *sentence);
