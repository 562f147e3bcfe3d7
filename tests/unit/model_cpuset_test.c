// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "user/model/cpuset.h"

static struct cpuset range(unsigned int first, unsigned int last)
{
	struct cpuset set = {0};

	for (unsigned int cpu = first; cpu <= last; cpu++)
		cpuset_add(&set, cpu);
	return set;
}

static void test_add_and_drop_touch_one_cpu(void **state)
{
	static const unsigned int cpus[] = {0, 1, 63, 64, 127, 4095, 8190, 8191};

	(void)state;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(*cpus); i++) {
		struct cpuset set = {0};

		cpuset_add(&set, cpus[i]);
		assert_true(cpuset_has(&set, cpus[i]));
		assert_int_equal(cpuset_weight(&set), 1);
		assert_int_equal(cpuset_next(&set, 0), cpus[i]);
		cpuset_drop(&set, cpus[i]);
		assert_true(cpuset_empty(&set));
	}
}

static void test_cpus_beyond_the_last_are_never_in(void **state)
{
	static const unsigned int cpus[] = {8192, 8193, 65536, UINT32_MAX};
	struct cpuset all = range(0, CPUSET_CPUS - 1);

	(void)state;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(*cpus); i++) {
		struct cpuset set = {0};

		cpuset_add(&set, cpus[i]);
		assert_true(cpuset_empty(&set));
		cpuset_drop(&all, cpus[i]);
		assert_int_equal(cpuset_weight(&all), CPUSET_CPUS);
		assert_false(cpuset_has(&all, cpus[i]));
		assert_int_equal(cpuset_next(&all, cpus[i]), -1);
	}
}

static void test_next_crosses_words(void **state)
{
	struct cpuset set = {0};

	(void)state;
	assert_int_equal(cpuset_next(&set, 0), -1);
	cpuset_add(&set, 3);
	cpuset_add(&set, 63);
	cpuset_add(&set, 200);
	assert_int_equal(cpuset_next(&set, 0), 3);
	assert_int_equal(cpuset_next(&set, 3), 3);
	assert_int_equal(cpuset_next(&set, 4), 63);
	assert_int_equal(cpuset_next(&set, 63), 63);
	assert_int_equal(cpuset_next(&set, 64), 200);
	assert_int_equal(cpuset_next(&set, 201), -1);
}

static void test_for_each_goes_upwards_and_ends(void **state)
{
	struct cpuset set = range(62, 65);
	int expected = 62;

	(void)state;
	cpuset_add(&set, 8191);
	cpuset_for_each (cpu, &set) {
		assert_int_equal(cpu, expected);
		expected = expected == 65 ? 8191 : expected + 1;
	}
	assert_int_equal(expected, 8192);
}

static void test_or_and_andnot(void **state)
{
	const struct cpuset low = range(0, 99), high = range(50, 149),
			    both = range(50, 99);
	const struct cpuset whole = range(0, 149), below = range(0, 49);
	struct cpuset set;

	(void)state;
	set = low;
	cpuset_or(&set, &high);
	assert_true(cpuset_equal(&set, &whole));
	set = low;
	cpuset_and(&set, &high);
	assert_true(cpuset_equal(&set, &both));
	set = low;
	cpuset_andnot(&set, &high);
	assert_true(cpuset_equal(&set, &below));
}

static void test_relations(void **state)
{
	const struct cpuset none = {0}, low = range(0, 99), inner = range(64, 70);
	const struct cpuset edge = range(99, 100), high = range(100, 8191);

	(void)state;
	assert_true(cpuset_subset(&inner, &low));
	assert_false(cpuset_subset(&low, &inner));
	assert_true(cpuset_subset(&low, &low));
	assert_true(cpuset_subset(&none, &none));
	assert_true(cpuset_subset(&none, &high));
	assert_false(cpuset_subset(&edge, &low));
	assert_true(cpuset_intersects(&edge, &low));
	assert_true(cpuset_intersects(&edge, &high));
	assert_false(cpuset_intersects(&low, &high));
	assert_false(cpuset_intersects(&none, &none));
	assert_false(cpuset_equal(&low, &inner));
	assert_true(cpuset_equal(&none, &none));
	assert_true(cpuset_empty(&none));
	assert_false(cpuset_empty(&edge));
}

static void test_weight_counts_all_words(void **state)
{
	const struct cpuset all = range(0, 8191), some = range(60, 69);

	(void)state;
	assert_int_equal(cpuset_weight(&all), 8192);
	assert_int_equal(cpuset_weight(&some), 10);
}

static void test_nothing_is_looked_at_above_the_last_cpu(void **state)
{
	struct cpuset all, some = {}, none = {};

	(void)state;
	memset(&all, 0xff, sizeof(all));
	cpuset_add(&some, 1023);
	cpuset_add(&none, 1024);
	assert_int_equal(cpuset_last(&none), 1024);
	cpuset_look_below(1000);
	assert_int_equal(cpuset_last(&some), 1023);
	assert_int_equal(cpuset_next(&some, 0), 1023);
	assert_int_equal(cpuset_next(&none, 0), -1);
	assert_int_equal(cpuset_last(&none), -1);
	assert_int_equal(cpuset_weight(&all), 1024);
	assert_true(cpuset_empty(&none));
	assert_false(cpuset_intersects(&all, &none));
	cpuset_or(&some, &none);
	assert_false(cpuset_has(&some, 1024));
	cpuset_add(&some, 1024);
	cpuset_look_below(1025);
	assert_int_equal(cpuset_weight(&some), 2);
	assert_int_equal(cpuset_weight(&all), 2048);
	cpuset_look_below(0);
	assert_int_equal(cpuset_weight(&all), 1024);
	cpuset_look_below(100000);
	assert_int_equal(cpuset_weight(&all), CPUSET_CPUS);
	assert_int_equal(cpuset_last(&all), CPUSET_CPUS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_drop_touch_one_cpu),
		cmocka_unit_test(test_cpus_beyond_the_last_are_never_in),
		cmocka_unit_test(test_next_crosses_words),
		cmocka_unit_test(test_for_each_goes_upwards_and_ends),
		cmocka_unit_test(test_or_and_andnot),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_weight_counts_all_words),
		cmocka_unit_test(test_nothing_is_looked_at_above_the_last_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
