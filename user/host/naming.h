/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From QEMU processes to VMs of which every name is there once. Pure. */
#include "user/base/problem.h"
#include "user/model/vm.h"

struct candidate {
	struct vm vm; /* vm.name: the name that it wants, "" for none */
	pid_t ppid;
};

/*
 * Moves the VMs out of items (which are left for vm_deinit(), in another order) and gives
 * them names, ordered by name. Processes that are but a second copy of a VM's are left
 * behind. -ENOMEM.
 */
int naming_resolve(struct candidate *items, size_t n_items, struct vms *ret_vms);

/* Adds a sentence to what could not be found out about a VM. -ENOMEM. */
int naming_note(struct vm *vm, const struct problem *problem);
