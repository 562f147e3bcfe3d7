/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Discovery of VMs: QEMU processes by executable and arguments, their threads by class.
 * Read-only. Everything a QEMU says or controls (arguments, thread names, QMP answers,
 * paths) is untrusted: bounded, checked against /proc, and a QEMU that lies or hangs
 * costs its own VM a sentence (vm->problem), never another VM anything.
 */
#include "user/base/problem.h"
#include "user/model/vm.h"

/* A process that is about to become a QEMU with this command line. */
struct qemu_expected {
	pid_t pid;
	const char *vector; /* as /proc/PID/cmdline will have it; not owned */
	size_t len;
};

/* VMs that did not answer in time; of more than there is room for, the first. */
struct silent {
	struct process_id items[256];
	unsigned int n_items;
};

/*
 * All VMs of the host. Threads are classified by libvirt's file where libvirt runs the
 * VM, else by QMP where the command line names a socket that can be reached and is not
 * libvirt's, else by thread name: each where the one before does not tell. Processes that
 * vanish meanwhile are left out. A VM that does not answer costs a second, after three
 * such in one pass a tenth of it; nor does it once it is known for that, which whoever
 * asks repeatedly keeps in `silent` (NULL: nobody does). The caller owns the result:
 * vms_deinit().
 *
 * Two VMs of one name: the one that was started first keeps it, the other is `qemu-PID`.
 * Of VMs that are being started (starter.h) the threads that are yet to come are there as
 * well, and `expected`, unless it is NULL, is a VM already.
 *
 * -EACCES with a sentence where a QEMU's /proc entry may not be read.
 */
int qemu_discover(const struct qemu_expected *expected, struct silent *silent,
	struct vms *ret_vms, struct problem *problem);

/*
 * One that was found before, as it is now; what is fixed at its start is taken over. The
 * caller owns the result: vm_deinit(). -ESRCH: it has gone.
 */
int qemu_look_again(const struct vm *known, const struct silent *silent,
	struct vm *ret_vm, struct problem *problem);

/* May a file of that name (without folders) be a QEMU's? */
bool qemu_is_name(const char *name);

/* As qemu_discover() with NULL, but libvirt's files are in that folder. */
int qemu_discover_with(
	const char *libvirt_dir, struct vms *ret_vms, struct problem *problem);
