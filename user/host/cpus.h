/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The host's CPUs, from /sys/devices/system
 * (Documentation/ABI/stable/sysfs-devices-system-cpu and -node).
 */
#include "user/base/problem.h"
#include "user/model/topology.h"

int host_cpus_read(struct topology *ret_cpus, struct problem *problem);

/* As host_cpus_read(), of a sysfs that is mounted elsewhere or was captured. */
int host_cpus_read_at(
	const char *sysfs, struct topology *ret_cpus, struct problem *problem);
