/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* For tests that each have a host to themselves: CPUs 0-7, of which policy does not
 * choose 0. */
#include "tests/unit/build_host.h"

static struct host host;

static inline int enter_host(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0");
	return 0;
}

static inline int leave_host(void **state)
{
	(void)state;
	host_deinit(&host);
	return 0;
}
