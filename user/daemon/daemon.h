/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The daemon: decides when. It sleeps until the kernel says that something has changed,
 * then has a pass (pass.h) bring the host to what it should be.
 */
#include "user/control/cycle.h"

struct daemon_options {
	struct folders folders;
	const char *events; /* events.jsonl */
	bool release;	    /* give everything back when it is stopped */
};

/*
 * Until SIGTERM or SIGINT; SIGHUP has it look at everything again. Placement and
 * observation stay in force when it ends, unless `release`. Negative errno with a
 * sentence; -EBUSY: there is another.
 */
int daemon_run(const struct daemon_options *options, struct problem *problem);
