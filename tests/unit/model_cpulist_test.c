// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))

/* Hosts: CPUs 0-7; all 8192; one with holes. */
static const char *const small = "0-7", *const huge = "0-8191",
			 *const holes = "0-3,8-11,64";

static struct cpuset kernel_set(const char *text)
{
	struct cpuset set;

	assert_int_equal(cpulist_parse_kernel(text, &set), 0);
	return set;
}

static void test_lists_that_are_right(void **state)
{
	static const struct {
		const char *text, *host, *expected;
	} rows[] = {
		{"0", "0", "0"},
		{"0", "0-7", "0"},
		{"7", "0-7", "7"},
		{"0-3", "0-7", "0-3"},
		{"0-7", "0-7", "0-7"},
		{"3-3", "0-7", "3"},
		{"0,1,2", "0-7", "0-2"},
		{"2,1,0", "0-7", "0-2"},
		{"1,1,1", "0-7", "1"},
		{"0-3,2-5", "0-7", "0-5"},
		{"0-2,4", "0-7", "0-2,4"},
		{"007", "0-7", "7"},
		{" 0-3 , 5\t,7 ", "0-7", "0-3,5,7"},
		{"\t4", "0-7", "4"},
		/* strides */
		{"0-7:1/2", "0-7", "0,2,4,6"},
		{"0-7:2/4", "0-7", "0-1,4-5"},
		{"1-7:2/4", "0-7", "1-2,5-6"},
		{"0-7:4/4", "0-7", "0-7"},
		{"0-7:1/1", "0-7", "0-7"},
		{"0-7:3/100", "0-7", "0-2"},
		{"0-7:1/4294967295", "0-7", "0"},
		{"0-6:2/3", "0-7", "0-1,3-4,6"},
		{"2-2:1/2", "0-7", "2"},
		{"0-31:2/4", "0-31", "0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29"},
		{"0-3:1/2,5", "0-7", "0,2,5"},
		{"0-11:4/8", "0-3,8-11,64", "0-3,8-11"},
		{"0-8191:1/4096", "0-8191", "0,4096"},
		{"0-8191:8191/8192", "0-8191", "0-8190"},
		/* exclusions */
		{"0-3,^1", "0-7", "0,2-3"},
		{"^1,0-3", "0-7", "0,2-3"},
		{"0-3,^1-2", "0-7", "0,3"},
		{"^1,0-3,1", "0-7", "0,2-3"},
		{"0-7,^0-7:1/2", "0-7", "1,3,5,7"},
		{"0-3, ^1 ,^2", "0-7", "0,3"},
		{"0,^5", "0-7", "0"},
		/* all */
		{"all", "0-7", "0-7"},
		{"all", "0-3,8-11,64", "0-3,8-11,64"},
		{"all", "0-8191", "0-8191"},
		{"all,^0", "0-7", "1-7"},
		{"^0,all", "0-7", "1-7"},
		{"all,3", "0-7", "0-7"},
		{"all,^64", "0-3,8-11,64", "0-3,8-11"},
		/* the far end */
		{"8191", "0-8191", "8191"},
		{"8190-8191", "0-8191", "8190-8191"},
		{"0,8191", "0-8191", "0,8191"},
		{"0-8191,^4096", "0-8191", "0-4095,4097-8191"},
		{"63-64", "0-8191", "63-64"},
		{"all,^1-8190", "0-8191", "0,8191"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct cpuset present = kernel_set(rows[i].host);
		struct problem problem = {"untouched"};
		cleanup_free char *text = NULL;
		struct cpuset set;

		if (cpulist_parse(rows[i].text, &present, &set, &problem))
			fail_msg("'%s' on %s: %s", rows[i].text, rows[i].host,
				problem.text);
		text = cpulist_format(&set);
		assert_string_equal(text, rows[i].expected);
		assert_string_equal(problem.text, "untouched");
	}
}

static void test_lists_that_are_wrong(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", "the CPU list is empty"},
		{"  \t", "the CPU list is empty"},
		{"1,,2", "item 2 of the CPU list '1,,2' is empty"},
		{",1", "item 1 of the CPU list ',1' is empty"},
		{"1,", "item 2 of the CPU list '1,' is empty"},
		{"1, ,2", "item 2 of the CPU list '1, ,2' is empty"},
		{",", "item 1 of the CPU list ',' is empty"},
		{"5x", "'5x' is no CPU number, range or stride"},
		{"x", "'x' is no CPU number, range or stride"},
		{"0,5x", "'5x' is no CPU number, range or stride"},
		{"-1", "'-1' is no CPU number, range or stride"},
		{"+1", "'+1' is no CPU number, range or stride"},
		{"0-", "'0-' is no CPU number, range or stride"},
		{"0--3", "'0--3' is no CPU number, range or stride"},
		{"0-3-5", "'0-3-5' is no CPU number, range or stride"},
		{"0 - 3", "'0 - 3' is no CPU number, range or stride"},
		{"0 1", "'0 1' is no CPU number, range or stride"},
		{"0x3", "'0x3' is no CPU number, range or stride"},
		{"N", "'N' is no CPU number, range or stride"},
		{"0-N", "'0-N' is no CPU number, range or stride"},
		{"ALL", "'ALL' is no CPU number, range or stride"},
		{"alle", "'alle' is no CPU number, range or stride"},
		{"all:1/2", "'all:1/2' is no CPU number, range or stride"},
		{"1;2", "'1;2' is no CPU number, range or stride"},
		{"1\n", "'1?' is no CPU number, range or stride"},
		{"5:1/2", "'5:1/2' is no CPU number, range or stride"},
		{"0-7:2", "'0-7:2' is no CPU number, range or stride"},
		{"0-7:2/", "'0-7:2/' is no CPU number, range or stride"},
		{"0-7:/2", "'0-7:/2' is no CPU number, range or stride"},
		{"0-7:1/2/3", "'0-7:1/2/3' is no CPU number, range or stride"},
		{"^", "'^' is no CPU number, range or stride"},
		{"1,^^1", "'^^1' is no CPU number, range or stride"},
		{"1,^ 1", "'^ 1' is no CPU number, range or stride"},
		{"4294967296", "'4294967296' is no CPU number, range or stride"},
		{"99999999999999999999",
			"'99999999999999999999' is no CPU number, range or stride"},
		{"3-1", "'3-1' is a range that ends before it begins"},
		{"9-8", "'9-8' is a range that ends before it begins"},
		{"0-7:0/4",
			"'0-7:0/4' must use at least one CPU of a group and at most all "
			"of them"},
		{"0-7:5/4",
			"'0-7:5/4' must use at least one CPU of a group and at most all "
			"of them"},
		{"0-7:0/0",
			"'0-7:0/0' must use at least one CPU of a group and at most all "
			"of them"},
		{"9", "CPU 9 does not exist: this host has CPUs 0-7"},
		{"8", "CPU 8 does not exist: this host has CPUs 0-7"},
		{"0-8", "CPU 8 does not exist: this host has CPUs 0-7"},
		{"8191", "CPU 8191 does not exist: this host has CPUs 0-7"},
		{"8192", "CPU 8192 does not exist: this host has CPUs 0-7"},
		{"4294967295", "CPU 4294967295 does not exist: this host has CPUs 0-7"},
		{"0-4294967295", "CPU 8 does not exist: this host has CPUs 0-7"},
		{"0-4294967295:1/4294967295",
			"CPU 4294967295 does not exist: this host has CPUs 0-7"},
		{"0-8:1/3", "CPU 8 does not exist: this host has CPUs 0-7"},
		{"0-31:2/4", "CPU 8 does not exist: this host has CPUs 0-7"},
		{"0-3,^2-1", "'^2-1' is a range that ends before it begins"},
		{"0-3,^5x", "'^5x' is no CPU number, range or stride"},
		{"0-3,^9", "CPU 9 does not exist: this host has CPUs 0-7"},
		{"^1", "the CPU list '^1' leaves no CPU"},
		{"1,^1", "the CPU list '1,^1' leaves no CPU"},
		{"all,^0-7", "the CPU list 'all,^0-7' leaves no CPU"},
		{"all,^all", "the CPU list 'all,^all' leaves no CPU"},
	};
	const struct cpuset present = kernel_set(small), before = kernel_set("5");

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct cpuset set = before;
		struct problem problem = {""};

		if (cpulist_parse(rows[i].text, &present, &set, &problem) != -EINVAL)
			fail_msg("'%s' was taken", rows[i].text);
		assert_string_equal(problem.text, rows[i].expected);
		assert_true(cpuset_equal(&set, &before));
		assert_int_equal(
			cpulist_parse(rows[i].text, &present, &set, NULL), -EINVAL);
	}
}

static void test_a_cpu_in_a_hole_does_not_exist(void **state)
{
	const struct cpuset present = kernel_set(holes), none = {0};
	struct problem problem;
	struct cpuset set;

	(void)state;
	assert_int_equal(cpulist_parse("0-8", &present, &set, &problem), -EINVAL);
	assert_string_equal(
		problem.text, "CPU 4 does not exist: this host has CPUs 0-3,8-11,64");
	assert_int_equal(cpulist_parse("0", &none, &set, &problem), -EINVAL);
	assert_string_equal(problem.text, "CPU 0 does not exist: this host has no CPU");
}

static void test_numbers_end_at_8191(void **state)
{
	const struct cpuset present = kernel_set(huge);
	struct problem problem;
	struct cpuset set;

	(void)state;
	assert_int_equal(cpulist_parse("0-8192", &present, &set, &problem), -EINVAL);
	assert_string_equal(
		problem.text, "CPU 8192 does not exist: this host has CPUs 0-8191");
}

/* "0,0,...,0" of that many bytes, an odd number. */
static char *long_list(size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = i % 2 ? ',' : '0';
	text[len] = '\0';
	return text;
}

static void test_length_is_bounded(void **state)
{
	cleanup_free char *most = long_list(64 * 1024 - 1),
			  *more = long_list(64 * 1024 + 1);
	const struct cpuset present = kernel_set(small);
	struct problem problem;
	struct cpuset set;

	(void)state;
	assert_int_equal(cpulist_parse(most, &present, &set, &problem), 0);
	assert_int_equal(cpulist_parse(more, &present, &set, &problem), -EINVAL);
	assert_string_equal(problem.text, "the CPU list is longer than 65536 bytes");
}

static void test_a_long_item_is_quoted_in_part(void **state)
{
	const struct cpuset present = kernel_set(small);
	struct problem problem;
	struct cpuset set;
	char text[1001];

	(void)state;
	memset(text, 'x', 1000);
	text[1000] = '\0';
	assert_int_equal(cpulist_parse(text, &present, &set, &problem), -EINVAL);
	assert_int_equal(strlen(problem.text),
		60 + strlen("'' is no CPU number, range or stride"));
}

static void test_kernel_lists_that_are_right(void **state)
{
	static const char *const rows[] = {"", "0", "7", "0-1", "0-7", "0,2", "0,2-3",
		"0-3,8", "10-19,30", "63,65", "62-65", "0-63,128-191", "1,3,5,7,9",
		"8191", "0-8191", "0,8191", "4095-4096", "8189,8191", "0-8189,8191"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct cpuset set = kernel_set(rows[i]);
		cleanup_free char *text = cpulist_format(&set);

		assert_string_equal(text, rows[i]);
	}
}

static void test_kernel_lists_that_are_wrong(void **state)
{
	static const char *const rows[] = {" ", "\n", "0\n", "0,", ",0", "0,,2", "0,1",
		"1,0", "0-0", "1-0", "0-", "-1", "0-1-2", "0-2,2", "0-2,3", "00", "01",
		"0-01", "0 ", " 0", "0, 2", "all", "^1", "0-7:1/2", "0x1", "8192",
		"0-8192", "99999999999999999999", "0;1", "(null)"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct cpuset set = {{1}};

		if (cpulist_parse_kernel(rows[i], &set) != -EINVAL)
			fail_msg("'%s' was taken", rows[i]);
		assert_int_equal(set.words[0], 1);
	}
}

/* Sets of every density: the two parsers take back what is printed. */
static void test_round_trip_of_many_sets(void **state)
{
	const struct cpuset present = kernel_set(huge);

	(void)state;
	srand(1);
	for (unsigned int i = 0; i < 400; i++) {
		struct cpuset set = {0}, kernel, own;
		cleanup_free char *text = NULL;

		for (unsigned int n = 1U << i % 14; n; n--)
			cpuset_add(&set, (unsigned int)rand() % CPUSET_CPUS);
		text = cpulist_format(&set);
		assert_non_null(text);
		assert_int_equal(cpulist_parse_kernel(text, &kernel), 0);
		assert_true(cpuset_equal(&kernel, &set));
		assert_int_equal(cpulist_parse(text, &present, &own, NULL), 0);
		assert_true(cpuset_equal(&own, &set));
	}
}

/* Each of 4096 CPUs is an item of its own: as long as a canonical list gets. */
static void test_the_longest_list_there_is(void **state)
{
	const struct cpuset present = kernel_set(huge);
	cleanup_free char *text = NULL;
	struct cpuset odd, again;

	(void)state;
	assert_int_equal(cpulist_parse("1-8191:1/2", &present, &odd, NULL), 0);
	assert_int_equal(cpuset_weight(&odd), 4096);
	text = cpulist_format(&odd);
	assert_non_null(text);
	assert_int_equal(strncmp(text, "1,3,5,", 6), 0);
	assert_string_equal(text + strlen(text) - 10, ",8189,8191");
	assert_int_equal(cpulist_parse(text, &present, &again, NULL), 0);
	assert_true(cpuset_equal(&again, &odd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_that_are_right),
		cmocka_unit_test(test_lists_that_are_wrong),
		cmocka_unit_test(test_a_cpu_in_a_hole_does_not_exist),
		cmocka_unit_test(test_numbers_end_at_8191),
		cmocka_unit_test(test_length_is_bounded),
		cmocka_unit_test(test_a_long_item_is_quoted_in_part),
		cmocka_unit_test(test_kernel_lists_that_are_right),
		cmocka_unit_test(test_kernel_lists_that_are_wrong),
		cmocka_unit_test(test_round_trip_of_many_sets),
		cmocka_unit_test(test_the_longest_list_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
