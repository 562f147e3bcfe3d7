/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Records of what was found, made before anything is changed. */
#include "user/control/cycle.h"
#include "user/model/plan.h"

/*
 * Records where a VM's threads are and, where libvirt's groups are about to be changed by
 * the unit, what those are like and what will be written to them. An earlier record of
 * the same process is kept and added to; *ret_new: there was none.
 */
int record_vm(const struct cycle *cycle, const struct desired_vm *vm, bool *ret_new,
	struct problem *problem);

/* Records what the host is like. 1: it is recorded already. */
int record_host(const struct cycle *cycle, struct problem *problem);
