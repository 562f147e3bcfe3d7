/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the observer must know to tell who drifts: a VM's groups, and who we are. */
#include "user/control/cycle.h"

/* The groups that a VM is to be in or, where it is left in its own, is in; and all above.
 * Its rules are there. -ENOSPC. */
int drift_watch_groups(
	const struct cycle *cycle, const struct desired_vm *vm, struct problem *problem);

/* From here on (or: no longer) what this process changes is our own doing. With the lock
 * held. */
void drift_begin_own(const struct cycle *cycle);
void drift_end_own(const struct cycle *cycle);

/* The same for the process that attends to a VM's birth, without the lock, to its end. */
void drift_attend_own(const struct cycle *cycle);
