// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans for telling situations, step by step and word for word, each carried out on the
 * fake kernel, after which nothing is left to do. model_diff_random_test.c does what
 * nobody thought of.
 */
#include "tests/unit/expect_plan.h"

static void test_a_first_placement(void **state)
{
	(void)state;
	expect_plan("web1",
		"record what the host is like now\n"
		"record where the threads of web1 are now\n"
		"enable cpuset below /\n"
		"make the group " S "\n"
		"set the CPUs of " S " to 2,4-5\n"
		"set the partition of " S " to root\n"
		"enable cpuset below " S "\n"
		"make the group " W "\n"
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

static void test_a_second_vm_grows_the_slice(void **state)
{
	struct unit unit;

	(void)state;
	add_vm(&host, "web2", 1, 0);
	pin_vcpu(&host, "web2", 0, "6");
	pin_emulator(&host, "web2", "3");
	compute(&host);
	plan_vm(&fake, "web2", &unit);
	assert_int_equal(unit.steps[0].kind, STEP_RECORD);
	assert_int_equal(unit.steps[1].kind, STEP_SET_CPUS);
	assert_string_equal(unit.steps[1].path, SLICE);
	expect_cpus(&unit.steps[1].cpus, "2-6");
	unit_deinit(&unit);
	place("web2");
	expect_plan("web1", "");
	expect_plan("web2", "");
}

static void test_nothing_is_done_to_what_is_right(void **state)
{
	(void)state;
	expect_plan("web1", "");
}

static void test_pins_swapped_between_two_vcpus(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 0, "5");
	pin_vcpu(&host, "web1", 1, "4");
	expect_plan("web1", BEGIN "set the partition of " W "/vcpu0 to member\n"
				  "set the partition of " W "/vcpu1 to member\n"
				  "set the CPUs of " W "/vcpu0 to 5\n"
				  "set the CPUs of " W "/vcpu1 to 4\n"
				  "set the partition of " W "/vcpu0 to isolated\n"
				  "set the partition of " W
				  "/vcpu1 to isolated\n" AWAY("2,4-5") COMMIT);
}

static void test_a_vcpu_takes_the_emulators_cpu(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 0, "2");
	pin_emulator(&host, "web1", "3");
	expect_plan("web1", "set the CPUs of " S " to 2-5,7\n"
			    "set the CPUs of " W " to 2-5\n" BEGIN
			    "set the partition of " W "/vcpu0 to member\n"
			    "set the CPUs of " W "/emulator to 3\n"
			    "set the CPUs of " W "/vcpu0 to 2\n"
			    "set the partition of " W "/vcpu0 to isolated\n"
			    "set the CPUs of " W " to 2-3,5\n"
			    "set the CPUs of " S " to 2-3,5\n" AWAY("2-3,5") COMMIT);
}

static void test_a_vcpu_moves_to_a_free_cpu_and_stays_a_partition(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 1, "7");
	expect_plan("web1", "set the CPUs of " S " to 2,4-7\n"
			    "set the CPUs of " W " to 2,4-5,7\n" BEGIN
			    "set the CPUs of " W "/vcpu1 to 7\n"
			    "set the CPUs of " W " to 2,4,7\n"
			    "set the CPUs of " S " to 2,4,7\n" COMMIT);
}

static void test_a_vcpu_is_plugged_in(void **state)
{
	struct vm_thread *thread = add_thread(&host, "web1", THREAD_VCPU, 2, 1003);

	(void)state;
	free(thread->cgroup);
	thread->cgroup = must(strdup(SLICE "/web1/emulator"));
	settle(&fake);
	expect_plan("web1",
		"set the CPUs of " S " to 1-2,4-5,7\n"
		"set the CPUs of " W " to 1-2,4-5\n" BEGIN "make the group " W "/vcpu2\n"
		"make " W "/vcpu2 threaded\n"
		"set the CPUs of " W "/vcpu2 to 1\n"
		"set the partition of " W "/vcpu2 to isolated\n"
		"move thread 1003 into " W "/vcpu2, on CPUs 1\n"
		"set the CPUs of " S " to 1-2,4-5\n" AWAY("1-2,4-5") COMMIT);
}

static void test_a_vcpu_is_unplugged(void **state)
{
	(void)state;
	remove_thread(&host, "web1", 1002);
	settle(&fake);
	expect_plan("web1", BEGIN "remove the group " W "/vcpu1\n"
				  "set the CPUs of " W " to 2,4\n"
				  "set the CPUs of " S " to 2,4\n" COMMIT);
}

/* On 6.1 and 6.12 a member that shares its CPUs is enough to make a partition invalid. */
static void test_an_unplugged_vcpu_leaves_its_cpu_to_another(void **state)
{
	(void)state;
	remove_thread(&host, "web1", 1002);
	settle(&fake);
	pin_vcpu(&host, "web1", 0, "5");
	expect_plan("web1", BEGIN "set the partition of " W "/vcpu0 to member\n"
				  "set the partition of " W "/vcpu1 to member\n"
				  "set the CPUs of " W "/vcpu1 to 2\n"
				  "set the CPUs of " W "/vcpu0 to 5\n"
				  "set the partition of " W "/vcpu0 to isolated\n"
				  "remove the group " W "/vcpu1\n"
				  "set the CPUs of " W " to 2,5\n"
				  "set the CPUs of " S " to 2,5\n" AWAY("2,5") COMMIT);
}

static void test_a_leaf_that_says_valid_and_has_other_cpus(void **state)
{
	(void)state;
	make_wrong(SLICE "/web1/vcpu1", "2");
	expect_plan("web1", BEGIN "set the partition of " W "/vcpu1 to member\n"
				  "set the partition of " W
				  "/vcpu1 to isolated\n" AWAY("2,4-5") COMMIT);
}

static void test_an_invalid_leaf(void **state)
{
	(void)state;
	leaf(SLICE "/web1/vcpu0")->partition.valid = false;
	settle(&fake);
	expect_plan("web1", BEGIN "set the partition of " W "/vcpu0 to member\n"
				  "set the partition of " W
				  "/vcpu0 to isolated\n" AWAY("2,4-5") COMMIT);
}

/* 6.1 and 6.12: a sibling took a CPU, the VM's group is invalid, and its leaves do not
 * notice. */
static void test_an_invalid_vm_group_under_leaves_that_say_valid(void **state)
{
	(void)state;
	make_wrong(SLICE "/web1/vcpu0", "4");
	make_wrong(SLICE "/web1/vcpu1", "2");
	leaf(SLICE "/web1")->partition.valid = false;
	settle(&fake);
	expect_plan("web1", "set the partition of " W "/vcpu1 to member\n"
			    "set the partition of " W "/vcpu0 to member\n"
			    "set the partition of " W " to member\n"
			    "set the CPUs of " S " to 2,4-5,7\n"
			    "set the partition of " W " to root\n" BEGIN
			    "set the partition of " W "/vcpu0 to isolated\n"
			    "set the partition of " W "/vcpu1 to isolated\n"
			    "set the CPUs of " S " to 2,4-5\n" AWAY("2,4-5") COMMIT);
}

/* All below an invalid slice is built anew, also what says that it is valid. */
static void test_an_invalid_slice_above_a_vm_group_that_says_valid(void **state)
{
	(void)state;
	make_wrong(SLICE "/web1", "2");
	leaf(SLICE)->partition.valid = false;
	settle(&fake);
	expect_plan("web1", "set the partition of " W "/vcpu1 to member\n"
			    "set the partition of " W "/vcpu0 to member\n"
			    "set the partition of " W " to member\n"
			    "set the partition of " S " to member\n"
			    "set the CPUs of " S " to 2,4-5,7\n"
			    "set the partition of " S " to root\n"
			    "set the partition of " W " to root\n" BEGIN
			    "set the partition of " W "/vcpu0 to isolated\n"
			    "set the partition of " W "/vcpu1 to isolated\n"
			    "set the CPUs of " S " to 2,4-5\n" AWAY("2,4-5") COMMIT);
}

static void test_a_thread_that_somebody_moved(void **state)
{
	(void)state;
	move_to(&fake, find_vm(&host, "web1"), 1, SLICE "/web1/emulator");
	settle(&fake);
	expect_plan(
		"web1", BEGIN "move thread 1001 into " W "/vcpu0, on CPUs 4\n" COMMIT);
}

/* Moving the whole process in again would take the vCPUs off their CPUs for a moment. */
static void test_a_main_thread_that_somebody_moved_into_the_vms_group(void **state)
{
	(void)state;
	move_to(&fake, find_vm(&host, "web1"), 0, SLICE "/web1");
	settle(&fake);
	expect_plan(
		"web1", BEGIN "move thread 1000 into " W "/emulator, on CPUs 2\n" COMMIT);
}

static void test_a_thread_that_somebody_bound(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 0, "4,6");
	place("web1");
	fake.vms[0].masks[1] = cpus("6");
	settle(&fake);
	expect_plan("web1", BEGIN "set the affinity of thread 1001 to 4,6\n" COMMIT);
}

static void test_another_kind_of_partition(void **state)
{
	(void)state;
	wish(&host, "web1")->policy.partition = PARTITION_ROOT;
	expect_plan("web1",
		BEGIN "set the partition of " W "/vcpu0 to root\n"
		      "set the partition of " W "/vcpu1 to root\n" AWAY("2,4-5") COMMIT);
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	expect_plan("web1", BEGIN "set the partition of " W "/vcpu0 to member\n"
				  "set the partition of " W
				  "/vcpu1 to member\n" AWAY("2,4-5") COMMIT);
}

static void test_rules_that_were_lost_or_half_changed(void **state)
{
	(void)state;
	fake.vms[0].actual.settling = true;
	expect_plan("web1", BEGIN COMMIT);
	rule_vm_deinit(&fake.vms[0].actual.rules);
	fake.vms[0].actual.rules_known = false;
	expect_plan("web1", BEGIN COMMIT);
}

static void test_a_lost_record_is_made_again(void **state)
{
	(void)state;
	fake.vms[0].actual.has_record = false;
	expect_plan("web1", "record where the threads of web1 are now\n");
}

static void test_kernel_threads_on_its_cpus(void **state)
{
	(void)state;
	fake.vms[0].actual.has_strays = true;
	expect_plan(
		"web1", "keep kernel threads that can run elsewhere off CPUs 2,4-5\n");
}

static void test_a_vm_that_is_watched_gets_rules_only(void **state)
{
	(void)state;
	wish(&host, "web1")->policy.kind = POLICY_OBSERVE;
	expect_plan("web1", BEGIN COMMIT);
	assert_int_equal(host.tree.n_groups, 0);
}

static void test_a_vm_that_cannot_be_placed_keeps_what_it_has(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 0, "5");
	expect_plan("web1", "");
	fake.vms[0].actual.rules_known = false;
	rule_vm_deinit(&fake.vms[0].actual.rules);
	expect_plan("web1", BEGIN COMMIT);
}

static void test_what_a_killed_change_left_in_the_slice_goes(void **state)
{
	(void)state;
	leaf(SLICE)->cpus = cpus("1-7");
	settle(&fake);
	expect_plan("web1", BEGIN "set the CPUs of " S " to 2,4-5\n" COMMIT);
	/* Before it grows: 6.1 does not count what is returned at the same time. */
	leaf(SLICE)->cpus = cpus("1-6");
	settle(&fake);
	pin_vcpu(&host, "web1", 0, "7");
	pin_emulator(&host, "web1", "0");
	expect_plan("web1", "set the CPUs of " S " to 2,4-5\n"
			    "set the CPUs of " S " to 0,2,4-7\n"
			    "set the CPUs of " W " to 0,2,4-5,7\n" BEGIN
			    "set the CPUs of " W "/emulator to 0\n"
			    "set the CPUs of " W "/vcpu0 to 7\n"
			    "set the CPUs of " W " to 0,5,7\n"
			    "set the CPUs of " S " to 0,5,7\n" COMMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fresh(test_a_first_placement),
		placed(test_a_second_vm_grows_the_slice),
		placed(test_nothing_is_done_to_what_is_right),
		placed(test_pins_swapped_between_two_vcpus),
		placed(test_a_vcpu_takes_the_emulators_cpu),
		placed(test_a_vcpu_moves_to_a_free_cpu_and_stays_a_partition),
		placed(test_a_vcpu_is_plugged_in),
		placed(test_a_vcpu_is_unplugged),
		placed(test_an_unplugged_vcpu_leaves_its_cpu_to_another),
		placed(test_a_leaf_that_says_valid_and_has_other_cpus),
		placed(test_an_invalid_leaf),
		placed(test_an_invalid_vm_group_under_leaves_that_say_valid),
		placed(test_an_invalid_slice_above_a_vm_group_that_says_valid),
		placed(test_a_thread_that_somebody_moved),
		placed(test_a_main_thread_that_somebody_moved_into_the_vms_group),
		placed(test_a_thread_that_somebody_bound),
		placed(test_another_kind_of_partition),
		placed(test_rules_that_were_lost_or_half_changed),
		placed(test_a_lost_record_is_made_again),
		placed(test_kernel_threads_on_its_cpus),
		fresh(test_a_vm_that_is_watched_gets_rules_only),
		placed(test_a_vm_that_cannot_be_placed_keeps_what_it_has),
		placed(test_what_a_killed_change_left_in_the_slice_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
