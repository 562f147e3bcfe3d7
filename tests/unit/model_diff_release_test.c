// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans that give back, and what a plan is assumed to make. */
#include "tests/unit/expect_plan.h"

static void test_giving_one_vm_and_then_the_host_back(void **state)
{
	const struct found_host found = {.cpuset_given = false};
	struct unit unit;

	(void)state;
	plan_release(&fake, "web1", &unit);
	expect_steps(&unit,
		"end the rules of web1\n"
		"set the partition of " W "/vcpu1 to member\n"
		"set the partition of " W "/vcpu0 to member\n"
		"set the partition of " W " to member\n"
		"return the threads of web1 to where they were found\n"
		"remove the group " W "/vcpu1\n"
		"remove the group " W "/vcpu0\n"
		"remove the group " W "/emulator\n"
		"remove the group " W "\n"
		"return the affinities of web1's threads\n"
		"keep kernel threads that can run elsewhere off CPUs of nobody\n"
		"drop the record\n");
	run_steps(&fake, &unit, NULL, SIZE_MAX, "back");
	unit_deinit(&unit);
	assert_int_equal(diff_release_host(&found, false, &host.tree, &unit), 0);
	expect_steps(&unit, "set the partition of " S " to member\n"
			    "remove the group " S "\n"
			    "disable cpuset below /\n"
			    "return what was changed of the host's threads\n"
			    "drop the record\n");
	run_steps(&fake, &unit, NULL, SIZE_MAX, "back");
	unit_deinit(&unit);
	assert_int_equal(host.tree.n_groups, 0);
}

static void test_a_host_of_which_nothing_is_known_is_left_as_it_is(void **state)
{
	const struct found_host found = {.cpuset_given = true};
	struct unit unit;

	(void)state;
	host.tree.root_gives_cpuset = true;
	assert_int_equal(diff_release_host(NULL, false, &host.tree, &unit), 0);
	assert_int_equal(unit.n_steps, 0);
	assert_int_equal(diff_release_host(&found, false, &host.tree, &unit), 0);
	expect_steps(&unit, "return what was changed of the host's threads\n"
			    "drop the record\n");
	unit_deinit(&unit);
}

static void test_a_dead_vm_is_not_returned_and_the_slice_shrinks_to_the_living(
	void **state)
{
	const struct unit dead = {.vm = "web1", .pid = 1000, .start_time = 10000};
	struct unit unit;

	(void)state;
	add_vm(&host, "web2", 1, 0);
	place("web2");
	for (size_t i = 0; i < find_vm(&host, "web1")->n_threads; i++)
		move_to(&fake, find_vm(&host, "web1"), i, HOME);
	settle(&fake);
	assert_int_equal(diff_release(&dead, SLICE "/web1", false, &host.tree, &unit), 0);
	expect_steps(&unit, "end the rules of web1\n"
			    "set the partition of " W "/vcpu1 to member\n"
			    "set the partition of " W "/vcpu0 to member\n"
			    "set the partition of " W " to member\n"
			    "remove the group " W "/vcpu1\n"
			    "remove the group " W "/vcpu0\n"
			    "remove the group " W "/emulator\n"
			    "remove the group " W "\n"
			    "set the CPUs of " S " to 1,3\n"
			    "keep kernel threads that can run elsewhere off CPUs 1,3\n"
			    "drop the record\n");
	run_steps(&fake, &unit, NULL, SIZE_MAX, "back");
	unit_deinit(&unit);
	expect_plan("web2", "");
}

/* What is assumed of a plan is what the kernel makes of it, as far as the next plan
 * looks. */
static void test_an_assumed_tree_is_like_the_one_that_comes_out(void **state)
{
	struct tree assumed = {};
	struct unit unit;

	(void)state;
	plan_vm(&fake, "web1", &unit);
	assert_int_equal(diff_assume(&assumed, &unit), 0);
	run_steps(&fake, &unit, wanted(&host, "web1"), SIZE_MAX, "placed");
	unit_deinit(&unit);
	assert_int_equal(assumed.n_groups, host.tree.n_groups);
	assert_int_equal(assumed.root_gives_cpuset, host.tree.root_gives_cpuset);
	for (size_t i = 0; i < assumed.n_groups; i++) {
		const struct group *a = assumed.groups[i], *b = host.tree.groups[i];

		assert_string_equal(a->path, b->path);
		assert_int_equal(a->has_cpuset, b->has_cpuset);
		assert_int_equal(a->gives_cpuset, b->gives_cpuset);
		assert_int_equal(a->partition.kind, b->partition.kind);
		assert_int_equal(a->partition.valid, b->partition.valid);
		assert_true(cpuset_equal(&a->cpus, &b->cpus));
	}
	plan_release(&fake, "web1", &unit);
	assert_int_equal(diff_assume(&assumed, &unit), 0);
	unit_deinit(&unit);
	assert_int_equal(assumed.n_groups, 1);
	assert_string_equal(assumed.groups[0]->path, SLICE);
	tree_deinit(&assumed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		placed(test_giving_one_vm_and_then_the_host_back),
		fresh(test_a_host_of_which_nothing_is_known_is_left_as_it_is),
		placed(test_a_dead_vm_is_not_returned_and_the_slice_shrinks_to_the_living),
		fresh(test_an_assumed_tree_is_like_the_one_that_comes_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
