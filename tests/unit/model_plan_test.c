// SPDX-License-Identifier: GPL-2.0-or-later
/* Each kind of step has a name for scripts and a line for people. */
#include "tests/unit/build_host.h"
#include "user/model/plan.h"

enum { LAST = STEP_DROP_HOST_RECORD };

static void test_each_kind_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int kind = 0; kind <= LAST; kind++) {
		const char *name = step_name((enum step_kind)kind);

		if (!name)
			fail_msg("kind %d has no name", kind);
		assert_int_equal(
			strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(name, step_name((enum step_kind)other));
	}
}

static void test_each_kind_can_be_described(void **state)
{
	const struct unit unit = {.vm = "web1", .pid = 1000};

	(void)state;
	for (int kind = 0; kind <= LAST; kind++) {
		const struct step bare = {.kind = (enum step_kind)kind};
		const struct step full = {.kind = (enum step_kind)kind,
			.path = (char[]){"a/b"},
			.tid = 77,
			.cpus = cpus("2-3")};
		cleanup_free char *one = step_describe(&bare, &unit);
		cleanup_free char *two = step_describe(&full, &unit);

		assert_true(one && *one && two && *two);
		assert_null(strstr(one, "(null)"));
		assert_null(strpbrk(two, "\n{}"));
	}
}

static void expect_line(const struct step *step, const char *expected)
{
	const struct unit unit = {.vm = "web1", .pid = 1000};
	cleanup_free char *line = step_describe(step, &unit);

	assert_string_equal(line, expected);
}

static void test_lines_say_what_is_done_to_what(void **state)
{
	struct step step = {.kind = STEP_SET_CPUS, .path = (char[]){"a/b"}, .tid = 77};

	(void)state;
	expect_line(&step, "set the CPUs of /a/b to nothing");
	step.cpus = cpus("2-3,7");
	expect_line(&step, "set the CPUs of /a/b to 2-3,7");
	step.kind = STEP_SET_PARTITION;
	step.partition = PARTITION_ISOLATED;
	expect_line(&step, "set the partition of /a/b to isolated");
	step.kind = STEP_MOVE_THREAD;
	expect_line(&step, "move thread 77 into /a/b, on CPUs 2-3,7");
	step.kind = STEP_SET_AFFINITY;
	expect_line(&step, "set the affinity of thread 77 to 2-3,7");
	step.kind = STEP_RECORD;
	expect_line(&step, "record where the threads of web1 are now");
	step.kind = STEP_GIVE_CPUSET;
	step.path = (char[]){""};
	expect_line(&step, "enable cpuset below /");
}

static void test_steps_are_added_in_order_and_own_their_paths(void **state)
{
	char path[] = "a/b";
	struct unit unit = {};

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_non_null(unit_add(&unit, (enum step_kind)(i % (LAST + 1)),
			i % 2 ? path : NULL, "because"));
	path[0] = 'x';
	assert_int_equal(unit.n_steps, 20);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(unit.steps[i].kind, i % (LAST + 1));
		assert_string_equal(unit.steps[i].why, "because");
		if (i % 2)
			assert_string_equal(unit.steps[i].path, "a/b");
		else
			assert_null(unit.steps[i].path);
		assert_true(cpuset_empty(&unit.steps[i].cpus));
	}
	unit_deinit(&unit);
	assert_int_equal(unit.n_steps, 0);
}

static void test_a_plan_frees_its_units(void **state)
{
	struct plan plan = {};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct unit *unit = must(array_push(&plan.units, &plan.n_units));

		must(unit_add(unit, STEP_MAKE_GROUP, "a", NULL));
	}
	plan_deinit(&plan);
	assert_int_equal(plan.n_units, 0);
	plan_deinit(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_has_a_name_of_its_own),
		cmocka_unit_test(test_each_kind_can_be_described),
		cmocka_unit_test(test_lines_say_what_is_done_to_what),
		cmocka_unit_test(test_steps_are_added_in_order_and_own_their_paths),
		cmocka_unit_test(test_a_plan_frees_its_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
