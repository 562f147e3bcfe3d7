// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans on kernels with remote partitions: the slice is none, and hands down what is
 * exclusive. What is inside a VM's group is as in model_diff_test.c.
 */
#include "tests/unit/expect_plan.h"

static int enter_remote(void **state)
{
	int r = enter(state);

	host.tree.remote = true;
	return r;
}

static int enter_remote_placed(void **state)
{
	int r = enter_remote(state);

	place("web1");
	return r;
}

static void test_a_first_placement(void **state)
{
	(void)state;
	expect_plan("web1",
		"record what the host is like now\n"
		"record where the threads of web1 are now\n"
		"enable cpuset below /\n"
		"make the group " S "\n"
		"set the exclusive CPUs of " S " to 2,4-5\n"
		"enable cpuset below " S "\n"
		"make the group " W "\n"
		"set the exclusive CPUs of " W " to 2,4-5\n"
		"set the CPUs of " W " to 2,4-5\n"
		"set the partition of " W " to root\n"
		"enable cpuset below " W "\n" BEGIN "make the group " W "/emulator\n"
		"make " W "/emulator threaded\n"
		"set the CPUs of " W "/emulator to 2\n"
		"make the group " W "/vcpu0\n"
		"make " W "/vcpu0 threaded\n"
		"set the CPUs of " W "/vcpu0 to 4\n"
		"make the group " W "/vcpu1\n"
		"make " W "/vcpu1 threaded\n"
		"set the CPUs of " W "/vcpu1 to 5\n"
		"set the partition of " W "/vcpu0 to isolated\n"
		"set the partition of " W "/vcpu1 to isolated\n"
		"move process 1000 with its threads into " W "/emulator\n"
		"move thread 1001 into " W "/vcpu0, on CPUs 4\n"
		"move thread 1002 into " W "/vcpu1, on CPUs 5\n" AWAY("2,4-5") COMMIT);
}

static void test_nothing_is_done_to_what_is_right(void **state)
{
	(void)state;
	expect_plan("web1", "");
}

static void test_a_vcpu_moves_to_a_free_cpu(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 1, "7");
	expect_plan("web1", "set the exclusive CPUs of " S " to 2,4-5,7\n"
			    "set the exclusive CPUs of " W " to 2,4-5,7\n"
			    "set the CPUs of " W " to 2,4-5,7\n" BEGIN
			    "set the CPUs of " W "/vcpu1 to 7\n"
			    "set the CPUs of " W " to 2,4,7\n"
			    "set the exclusive CPUs of " W " to 2,4,7\n"
			    "set the exclusive CPUs of " S " to 2,4,7\n" COMMIT);
}

/* What the slice no longer hands down, it hands down to all again. */
static void test_exclusive_cpus_that_somebody_took(void **state)
{
	(void)state;
	leaf(SLICE)->exclusive = cpus("4-5");
	settle(&fake);
	expect_plan("web1",
		"set the exclusive CPUs of " S " to 2,4-5\n"
		"set the partition of " W "/vcpu1 to member\n"
		"set the partition of " W "/vcpu0 to member\n"
		"set the partition of " W " to member\n"
		"set the partition of " W " to root\n" BEGIN "set the partition of " W
		"/vcpu0 to isolated\n"
		"set the partition of " W "/vcpu1 to isolated\n" AWAY("2,4-5") COMMIT);
}

/* 6.12 shows nothing of it but the missing claim; whoever ends such a partition loses its
 * CPUs. */
static void test_a_claim_that_is_gone_comes_back_before_all_else(void **state)
{
	struct unit unit;

	(void)state;
	leaf(SLICE)->exclusive = cpus("");
	expect_plan("web1", "set the exclusive CPUs of " S " to 2,4-5\n");
	leaf(SLICE)->exclusive = cpus("");
	plan_release(&fake, "web1", &unit);
	assert_int_equal(unit.steps[1].kind, STEP_SET_EXCLUSIVE);
	expect_cpus(&unit.steps[1].cpus, "2,4-5");
	unit_deinit(&unit);
}

static void test_lost_cpus_are_taken_back(void **state)
{
	const struct cpuset lost = cpus("4-6");
	struct unit unit;

	(void)state;
	assert_int_equal(diff_reclaim(&lost, &host.tree, &unit), 0);
	expect_steps(&unit,
		"set the exclusive CPUs of " S " to 2\n"
		"take back CPUs 4-6, which the kernel keeps from the host for no partition\n");
	unit_deinit(&unit);
	tree_deinit(&host.tree);
	host.tree.root_gives_cpuset = false;
	assert_int_equal(diff_reclaim(&lost, &host.tree, &unit), 0);
	expect_steps(&unit,
		"enable cpuset below /\n"
		"take back CPUs 4-6, which the kernel keeps from the host for no partition\n"
		"disable cpuset below /\n");
	unit_deinit(&unit);
}

static void test_what_a_killed_change_claimed_goes(void **state)
{
	(void)state;
	leaf(SLICE)->exclusive = cpus("2,4-6");
	settle(&fake);
	expect_plan("web1", BEGIN "set the exclusive CPUs of " S " to 2,4-5\n" COMMIT);
}

/* Killed after it claimed them: they are held, and not to be given to another. */
static void test_what_another_has_only_claimed_stays_its_own(void **state)
{
	(void)state;
	add_vm(&host, "web2", 1, 0);
	pin_emulator(&host, "web2", "6");
	pin_vcpu(&host, "web2", 0, "7");
	leaf(SLICE)->exclusive = cpus("2,4-7");
	add_group(&host, SLICE "/web2", "", PARTITION_MEMBER)->exclusive = cpus("6-7");
	leaf(SLICE "/web2")->type = GROUP_DOMAIN;
	settle(&fake);
	pin_vcpu(&host, "web1", 0, "7");
	compute(&host);
	expect_kept(&host, "web1", "CPU 7 is reserved by VM web2");
	pin_vcpu(&host, "web2", 0, "3");
	compute(&host);
	expect_kept(&host, "web1", "CPU 7 is still held by VM web2");
	pin_vcpu(&host, "web1", 0, "4");
	expect_plan("web1", "");
}

static void test_giving_one_of_two_vms_back(void **state)
{
	struct unit unit;

	(void)state;
	add_vm(&host, "web2", 1, 0);
	place("web2");
	plan_release(&fake, "web1", &unit);
	expect_steps(&unit, "end the rules of web1\n"
			    "set the partition of " W "/vcpu1 to member\n"
			    "set the partition of " W "/vcpu0 to member\n"
			    "set the partition of " W " to member\n"
			    "return the threads of web1 to where they were found\n"
			    "remove the group " W "/vcpu1\n"
			    "remove the group " W "/vcpu0\n"
			    "remove the group " W "/emulator\n"
			    "remove the group " W "\n"
			    "set the exclusive CPUs of " S " to 1,3\n"
			    "return the affinities of web1's threads\n"
			    "keep kernel threads that can run elsewhere off CPUs 1,3\n"
			    "drop the record\n");
	run_steps(&fake, &unit, NULL, SIZE_MAX, "back");
	unit_deinit(&unit);
	expect_plan("web2", "");
}

static void test_an_assumed_tree_is_like_the_one_that_comes_out(void **state)
{
	struct tree assumed = {.remote = true};
	struct unit unit;

	(void)state;
	plan_vm(&fake, "web1", &unit);
	assert_int_equal(diff_assume(&assumed, &unit), 0);
	run_steps(&fake, &unit, wanted(&host, "web1"), SIZE_MAX, "placed");
	unit_deinit(&unit);
	assert_int_equal(assumed.n_groups, host.tree.n_groups);
	for (size_t i = 0; i < assumed.n_groups; i++)
		assert_true(cpuset_equal(
			&assumed.groups[i]->exclusive, &host.tree.groups[i]->exclusive));
	tree_deinit(&assumed);
}

#define remote(f) cmocka_unit_test_setup_teardown(f, enter_remote, leave)
#define remote_placed(f) cmocka_unit_test_setup_teardown(f, enter_remote_placed, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		remote(test_a_first_placement),
		remote_placed(test_nothing_is_done_to_what_is_right),
		remote_placed(test_a_vcpu_moves_to_a_free_cpu),
		remote_placed(test_exclusive_cpus_that_somebody_took),
		remote_placed(test_a_claim_that_is_gone_comes_back_before_all_else),
		remote_placed(test_lost_cpus_are_taken_back),
		remote_placed(test_what_a_killed_change_claimed_goes),
		remote_placed(test_what_another_has_only_claimed_stays_its_own),
		remote_placed(test_giving_one_of_two_vms_back),
		remote(test_an_assumed_tree_is_like_the_one_that_comes_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
