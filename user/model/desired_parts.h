/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to what should be (desired.h). */
#include "user/model/claims.h"
#include "user/model/desired.h"

/* desired_rules.c: whose rules they are, and whether some of its threads are unborn. */
void desired_rules_init(struct desired_vm *vm);

/* Of a VM that gets what it claims: rules, and the group of each thread. -ENOMEM. */
int desired_rules_place(struct desired_vm *vm, const struct claim *claim);

/* Only watched: a thread may run where a pin says, else anywhere. `pins` may be NULL.
 * -ENOMEM. */
int desired_rules_observe(struct desired_vm *vm, const struct vm_policy *pins);

/* libvirt's pins cannot be made partitions; they can be watched. -ENOMEM. */
int desired_rules_observe_claim(struct desired_vm *vm, const struct claim *claim);

/*
 * Last, for it depends on `kind`. The guard is for when all threads are there: until then
 * QEMU and who starts it put them where they belong. A VM that is only watched is left to
 * everybody. `pins` may be NULL.
 */
void desired_rules_guard(struct desired_vm *vm, const struct vm_policy *pins);
