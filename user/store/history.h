/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * RUN/history.jsonl and those it was rotated to (event_log.h): what the observer had
 * counted at moments of the past, a JSON object a line (past_json.h), oldest first. The
 * daemon writes it (daemon/ chronicle.h); whoever asks about a window finds there what
 * was before it.
 */
#include <limits.h>

#include "user/model/past.h"

enum { HISTORY_LINE_MAX = 1 << 20 };

void history_path(const char *run_dir, char ret_path[PATH_MAX]);

/*
 * The latest entry at or before that time (CLOCK_MONOTONIC ns) of the observer that was
 * started at `start`; `full`: only full ones. 1: there is none. Lines that are no entries
 * are passed over. Negative errno. The caller owns the result: past_deinit().
 */
int history_find(const char *run_dir, uint64_t start, uint64_t time, bool full,
	struct past *ret_past);

/* Removes all of it: it is of an observer that is gone. */
void history_drop(const char *run_dir);
