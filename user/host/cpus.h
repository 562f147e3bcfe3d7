/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The host's CPUs, from /sys/devices/system (Documentation/ABI/stable/sysfs-devices-system-cpu). */
#include "user/base/problem.h"
#include "user/model/cpuset.h"

struct host_cpus {
	struct cpuset possible, present, online;
	struct cpuset first_cores; /* the first core of each node, with all its siblings */
};

int host_cpus_read(struct host_cpus *ret_cpus, struct problem *problem);
