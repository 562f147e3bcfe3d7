// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/model/cpumask.h"

static void test_masks_as_the_kernel_writes_them(void **state)
{
	static const struct {
		const char *text;
		int first, weight;
	} rows[] = {{"0", -1, 0}, {"1", 0, 1}, {"ff", 0, 8}, {"f0", 4, 4},
		{"1,00000000", 32, 1}, {"ffffffff,ffffffff", 0, 64}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cleanup_free char *text = NULL;
		struct cpuset set;

		assert_int_equal(cpumask_parse(rows[i].text, &set), 0);
		assert_int_equal(cpuset_next(&set, 0), rows[i].first);
		assert_int_equal(cpuset_weight(&set), rows[i].weight);
		text = cpumask_format(&set);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_what_is_no_mask(void **state)
{
	static const char *const rows[] = {"", "x", "0x1", "1,0", "-1", "f f", ",1"};
	struct cpuset set;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(cpumask_parse(rows[i], &set), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks_as_the_kernel_writes_them),
		cmocka_unit_test(test_what_is_no_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
