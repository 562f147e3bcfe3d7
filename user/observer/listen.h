/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the observer tells at once, to one who waits: violations, and what may call for a
 * change. Its ring buffers have one reader; what is told while there is none is lost, and
 * counted.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "user/base/problem.h"
#include "user/model/counters.h"

struct listener;

struct hearing {
	/* Something may call for a change: of that VM's threads or groups; with pid 0,
	 * only a look at everything tells what. */
	void (*news)(pid_t pid, void *data);
	/* One whose run is over. */
	void (*violation)(const struct culprit *culprit, void *data);
	void *data;
};

/*
 * Waits at the observer in that folder. -ENOENT, -ESTALE as of observer_open(). The
 * caller owns the listener: listener_close().
 */
int listener_open(const char *dir, const struct hearing *hearing,
	struct listener **ret_listener, struct problem *problem);
void listener_close(struct listener *listener); /* NULL is fine */

/* Readable (poll, epoll) when there is something. The listener's own. */
int listener_fd(const struct listener *listener);

/* Is it still that observer's, and not of one that was replaced? */
bool listener_is_current(const struct listener *listener, const char *dir);

/*
 * Takes in all that there is, and adds up what was told and not heard since the last
 * call: whoever lost news is to look at everything. Negative errno.
 */
int listener_hear(struct listener *listener, uint64_t *ret_news_lost,
	uint64_t *ret_violations_lost);
