/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which of a QEMU's threads is what: by libvirt's file, by QMP, by name, whichever serves
 * best. Why a better one did not is noted in vm->problem.
 */
#include "user/host/qemu.h"
#include "user/host/qemu_args.h"
#include "user/model/vm.h"

/* What is asked in one pass over VMs. Who was silent before is not waited for again. */
struct questions {
	const char *libvirt_dir; /* of libvirt's files on running domains */
	struct silent before, now;
	unsigned int n_silent, n_unexpected; /* after some the rest is hurried */
};

/* Reads the VM's threads and tells them apart. -ESRCH: it has gone. */
int roles_find(struct questions *questions, int procfd, const struct qemu_args *args,
	struct vm *vm);
