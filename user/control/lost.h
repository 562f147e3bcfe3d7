/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* CPUs that the kernel keeps from the host for no partition; docs/ARCHITECTURE.md says
 * how they come about, cgroups/reclaim.c how they are had back. */
#include "user/control/cycle.h"

/*
 * CPUs that are neither the root's nor in any partition, and those that are isolated, not
 * by the boot command line, but in no isolated one; none that a vCPU of libvirt's still
 * runs on. `tree` has the groups as they are now. A negative errno: cgroupfs could not be
 * read.
 */
int lost_find(const struct cycle *cycle, const struct tree *tree, struct cpuset *ret_lost,
	struct problem *problem);
