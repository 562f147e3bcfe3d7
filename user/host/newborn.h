/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which thread a QEMU is about to make. All that is read is the QEMU's own memory, which
 * it may have filled with anything: reads are bounded, and what is not recognised is told
 * by nobody.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { NEWBORN_NAME_SIZE = 32, SYSCALL_ARGS = 6 };

/* Is that the number of a system call that may make a thread, on this machine? */
bool newborn_is_birth(uint64_t nr);

/*
 * For a thread that is stopped where it enters such a call: the name that QEMU has for
 * the new thread (`CPU 3/KVM`, `IO disk1`), cut at NEWBORN_NAME_SIZE. -ENOENT: it makes
 * no thread, or one whose name is not found; -ESRCH.
 */
int newborn_name(pid_t tid, uint64_t nr, const uint64_t args[SYSCALL_ARGS],
	char ret_name[NEWBORN_NAME_SIZE]);
