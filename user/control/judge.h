/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Is a VM that is being started placed, as far as it is there? Private to the launch. */
#include "user/control/apply.h"
#include "user/control/cycle.h"

enum judgement {
	JUDGE_PLACED,
	JUDGE_UNBORN, /* so far; some of its threads are yet to come */
	JUDGE_LATER,  /* nobody could tell, and why was told: nothing against the VM */
	JUDGE_FAILED, /* it is not, and why was told */
	/* It has ended, or policy wants nothing of it any more; what was left of it is
	 * cleared. */
	JUDGE_GONE,
};

enum { LAUNCH_LOCK_SECONDS = 60 };

/* Takes the lock, applies what is desired to that VM alone, and looks. For a process of
 * its own. */
enum judgement judge(
	const struct folders *folders, const char *vm_name, const struct report *report);
