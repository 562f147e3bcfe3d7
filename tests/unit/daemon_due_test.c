// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { SECOND = 1000000, FIRST = 100 * SECOND };

static void expect_next(const struct due *due, uint64_t expected)
{
	uint64_t at = 0;

	assert_true(due_next(due, &at));
	assert_int_equal(at, expected);
}

static void expect_nothing(struct due *due, uint64_t now)
{
	pid_t pid;

	assert_false(due_take(due, now, &pid));
}

static void expect_take(struct due *due, uint64_t now, pid_t expected)
{
	pid_t pid = -1;

	assert_true(due_take(due, now, &pid));
	assert_int_equal(pid, expected);
}

static void test_a_burst_is_one_look(void **state)
{
	struct due due = {};
	uint64_t at;

	(void)state;
	assert_false(due_next(&due, &at));
	due_want(&due, 7, FIRST);
	due_want(&due, 7, FIRST + 1000);
	due_want(&due, 7, FIRST + 2000);
	expect_next(&due, FIRST + DUE_BURST_USEC);
	expect_nothing(&due, FIRST + DUE_BURST_USEC - 1);
	expect_take(&due, FIRST + DUE_BURST_USEC, 7);
	expect_nothing(&due, FIRST + SECOND);
	assert_false(due_next(&due, &at));
}

static void test_an_edit_waits_unless_a_look_is_due(void **state)
{
	struct due due = {};

	(void)state;
	assert_false(due_is_all_wanted(&due));
	due_put_off(&due, DUE_EVERYTHING, FIRST + SECOND);
	assert_true(due_is_all_wanted(&due));
	/* Who has something to say meanwhile does not bring it forward. */
	due_want(&due, DUE_EVERYTHING, FIRST);
	expect_next(&due, FIRST + SECOND);
	expect_take(&due, FIRST + SECOND, DUE_EVERYTHING);
	assert_false(due_is_all_wanted(&due));
}

static void test_everything_comes_first_and_is_the_others_look_too(void **state)
{
	struct due due = {};

	(void)state;
	due_want(&due, 7, FIRST);
	due_want(&due, DUE_EVERYTHING, FIRST + 1);
	due_want(&due, 8, FIRST + 2);
	expect_take(&due, FIRST + SECOND, DUE_EVERYTHING);
	expect_nothing(&due, FIRST + SECOND);
}

static void test_the_earliest_is_next(void **state)
{
	struct due due = {};

	(void)state;
	due_want(&due, 8, FIRST + 5);
	due_want(&due, 7, FIRST);
	expect_next(&due, FIRST + DUE_BURST_USEC);
	due_put_off(&due, 7, FIRST + SECOND);
	expect_next(&due, FIRST + 5 + DUE_BURST_USEC);
	expect_take(&due, FIRST + SECOND - 1, 8);
	expect_nothing(&due, FIRST + SECOND - 1);
	expect_take(&due, FIRST + SECOND, 7);
}

static void test_a_strife_is_slower_and_only_its_own(void **state)
{
	struct due due = {};

	(void)state;
	for (int i = 0; i <= DUE_CHANGES; i++)
		due_note_change(&due, 7, FIRST);
	due_want(&due, 7, FIRST);
	due_want(&due, 8, FIRST);
	due_want(&due, DUE_EVERYTHING, FIRST + 1);
	expect_next(&due, FIRST + DUE_BURST_USEC);
	expect_take(&due, FIRST + DUE_BURST_USEC, 8);
	expect_take(&due, FIRST + DUE_BURST_USEC + 1, DUE_EVERYTHING);
	due_want(&due, 7, FIRST + 10);
	expect_next(&due, FIRST + 10 + DUE_STRIFE_USEC);
	expect_take(&due, FIRST + 10 + DUE_STRIFE_USEC, 7);
}

static void test_one_without_an_end_gets_half_the_time(void **state)
{
	uint64_t now = FIRST, looked = 0;
	struct due due = {};

	(void)state;
	/* A look of 100 ms, wanted again at once: for two seconds there is no rest. */
	while (now < FIRST + 60 * (uint64_t)SECOND) {
		due_want(&due, 7, now);
		assert_true(due_next(&due, &now));
		if (looked < 2 * SECOND)
			assert_true(now - FIRST < 2 * SECOND + 30 * DUE_BURST_USEC);
		expect_take(&due, now, 7);
		due_note_look(&due, 7, now, now + SECOND / 10);
		now += SECOND / 10;
		looked += SECOND / 10;
		/* Another's look is not put off. */
		due_want(&due, 8, now);
		expect_take(&due, now + DUE_BURST_USEC, 8);
	}
	assert_in_range(looked, 30 * SECOND, 33 * SECOND);
	/* What was rested is there again. */
	now += 10 * SECOND;
	due_want(&due, 7, now);
	expect_next(&due, now + DUE_BURST_USEC);
}

static void test_changes_that_come_slowly_are_none(void **state)
{
	struct due due = {};
	uint64_t now = FIRST;

	(void)state;
	for (int i = 0; i < 100; i++) {
		now += DUE_CHANGE_USEC;
		due_want(&due, 7, now);
		expect_next(&due, now + DUE_BURST_USEC);
		expect_take(&due, now + DUE_BURST_USEC, 7);
		due_note_change(&due, 7, now + DUE_BURST_USEC);
	}
}

static void test_too_many_are_everything(void **state)
{
	struct due due = {};
	pid_t pid;

	(void)state;
	for (pid = 1; pid < DUE_PLACES; pid++)
		due_want(&due, pid, FIRST);
	due_want(&due, pid, FIRST);
	expect_take(&due, FIRST + DUE_BURST_USEC, DUE_EVERYTHING);
	expect_nothing(&due, FIRST + DUE_BURST_USEC);
	/* Their places are free again. */
	due_want(&due, pid, FIRST + SECOND);
	expect_take(&due, FIRST + 2 * SECOND, pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_is_one_look),
		cmocka_unit_test(test_an_edit_waits_unless_a_look_is_due),
		cmocka_unit_test(test_everything_comes_first_and_is_the_others_look_too),
		cmocka_unit_test(test_the_earliest_is_next),
		cmocka_unit_test(test_a_strife_is_slower_and_only_its_own),
		cmocka_unit_test(test_one_without_an_end_gets_half_the_time),
		cmocka_unit_test(test_changes_that_come_slowly_are_none),
		cmocka_unit_test(test_too_many_are_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
