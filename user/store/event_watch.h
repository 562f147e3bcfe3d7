/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* For event_log.c: wakes when there may be more in a folder's newest file. By inotify. */
#include <stdbool.h>

#include "user/base/problem.h"

struct event_watch {
	int notify; /* -1: nothing is watched */
	int folder;
	int newest; /* watch of the newest file; -1: none */
	char *path; /* the folder's; owned */
};

/* Of the folder that `file` is in. 1: there is no such folder. */
int event_watch_init(
	struct event_watch *ret_watch, const char *file, struct problem *problem);
void event_watch_deinit(struct event_watch *watch);

/* From now on also what is written to this file, whatever it is called later, and not to
 * the one before. */
int event_watch_newest(struct event_watch *watch, int fd, struct problem *problem);

/* Takes note of what has woken. -ENOENT: the folder is gone. */
int event_watch_wake(const struct event_watch *watch, struct problem *problem);
