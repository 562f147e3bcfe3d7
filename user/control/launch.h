/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Starts a QEMU that is placed before its first instruction: this process becomes it, in
 * groups and partitions that are there already, and its vCPUs are born in theirs.
 */
#include "user/control/apply.h"
#include "user/control/cycle.h"

struct launch {
	const struct folders *folders;
	const char *vm_name;
	char *const *argv; /* QEMU's, ending with NULL */
	/*
	 * `failed` is called with what is not as it should be although QEMU is started,
	 * also by another process, also later.
	 */
	const struct report *report;
};

/*
 * Does not return when QEMU was started. 1: the command line is not one that can be
 * started under that name. A negative errno: QEMU could not be placed or executed, and
 * the host is as it was, or the problem says what is not.
 */
int launch_qemu(const struct launch *launch, struct problem *problem);
