/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the kernel tells of itself beside the observer's: configuration and partition
 * files, those of libvirt (inotify), CPUs that come and go (uevents). It says that
 * something has changed, never what is so now.
 */
#include <systemd/sd-event.h>

#include "user/base/problem.h"

struct watch;

typedef void watch_fn(const char *what, void *data);

/*
 * Waits in that loop; `changed` is called with a few words for the log. CPUs are watched
 * from here on. The caller owns the watch: watch_free(), before the loop.
 */
int watch_new(sd_event *event, watch_fn *changed, void *data, struct watch **ret_watch,
	struct problem *problem);
void watch_free(struct watch *watch); /* NULL is fine */

/*
 * Makes the files watched those of these calls: watch_begin(), one of the next three
 * each, watch_end(). A folder is watched for what comes, goes and is written in it, or
 * for what comes alone; where it is missing, the nearest above it is, for its coming.
 * What was watched already stays so without a gap. Negative errno.
 */
void watch_begin(struct watch *watch);
int watch_folder(struct watch *watch, const char *path);
int watch_arrivals(struct watch *watch, const char *path);
int watch_file(struct watch *watch, const char *path);
void watch_end(struct watch *watch);
