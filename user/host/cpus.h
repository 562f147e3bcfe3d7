/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The host's CPUs, from /sys/devices/system
 * (Documentation/ABI/stable/sysfs-devices-system-cpu and -node).
 */
#include "user/base/problem.h"
#include "user/model/cpuset.h"
#include "user/model/nodes.h"

struct host_cpus {
	struct cpuset possible, present, online;
	struct cpuset first_cores; /* the first core of each node, its online siblings */
	struct cpu_nodes nodes;
};

int host_cpus_read(struct host_cpus *ret_cpus, struct problem *problem);

/* As host_cpus_read(), of a sysfs that is mounted elsewhere or was captured. */
int host_cpus_read_at(
	const char *sysfs, struct host_cpus *ret_cpus, struct problem *problem);
