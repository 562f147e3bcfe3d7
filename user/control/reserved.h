/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which CPUs are reserved. */
#include "user/control/cycle.h"
#include "user/model/hostcheck.h"

/*
 * Those that have an owner or that a class shares, and in what kind of partition each is
 * by now. Where none is reserved, those that VMs may get where nobody says which
 * (model/pools.h).
 */
int reserved_read(const struct cycle *cycle, struct reserved *ret_reserved,
	struct problem *problem);
