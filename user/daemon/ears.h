/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The daemon's ear at the observer: news are passed on, violations told. However they
 * pour, it looks ten times a second at most.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "user/base/problem.h"
#include "user/daemon/event_file.h"

struct ears;

/* What may call for a look at that VM, or, with 0, at everything. */
typedef void news_fn(pid_t pid, void *data);

/* There were violations, once for those of a look. */
typedef void violated_fn(void *data);

struct ears_calls {
	news_fn *news;
	violated_fn *violated;
	void *data;
};

/* Of the loop and the file given, which are to outlive it. The caller owns it:
 * ears_free(). */
int ears_new(sd_event *event, struct event_file *file, const struct ears_calls *calls,
	struct ears **ret_ears, struct problem *problem);
void ears_free(struct ears *ears); /* NULL is fine */

/* In a child process that shares its memory no longer: gives up what it listened to. */
void ears_let_go(struct ears *ears);

/*
 * Listens to the observer that there is now. What was said while nobody listened calls
 * for a look at everything. True: it is another, or there is none any more.
 */
bool ears_attend(struct ears *ears);
