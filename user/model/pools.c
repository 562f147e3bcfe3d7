// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/pools.h"

struct pools pools_of(const struct config *config, const struct topology *topology)
{
	struct pools pools = {
		.housekeeping = topology->first_cores, .given = topology->online};

	if (config->has_housekeeping) {
		pools.housekeeping = config->housekeeping;
		pools.forbidden = config->housekeeping;
	} else if (config->has_reserved) {
		pools.housekeeping = topology->online;
		cpuset_andnot(&pools.housekeeping, &config->reserved);
		pools.forbidden = pools.housekeeping;
	}
	cpuset_and(&pools.housekeeping, &topology->online);
	cpuset_andnot(&pools.given, &pools.housekeeping);
	if (config->has_reserved)
		cpuset_and(&pools.given, &config->reserved);
	return pools;
}
