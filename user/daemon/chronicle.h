/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Keeps what was counted at moments of the past (store/history.h), for those who ask
 * about a window: after each pass that is not too soon after another, and when something
 * was violated. Nothing else wakes it: while nothing is violated, what was counted last
 * still holds. However many VMs there are and however violations pour, it goes back for
 * half an hour at least.
 */
#include <systemd/sd-event.h>

#include "user/base/problem.h"

struct chronicle;

/* Of the loop given, which is to outlive it. The caller owns it: chronicle_free(). */
int chronicle_new(sd_event *event, const char *run_dir, struct chronicle **ret_chronicle,
	struct problem *problem);
void chronicle_free(struct chronicle *chronicle); /* NULL is fine */

/* All was looked at. */
void chronicle_note_pass(struct chronicle *chronicle);

/* Something was violated. */
void chronicle_note_violation(struct chronicle *chronicle);
