/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* For tests of what is told of a VM that is to be placed. */
#include "tests/unit/build_host.h"
#include "user/model/health.h"

/* `expected` is NULL for a healthy one. */
static inline void expect_fault_of(
	const struct host *host, const char *name, const char *expected)
{
	cleanup_free char *reason = NULL;

	expect_placed(host, name);
	assert_int_equal(health_check(wanted(host, name), &host->tree, &reason), 0);
	if (!expected && reason)
		fail_msg("%s", reason);
	else if (expected && !reason)
		fail_msg("healthy, instead of: %s", expected);
	else if (expected)
		assert_string_equal(reason, expected);
}
