// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of a window was watched, and what makes it doubtful. */
#include "tests/unit/build_host.h"
#include "user/model/coverage.h"

#define SECOND UINT64_C(1000000000)

static struct counters counters;
static struct coverage_input input;
static struct reservation reserved[2];
static struct vm_tally vms[2];

/* An observer that has run for 60 s; two VMs from before, their rules from its beginning.
 */
static int enter(void **state)
{
	(void)state;
	memset(vms, 0, sizeof(vms));
	strcpy(vms[0].name, "web1");
	strcpy(vms[1].name, "web2");
	vms[0].started = vms[1].started = 10 * SECOND;
	vms[0].since = vms[1].since = 40 * SECOND;
	reserved[0] = (struct reservation){.cpu = 2, .vm = 0, .since = 40 * SECOND};
	reserved[1] = (struct reservation){.cpu = 5, .vm = 1, .since = 40 * SECOND};
	counters = (struct counters){.start = 40 * SECOND,
		.now = 100 * SECOND,
		.programs = 1,
		.n_cpus = 8,
		.vms = vms,
		.n_vms = 2,
		.reserved = reserved,
		.n_reserved = 2};
	input = (struct coverage_input){.counters = &counters, .alive = true};
	return 0;
}

static void expect_blind(uint64_t ns, const char *why)
{
	struct problem reason = {};

	assert_int_equal(coverage_blind(&input, &reason), ns);
	assert_string_equal(reason.text, why);
}

static void test_watched_from_the_rule_on(void **state)
{
	(void)state;
	reserved[1].since = 85 * SECOND;
	assert_int_equal(coverage_window(&input), 60 * SECOND);
	assert_int_equal(coverage_watched(&input, &reserved[0]), 60 * SECOND);
	assert_int_equal(coverage_watched(&input, &reserved[1]), 15 * SECOND);
	assert_ptr_equal(coverage_least(&input), &reserved[1]);
	input.window_ns = 10 * SECOND;
	assert_int_equal(coverage_watched(&input, &reserved[1]), 10 * SECOND);
	/* Rules from after the reading, and windows from before the boot. */
	reserved[1].since = 101 * SECOND;
	assert_int_equal(coverage_watched(&input, &reserved[1]), 0);
	input.window_ns = 1000 * SECOND;
	reserved[0].since = 0;
	assert_int_equal(coverage_watched(&input, &reserved[0]), 100 * SECOND);
}

static void test_only_one_vm(void **state)
{
	(void)state;
	reserved[1].since = 85 * SECOND;
	input.only = "web1";
	assert_true(coverage_includes(&input, &reserved[0]));
	assert_false(coverage_includes(&input, &reserved[1]));
	assert_ptr_equal(coverage_least(&input), &reserved[0]);
	input.only = "web3";
	assert_null(coverage_least(&input));
}

static void test_a_later_rule_is_no_blindness_since_the_start(void **state)
{
	(void)state;
	reserved[1].since = 85 * SECOND;
	expect_blind(0, "");
}

static void test_a_later_rule_blinds_a_window(void **state)
{
	(void)state;
	reserved[1].since = 85 * SECOND;
	input.window_ns = 20 * SECOND;
	expect_blind(5 * SECOND,
		"the rule of CPU 5 of web2 has not been in force for the whole window");
	input.only = "web1";
	expect_blind(0, "");
	input.only = NULL;
	/* From the window's beginning on it was. */
	input.window_ns = 15 * SECOND;
	expect_blind(0, "");
}

static void test_a_vm_of_the_window_was_not_there_before(void **state)
{
	(void)state;
	reserved[1].since = 85 * SECOND;
	vms[1].started = 84 * SECOND;
	input.window_ns = 20 * SECOND;
	expect_blind(0, "");
	input.window_ns = 16 * SECOND;
	expect_blind(0, "");
	/* It was there before the window, and in it without a rule. */
	vms[1].started = 79 * SECOND;
	input.window_ns = 20 * SECOND;
	expect_blind(5 * SECOND,
		"the rule of CPU 5 of web2 has not been in force for the whole window");
}

/* It may have no CPU of its own: how long it has been known counts. */
static void test_a_vm_that_became_known_late(void **state)
{
	(void)state;
	counters.n_reserved = 0;
	vms[0].since = 95 * SECOND;
	expect_blind(0, "");
	input.window_ns = 20 * SECOND;
	expect_blind(15 * SECOND, "the observer has not known web1 for the whole window");
	input.only = "web2";
	expect_blind(0, "");
	input.only = NULL;
	vms[0].started = 85 * SECOND;
	expect_blind(0, "");
	vms[0].started = 10 * SECOND;
	vms[0].ended = true;
	expect_blind(0, "");
}

/* For one that was started within the window some moments are allowed, not all of it. */
static void test_a_vm_that_was_found_late(void **state)
{
	(void)state;
	counters.n_reserved = 0;
	input.window_ns = 60 * SECOND;
	vms[0].started = 50 * SECOND;
	vms[0].since = 60 * SECOND;
	expect_blind(0, "");
	vms[0].since = 61 * SECOND;
	expect_blind(11 * SECOND, "the observer has not known web1 for the whole window");
	vms[0].since = 98 * SECOND;
	expect_blind(48 * SECOND, "the observer has not known web1 for the whole window");
}

static void test_a_window_longer_than_the_observers_life(void **state)
{
	(void)state;
	input.window_ns = 61 * SECOND;
	expect_blind(SECOND, "the observer has not run for the whole window");
	reserved[0].since = 50 * SECOND;
	expect_blind(11 * SECOND, "the observer has not run for the whole window");
}

static void test_doubts_are_of_the_whole_window(void **state)
{
	struct cpuset online = cpus("0-8");

	(void)state;
	input.window_ns = 30 * SECOND;
	input.alive = false;
	expect_blind(30 * SECOND,
		"the observer does not count: no switch was seen while it was watched");
	input.alive = true;
	counters.programs = 0;
	expect_blind(
		30 * SECOND, "the observer's program is not attached to sched_switch");
	counters.programs = 2;
	expect_blind(30 * SECOND,
		"2 programs count into the same maps, so that runs may be counted twice");
	counters.takeover = true;
	expect_blind(0, "");
	counters.unwritten = 64;
	counters.unwritten_time = 99 * SECOND;
	expect_blind(
		30 * SECOND, "64 runs of threads that have no place in task_counters");
	/* Of those it is known when: a window after them is not in doubt. */
	counters.unwritten_time = 69 * SECOND;
	expect_blind(0, "");
	counters.unwritten_time = 70 * SECOND;
	expect_blind(
		30 * SECOND, "64 runs of threads that have no place in task_counters");
	counters.unwritten = 0;
	counters.recursion_misses = 1;
	expect_blind(30 * SECOND,
		"the kernel skipped the observer's program at some switches");
	counters.recursion_misses = 0;
	input.online = &online;
	expect_blind(30 * SECOND, "CPU 8 is online and beyond the observer's maps");
	counters.n_cpus = 9;
	expect_blind(0, "");
}

static void test_lost_events_blind_nobody(void **state)
{
	(void)state;
	counters.events_lost = 1000;
	expect_blind(0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_watched_from_the_rule_on, enter),
		cmocka_unit_test_setup(test_only_one_vm, enter),
		cmocka_unit_test_setup(
			test_a_later_rule_is_no_blindness_since_the_start, enter),
		cmocka_unit_test_setup(test_a_later_rule_blinds_a_window, enter),
		cmocka_unit_test_setup(
			test_a_vm_of_the_window_was_not_there_before, enter),
		cmocka_unit_test_setup(test_a_vm_that_became_known_late, enter),
		cmocka_unit_test_setup(test_a_vm_that_was_found_late, enter),
		cmocka_unit_test_setup(
			test_a_window_longer_than_the_observers_life, enter),
		cmocka_unit_test_setup(test_doubts_are_of_the_whole_window, enter),
		cmocka_unit_test_setup(test_lost_events_blind_nobody, enter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
