/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Threads that a VM which is being started is yet to have. Pure. */
#include "user/host/qemu_args.h"
#include "user/model/vm.h"

/*
 * Appends the vCPUs and iothreads that the command line asks for and that are not there.
 * As `comm` they have what QEMU will call them: `CPU 3/`, `IO disk1`. -ENOMEM.
 */
int unborn_add(struct vm *vm, const struct qemu_args *args);

/* Is this the name, in full, of the thread that `unborn` stands for? */
bool unborn_is_called(const struct vm_thread *unborn, const char *name);
