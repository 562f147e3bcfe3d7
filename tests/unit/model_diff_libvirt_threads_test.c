// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans for a domain's threads and its other groups, with vCPUs that are partitions or
 * not. */
#include "tests/unit/expect_libvirt.h"

static void test_threads_that_were_moved(void **state)
{
	(void)state;
	move_to(&fake, find_vm(&host, "web1"), 2, WEB1 "/emulator");
	settle_groups();
	expect_plan(
		"web1", BEGIN "move thread 1002 into " T "/vcpu1, on CPUs 5\n" COMMIT);
	move_to(&fake, find_vm(&host, "web1"), 0, WEB1 "/vcpu0");
	settle_groups();
	expect_plan("web1",
		BEGIN "move thread 1000 into " T "/emulator, on CPUs 0-1\n" COMMIT);
}

static void test_threads_that_were_bound(void **state)
{
	(void)state;
	find_thread(&host, "web1", 1001)->affinity = cpus("3");
	find_thread(&host, "web1", 1000)->affinity = cpus("0");
	expect_plan("web1", BEGIN "set the affinity of thread 1000 to 0-1\n"
				  "set the affinity of thread 1001 to 4\n" COMMIT);
}

/* It is given no CPUs of the vCPUs, and the vCPUs lose nothing by that. */
static void test_virsh_pins_the_emulator(void **state)
{
	struct unit unit;

	(void)state;
	virsh(&host, WEB1 "/emulator", "2");
	settle_groups();
	expect_plan("web1", BEGIN COMMIT);
	virsh(&host, WEB1 "/emulator", "0-5");
	settle_groups();
	look();
	plan_vm(&fake, "web1", &unit);
	expect_steps(&unit, "record where the threads of web1 are now\n" BEGIN
			    "set the CPUs of " T "/emulator to 0-3\n" COMMIT);
	unit_deinit(&unit);
}

/* Another VM's partition has taken CPU 1: more than what is left it cannot have. */
static void test_an_emulator_with_what_others_leave_it(void **state)
{
	(void)state;
	virsh(&host, WEB2 "/vcpu0", "1");
	settle_groups();
	place("web2");
	expect_cpus(&find_thread(&host, "web1", 1000)->affinity, "0");
	expect_plan("web1", "");
	virsh(&host, WEB1 "/emulator", "0-3");
	settle_groups();
	place("web1");
	find_thread(&host, "web1", 1000)->affinity = cpus("2");
	expect_plan("web1", BEGIN "set the affinity of thread 1000 to 0-3\n" COMMIT);
}

/* Where it runs is whatever is left, and who binds it within that may. */
static void test_who_floats_is_let_alone(void **state)
{
	(void)state;
	find_thread(&host, "web2", 2000)->affinity = cpus("3");
	expect_plan("web2", "");
	expect_cpus(&group_at(&host, WEB2 "/emulator")->cpus, "");
}

/* A pin of ours that has gone leaves what libvirt had. */
static void test_an_emulator_of_ours_and_back(void **state)
{
	(void)state;
	pin_emulator(&host, "web2", "2-3");
	expect_plan("web2", "record where the threads of web2 are now\n"
			    "put the rules of web2 in force, runs on old CPUs settling\n"
			    "set the CPUs of /" WEB2 "/emulator to 2-3\n"
			    "narrow the rules of web2 to the new CPUs\n");
	forget_wishes(&host);
	expect_plan("web2", "put the rules of web2 in force, runs on old CPUs settling\n"
			    "set the CPUs of /" WEB2 "/emulator to nothing\n"
			    "narrow the rules of web2 to the new CPUs\n");
}

static void test_kernel_threads_are_kept_off_what_all_have(void **state)
{
	(void)state;
	fake.vms[vm_index(&fake, "web1")].actual.has_strays = true;
	expect_plan("web1", AWAY("4-6"));
}

static void test_another_kind_of_partition(void **state)
{
	(void)state;
	wish(&host, "web1")->policy.partition = PARTITION_ROOT;
	expect_plan("web1",
		BEGIN "set the partition of " T "/vcpu0 to root\n"
		      "set the partition of " T "/vcpu1 to root\n" AWAY("4-5") COMMIT);
}

static void test_partitions_that_are_not_to_be(void **state)
{
	struct unit unit;

	(void)state;
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	look();
	plan_vm(&fake, "web1", &unit);
	expect_why(&unit, 1, "it is to be none");
	unit_deinit(&unit);
	expect_plan("web1", BEGIN "set the partition of " T "/vcpu0 to member\n"
				  "set the partition of " T "/vcpu1 to member\n" UNCLAIM(
					  "nothing") AWAY("of nobody") COMMIT);
}

/* partition = member asks for no more than 6.1 has. */
static void test_members_on_a_kernel_without_remote_partitions(void **state)
{
	(void)state;
	host.tree.remote = false;
	host.config.defaults.partition = PARTITION_MEMBER;
	pin_vcpu(&host, "web1", 0, "3");
	expect_plan("web1", "record what the host is like now\n"
			    "record where the threads of web1 are now\n" BEGIN
			    "set the CPUs of " T "/vcpu0 to 3\n" COMMIT);
}

/* Nothing is written, and no record made. */
static void test_a_kernel_without_remote_partitions(void **state)
{
	struct unit unit;

	(void)state;
	host.tree.remote = false;
	look();
	assert_int_equal(wanted(&host, "web1")->kind, DESIRED_OBSERVED);
	plan_vm(&fake, "web1", &unit);
	expect_steps(&unit, BEGIN COMMIT);
	commit_rules(&fake.vms[0], wanted(&host, "web1"));
	unit_deinit(&unit);
	plan_vm(&fake, "web1", &unit);
	expect_steps(&unit, "");
	unit_deinit(&unit);
}

/* A placed domain that cannot have what it wants now stays as it is. */
static void test_a_domain_that_is_refused_stays(void **state)
{
	struct unit unit;

	(void)state;
	virsh(&host, WEB1 "/vcpu1", "6");
	look();
	expect_kept(&host, "web1", "CPU 6 is reserved by VM web2");
	plan_vm(&fake, "web1", &unit);
	expect_steps(&unit, "");
	unit_deinit(&unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		placed(test_threads_that_were_moved),
		placed(test_threads_that_were_bound),
		placed(test_virsh_pins_the_emulator),
		two(test_an_emulator_with_what_others_leave_it),
		two(test_who_floats_is_let_alone),
		two(test_an_emulator_of_ours_and_back),
		two(test_kernel_threads_are_kept_off_what_all_have),
		placed(test_another_kind_of_partition),
		placed(test_partitions_that_are_not_to_be),
		fresh(test_members_on_a_kernel_without_remote_partitions),
		fresh(test_a_kernel_without_remote_partitions),
		two(test_a_domain_that_is_refused_stays),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
