/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* CPU sets as tests write and expect them: the kernel's lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

static inline struct cpuset cpus(const char *list)
{
	struct cpuset set;

	assert_int_equal(cpulist_parse_kernel(list, &set), 0);
	return set;
}

static inline void expect_cpus(const struct cpuset *set, const char *expected)
{
	cleanup_free char *text = NULL;

	assert_non_null(set);
	text = cpulist_format(set);
	assert_non_null(text);
	assert_string_equal(text, expected);
}
