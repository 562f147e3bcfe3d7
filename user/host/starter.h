/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Is a QEMU being started by `cpuwarden exec`? That traces it, and has a name that tells
 * which process is the VM: with -daemonize QEMU forks before it is. So the kernel knows,
 * and nothing is left to be forgotten when the tracer ends.
 */
#include <sys/types.h>

enum starting {
	STARTING_NOT,
	STARTING_VM,
	STARTING_FORK, /* it makes the process that will be the VM, and is none */
};

/* By the /proc directory of that process. */
enum starting starter_says(int procfd, pid_t pid);

/* For the tracer: that process is the VM. */
void starter_tell(pid_t pid);
