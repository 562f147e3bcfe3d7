/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * events.jsonl and its rotated predecessors, read line by line, oldest first. Each line
 * is read once, also where files are rotated meanwhile; what is read takes memory for one
 * line. Who writes them is user/daemon/event_file.h.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/problem.h"

enum {
	EVENT_LOG_OLD = 4, /* predecessors: path.1, the latest, to path.4 */
	EVENT_LINE_MAX = 64 * 1024,
};

/* The path of a file by its age: 0 is the one that is written to. */
void event_log_name(const char *path, int age, char ret_name[PATH_MAX]);

struct event_log;

/*
 * With `follow` it is seen, by inotify, when there is more. -ENOENT: there is none of the
 * files. The caller owns the log: event_log_close().
 */
int event_log_open(const char *path, bool follow, struct event_log **ret_log,
	struct problem *problem);
void event_log_close(struct event_log *log); /* NULL is fine */

/*
 * The next line, without its end but with a zero byte after it, until the next call. 1:
 * there is no more of them, or for now. What is longer than EVENT_LINE_MAX is left out.
 */
int event_log_next(struct event_log *log, const char **ret_line, size_t *ret_len,
	struct problem *problem);

/* Lines that were left out. */
uint64_t event_log_skipped(const struct event_log *log);

/*
 * To be polled for input when there are no more lines for now; then event_log_wake(),
 * then event_log_next(). -ENOENT: the folder is gone, and nothing more will come.
 */
int event_log_fd(const struct event_log *log);
int event_log_wake(struct event_log *log, struct problem *problem);
