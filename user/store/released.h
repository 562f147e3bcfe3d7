/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * RUN/released: VMs that somebody has given back by hand while a daemon runs, a line
 * `PID START_TIME NAME` each, or `*` for all. Whoever places unasked leaves them alone
 * until somebody asks again. Its writer holds the lock.
 */
#include "user/base/problem.h"
#include "user/model/policy.h"
#include "user/store/vm_file.h"

/* The name of a VM, this very process; NULL: all, whatever there is and will be. */
int released_add(const char *run_dir, const char *vm_name,
	const struct process_id *process, struct problem *problem);

/*
 * Sets all_released, released and n_released, which are the configuration's from then
 * on; processes that are no more are left out. No file: none. A line that is none of the
 * above is passed over. -ENOMEM, -errno.
 */
int released_read(const char *run_dir, process_alive_fn *alive, struct config *config,
	struct problem *problem);

/* 0 where there is none. */
int released_clear(const char *run_dir, struct problem *problem);
