/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* RUN/lock: whoever changes the host holds it. It goes with the process, however that
 * ends. */
#include <stdbool.h>

#include "user/base/problem.h"

/*
 * Waits up to `seconds` for it. -EBUSY with the pid of the holder. The caller closes
 * *ret_fd, which gives it up.
 */
int lock_take(
	const char *run_dir, unsigned int seconds, int *ret_fd, struct problem *problem);

/* RUN/daemon, which a daemon holds while it lives. -EBUSY: there is one, and its pid. */
int lock_take_daemon(const char *run_dir, int *ret_fd, struct problem *problem);
bool lock_daemon_runs(const char *run_dir);
