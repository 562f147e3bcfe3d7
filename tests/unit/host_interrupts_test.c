// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's counters of interrupts and softirqs by CPU. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/host/interrupts.h"

#define FIXTURES "tests/fixtures/host/proc"

static struct interrupt_counts counts;

static int leave(void **state)
{
	(void)state;
	interrupt_counts_deinit(&counts);
	return 0;
}

static int parse(const char *text)
{
	interrupt_counts_deinit(&counts);
	return interrupts_parse(text, TABLE_INTERRUPTS, &counts);
}

static void expect(size_t cpu, uint64_t interrupts)
{
	assert_true(cpu < counts.n_cpus);
	assert_int_equal(counts.cpus[cpu].interrupts, interrupts);
}

/* Sums by awk over the same files. */
static void test_a_real_host(void **state)
{
	int dir = open(FIXTURES, O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(interrupts_read(dir, &counts, NULL), 0);
	close(dir);
	assert_int_equal(counts.n_cpus, 2);
	expect(0, 42828643);
	expect(1, 58695340);
	assert_int_equal(counts.cpus[0].softirqs, 7337081);
	assert_int_equal(counts.cpus[1].softirqs, 11638877);
}

static void test_this_host(void **state)
{
	struct interrupt_counts later = {};
	struct cpu_interrupts since;
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(interrupts_here(&counts, NULL), 0);
	usleep(50000);
	assert_int_equal(interrupts_here(&later, NULL), 0);
	for (size_t i = 0; i < later.n_cpus; i++) {
		since = interrupts_since(&later, i, &counts.cpus[i]);
		sum += since.interrupts;
	}
	assert_true(sum > 0);
	interrupt_counts_deinit(&later);
}

static void test_cpus_that_are_offline_have_no_column(void **state)
{
	(void)state;
	assert_int_equal(
		parse("      CPU0   CPU5\n 24:  7 8  IO-APIC 5-edge x\nLOC: 1 2 y\n"), 0);
	assert_int_equal(counts.n_cpus, 6);
	expect(0, 8);
	expect(3, 0);
	expect(5, 10);
}

static void test_lines_of_no_cpu_are_left_out(void **state)
{
	(void)state;
	assert_int_equal(
		parse("CPU0 CPU1\nERR: 5\nMIS: 6\nMCP: 9 9 polls\n 1: 1\n\nx\n 2: 3 4"),
		0);
	expect(0, 3);
	expect(1, 4);
	/* With one CPU an error's line looks like any other. */
	assert_int_equal(parse("CPU0\nERR: 5\n 1: 1\n"), 0);
	expect(0, 1);
}

static void test_what_is_no_table(void **state)
{
	static const char *const bad[] = {"", "\n", "CPU\n", "CPU0CPU1\n", "cpu0\n",
		"CPU0 x\n", "CPU1 CPU0\n", "CPU0 CPU0\n", "CPU8192\n", "CPU-1\n",
		"CPU99999999999999999999\n", "CPU0\n 1: 18446744073709551616\n",
		"CPU0\n 1: 18446744073709551615\n 2: 1\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(parse(bad[i]), -EINVAL);
	assert_int_equal(parse("CPU8191\n 1: 18446744073709551615\n"), 0);
	expect(8191, UINT64_MAX);
}

static void test_what_has_come_since(void **state)
{
	struct cpu_interrupts base = {.interrupts = 3, .softirqs = 9}, since;

	(void)state;
	assert_int_equal(parse("CPU0\n1: 10\n"), 0);
	counts.cpus[0].softirqs = 4;
	since = interrupts_since(&counts, 0, &base);
	assert_int_equal(since.interrupts, 7);
	/* The kernel's own count has begun anew. */
	assert_int_equal(since.softirqs, (1ULL << 32) - 5);
	counts.cpus[0].softirqs = 0;
	since = interrupts_since(&counts, 0, &base);
	assert_int_equal(since.softirqs, 0);
	since = interrupts_since(&counts, 1, &base);
	assert_int_equal(since.interrupts, 0);
}

static void test_files_that_are_not_there(void **state)
{
	struct problem problem = {};
	int dir = open("tests/fixtures", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(interrupts_read(dir, &counts, &problem), -ENOENT);
	assert_string_equal(
		problem.text, "cannot read /proc/interrupts: No such file or directory");
	close(dir);
}

#define counts_test(f) cmocka_unit_test_teardown(f, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		counts_test(test_a_real_host),
		counts_test(test_this_host),
		counts_test(test_cpus_that_are_offline_have_no_column),
		counts_test(test_lines_of_no_cpu_are_left_out),
		counts_test(test_what_is_no_table),
		counts_test(test_what_has_come_since),
		counts_test(test_files_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
