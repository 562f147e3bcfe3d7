/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The process that attends the births of a VM that is being started, by ptrace, and has
 * it placed. Private to the launch (launch.h).
 */
#include "user/control/apply.h"
#include "user/control/cycle.h"

struct attendance {
	const struct folders *folders;
	const struct asking *asking; /* for cycle_read_asking(), until QEMU is executed */
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

/* Has it begin. To be called right before QEMU is executed, with the VM placed and the
 * lock held unless it is to daemonize. */
int attendant_begin(int fd, struct problem *problem);
