/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The process that attends the births of a VM that is being started, by ptrace, and has
 * it placed. Private to the launch (launch.h).
 */
#include "user/control/apply.h"
#include "user/control/births.h"

struct attendance {
	struct births *births;
	struct cycle *cycle; /* as it was read before */
	const char *vm_name;
	bool daemonize; /* QEMU forks itself twice, and the last of the three is the VM */
	const struct report *report; /* `failed` is called, in the other process */
};

/*
 * Makes that process for this one; it is nobody's child. The caller closes *ret_fd; if it
 * does so, or ends, without an attendant_begin(), so does the other.
 */
int attendant_make(
	const struct attendance *attendance, int *ret_fd, struct problem *problem);

/* Has it begin. To be called right before QEMU is executed. */
int attendant_begin(int fd, struct problem *problem);
