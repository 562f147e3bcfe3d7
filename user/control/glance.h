/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A look at one VM of which alone something was heard, where all was looked at before. It
 * costs what the VM costs, however many there are. The caller holds the lock, and knows
 * that configuration, records and the host's CPUs are as they were in that cycle. It has
 * opened the observer.
 */
#include "user/control/apply.h"

enum {
	GLANCE_NOTHING, /* it is as it should be */
	GLANCE_MENDED,	/* its threads were not where they belong, and are */
	/* Not a matter of its threads alone, or not to be mended so: all is to be looked
	 * at. What was changed on the way was told. */
	GLANCE_MORE,
};

/* One of the above, or a negative errno, after which the cycle is worth nothing. */
int control_glance(struct cycle *cycle, pid_t pid, const struct report *report,
	struct problem *problem);
