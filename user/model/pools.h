/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which CPUs are the host's own and which may be a VM's. The operator says it; where he
 * does not, the first core of each node is kept for the host.
 */
#include "user/model/policy.h"
#include "user/model/topology.h"

struct pools {
	struct cpuset housekeeping; /* online ones */
	struct cpuset
		forbidden;   /* to pins: housekeeping CPUs that somebody has declared */
	struct cpuset given; /* where nobody says which, VMs get CPUs out of these */
};

struct pools pools_of(const struct config *config, const struct topology *topology);
