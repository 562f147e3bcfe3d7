/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The threads of a QEMU as /proc shows them: all about them but what each is for.
 * Failures that are not is_fatal() (fatal.h) concern this VM alone.
 */
#include <sys/types.h>

#include "user/model/vm.h"

/*
 * Replaces vm->threads by what is there now, at most THREADS_MAX: the main thread first,
 * also where numbers have wrapped, the others by number. *ret_unread: one that could not
 * be read though it is there, or 0. -ESRCH: the process has gone.
 */
int threads_read(int procfd, struct vm *vm, pid_t *ret_unread);

/*
 * The threads' ids in QEMU's own pid namespace, parallel to vm->threads; the caller
 * frees. *ret_inner stays NULL where it is ours: that is so for all threads of a process
 * or for none.
 */
int threads_read_inner_ids(int procfd, const struct vm *vm, pid_t **ret_inner);
