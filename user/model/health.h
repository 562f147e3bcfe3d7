/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Is a placed VM healthy? Healthy is: each partition says valid, AND each effective set
 * is what was meant, AND each thread is where it belongs. Any one of them alone proves
 * nothing. Pure.
 */
#include "user/model/desired.h"

/*
 * NULL in *ret_reason for healthy, else the first fault as a sentence, with the kernel's
 * own reason where it gave one; the caller frees. -ENOMEM.
 */
int health_check(const struct desired_vm *vm, const struct tree *tree, char **ret_reason);
