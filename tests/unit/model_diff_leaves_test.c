// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans for a VM of ours whose emulator runs on housekeeping CPUs: only its vCPUs' groups
 * are partitions. From there to an emulator with a CPU of its own and back it is one
 * change, in place.
 */
#include "tests/unit/expect_plan.h"

/* vCPU 0 on 4, vCPU 1 on 5, the emulator on 0-1. */
static int enter_leaves(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0-1");
	add_vm(&host, "web1", 2, 0);
	pin_vcpu(&host, "web1", 0, "4");
	pin_vcpu(&host, "web1", 1, "5");
	wish(&host, "web1")->policy.emulator = PLACE_HOUSEKEEPING;
	host.tree.remote = true;
	fake_init(&fake, &host);
	settle(&fake);
	compute(&host);
	return 0;
}

static int enter_leaves_placed(void **state)
{
	int r = enter_leaves(state);

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
		"set the exclusive CPUs of " S " to 4-5\n"
		"enable cpuset below " S "\n"
		"make the group " W "\n"
		"set the exclusive CPUs of " W " to 4-5\n"
		"set the CPUs of " W " to 0-1,4-5\n"
		"enable cpuset below " W "\n" BEGIN "make the group " W "/emulator\n"
		"make " W "/emulator threaded\n"
		"set the CPUs of " W "/emulator to 0-1\n"
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
		"move thread 1002 into " W "/vcpu1, on CPUs 5\n" AWAY("4-5") COMMIT);
	expect_cpus(&leaf(W + 1)->effective, "0-1");
}

static void test_a_vcpu_that_moves_is_a_member_first(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 1, "6");
	expect_plan("web1",
		"set the exclusive CPUs of " S " to 4-6\n"
		"set the exclusive CPUs of " W " to 4-6\n"
		"set the CPUs of " W " to 0-1,4-6\n" BEGIN "set the partition of " W
		"/vcpu1 to member\n"
		"set the CPUs of " W "/vcpu1 to 6\n"
		"set the partition of " W "/vcpu1 to isolated\n"
		"set the CPUs of " W " to 0-1,4,6\n"
		"set the exclusive CPUs of " W " to 4,6\n"
		"set the exclusive CPUs of " S " to 4,6\n" AWAY("4,6") COMMIT);
}

static void test_housekeeping_shrinks(void **state)
{
	(void)state;
	keep_house(&host, "0");
	expect_plan("web1", BEGIN "set the CPUs of " W "/emulator to 0\n"
				  "set the CPUs of " W " to 0,4-5\n" COMMIT);
}

static void test_from_housekeeping_to_a_cpu_of_its_own(void **state)
{
	(void)state;
	pin_emulator(&host, "web1", "2");
	expect_plan("web1",
		"set the partition of " W "/vcpu1 to member\n"
		"set the partition of " W "/vcpu0 to member\n"
		"set the exclusive CPUs of " S " to 2,4-5\n"
		"set the exclusive CPUs of " W " to 2,4-5\n"
		"set the CPUs of " W " to 0-2,4-5\n" BEGIN "set the CPUs of " W
		"/emulator to 2\n"
		"set the CPUs of " W " to 2,4-5\n"
		"set the partition of " W " to root\n"
		"set the partition of " W "/vcpu0 to isolated\n"
		"set the partition of " W "/vcpu1 to isolated\n" AWAY("2,4-5") COMMIT);
}

static void test_and_back(void **state)
{
	struct vm_policy *policy = wish(&host, "web1");

	(void)state;
	pin_emulator(&host, "web1", "2");
	place("web1");
	policy->has_emulator_pin = false;
	expect_plan("web1",
		"set the partition of " W "/vcpu1 to member\n"
		"set the partition of " W "/vcpu0 to member\n"
		"set the partition of " W " to member\n"
		"set the CPUs of " W " to 0-2,4-5\n" BEGIN "set the CPUs of " W
		"/emulator to 0-1\n"
		"set the partition of " W "/vcpu0 to isolated\n"
		"set the partition of " W "/vcpu1 to isolated\n"
		"set the CPUs of " W " to 0-1,4-5\n"
		"set the exclusive CPUs of " W " to 4-5\n"
		"set the exclusive CPUs of " S " to 4-5\n" AWAY("4-5") COMMIT);
}

static void test_another_vm_holds_no_housekeeping(void **state)
{
	(void)state;
	add_vm(&host, "web2", 1, 0);
	fake.vms[1].masks[0] = fake.vms[0].masks[0];
	pin_vcpu(&host, "web2", 0, "6");
	pin_emulator(&host, "web2", "7");
	settle(&fake);
	place("web2");
	expect_cpus(&leaf(S + 1)->exclusive, "4-7");
	expect_plan("web1", "");
}

static void test_a_claim_that_is_gone_comes_back_before_it_is_released(void **state)
{
	struct unit unit;

	(void)state;
	/* 6.12 goes on saying that the leaves are isolated. */
	leaf(W + 1)->exclusive = cpus("");
	plan_release(&fake, "web1", &unit);
	expect_steps(&unit, "end the rules of web1\n"
			    "set the exclusive CPUs of " W " to 4-5\n"
			    "set the partition of " W "/vcpu1 to member\n"
			    "set the partition of " W "/vcpu0 to member\n"
			    "return the threads of web1 to where they were found\n"
			    "remove the group " W "/vcpu1\n"
			    "remove the group " W "/vcpu0\n"
			    "remove the group " W "/emulator\n"
			    "remove the group " W "\n"
			    "set the exclusive CPUs of " S " to nothing\n"
			    "return the affinities of web1's threads\n" AWAY(
				    "of nobody") "drop the record\n");
	run_steps(&fake, &unit, NULL, SIZE_MAX, "released");
	unit_deinit(&unit);
}

static void expect_sick(const char *expected)
{
	cleanup_free char *fault = NULL;

	assert_int_equal(health_check(wanted(&host, "web1"), &host.tree, &fault), 0);
	if (expected)
		assert_string_equal(must(fault), expected);
	else
		assert_null(fault);
}

static void test_health(void **state)
{
	(void)state;
	expect_sick(NULL);
	leaf(W + 1)->exclusive = cpus("4");
	expect_sick("the exclusive CPUs of " W " should include 4-5 and are 4");
	leaf(W + 1)->exclusive = cpus("4-5");
	leaf(W "/emulator" + 1)->effective = cpus("0");
	expect_sick("the effective CPUs of " W "/emulator should be 0-1 and are 0");
	leaf(W "/emulator" + 1)->effective = cpus("0-1");
	leaf(W + 1)->partition.kind = PARTITION_ROOT;
	expect_sick("the partition of " W " should be member and is: root");
}

#define with(enter, f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(enter_leaves, test_a_first_placement),
		with(enter_leaves_placed, test_a_vcpu_that_moves_is_a_member_first),
		with(enter_leaves_placed, test_housekeeping_shrinks),
		with(enter_leaves_placed, test_from_housekeeping_to_a_cpu_of_its_own),
		with(enter_leaves_placed, test_and_back),
		with(enter_leaves_placed, test_another_vm_holds_no_housekeeping),
		with(enter_leaves_placed,
			test_a_claim_that_is_gone_comes_back_before_it_is_released),
		with(enter_leaves_placed, test_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
