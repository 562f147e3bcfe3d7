// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans for domains in libvirt's groups: claims down to the VM's, partitions below it. */
#include "tests/unit/expect_libvirt.h"

static void test_a_first_placement(void **state)
{
	(void)state;
	expect_plan("web1",
		"record what the host is like now\n"
		"record where the threads of web1 are now\n" CLAIM("4-5") BEGIN
		"set the partition of " T "/vcpu0 to isolated\n"
		"set the partition of " T "/vcpu1 to isolated\n" AWAY("4-5") COMMIT);
}

/* What libvirt had is recorded with what is written over it. */
static void test_a_first_placement_of_who_is_not_pinned(void **state)
{
	const struct found_vm *found;

	(void)state;
	virsh(&host, WEB1 "/vcpu0", "1");
	virsh(&host, WEB1 "/vcpu1", "0-7");
	virsh(&host, WEB1 "/emulator", "0-1,3");
	host.tree.root_gives_cpuset = false;
	group_at(&host, SCOPE("web1"))->gives_cpuset = false;
	settle_groups();
	expect_plan("web1",
		"record what the host is like now\n"
		"record where the threads of web1 are now\n"
		"enable cpuset below /\n"
		"set the exclusive CPUs of " M " to 1-2\n"
		"set the exclusive CPUs of " C " to 1-2\n"
		"enable cpuset below " C "\n"
		"set the exclusive CPUs of " T " to 1-2\n" BEGIN "set the CPUs of " T
		"/emulator to 0,3\n"
		"set the CPUs of " T "/vcpu1 to 2\n"
		"set the partition of " T "/vcpu0 to isolated\n"
		"set the partition of " T "/vcpu1 to isolated\n" AWAY("1-2") COMMIT);
	found = record_of(&host, "web1");
	expect_cpus(&found->claimed, "1-2");
	expect_cpus(&found_vm_group(found, WEB1 "/vcpu1")->cpus, "0-7");
	expect_cpus(&found_vm_group(found, WEB1 "/vcpu1")->written, "2");
	expect_cpus(&found_vm_group(found, WEB1 "/emulator")->cpus, "0-1,3");
	assert_false(found_vm_group(found, WEB1 "/vcpu0")->set);
	expect_cpus(&found_vm_group(found, MACHINE)->exclusive, "");
	assert_false(found_vm_group(found, MACHINE)->leaf);
	assert_string_equal(found_vm_top(found), WEB1);
}

static void test_nothing_is_done_to_what_is_right(void **state)
{
	(void)state;
	expect_plan("web1", "");
	/* What is above a VM's leaves is libvirt's, and systemd's. */
	virsh(&host, MACHINE, "0-7");
	virsh(&host, WEB1, "0-6");
	group_at(&host, MACHINE)->exclusive = cpus("3-5");
	settle_groups();
	expect_plan("web1", "");
}

/* Out of the claim: the kernel calls the partition invalid, and the pin is adopted. */
static void test_virsh_moves_a_vcpu(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu1", "7");
	settle_groups();
	assert_false(group_at(&host, WEB1 "/vcpu1")->partition.valid);
	expect_plan("web1",
		"record where the threads of web1 are now\n" CLAIM("4-5,7") BEGIN
		"set the partition of " T "/vcpu1 to member\n"
		"set the partition of " T "/vcpu1 to isolated\n" UNCLAIM("4,7")
			AWAY("4,7") COMMIT);
}

/* A valid partition that is given other CPUs keeps the old ones (7.2), so it ends first.
 */
static void test_a_vcpu_moves_to_a_free_cpu(void **state)
{
	struct unit unit;

	(void)state;
	pin_vcpu(&host, "web1", 1, "7");
	look();
	plan_vm(&fake, "web1", &unit);
	expect_why(&unit, 5, "it moves to other CPUs");
	unit_deinit(&unit);
	expect_plan("web1",
		"record where the threads of web1 are now\n" CLAIM("4-5,7") BEGIN
		"set the partition of " T "/vcpu1 to member\n"
		"set the CPUs of " T "/vcpu1 to 7\n"
		"set the partition of " T "/vcpu1 to isolated\n" UNCLAIM("4,7")
			AWAY("4,7") COMMIT);
}

static void test_vcpus_that_swap(void **state)
{
	struct unit unit;

	(void)state;
	pin_vcpu(&host, "web1", 0, "5");
	pin_vcpu(&host, "web1", 1, "4");
	look();
	plan_vm(&fake, "web1", &unit);
	expect_why(&unit, 2, "its CPUs go to another");
	unit_deinit(&unit);
	expect_plan("web1",
		"record where the threads of web1 are now\n" BEGIN
		"set the partition of " T "/vcpu0 to member\n"
		"set the partition of " T "/vcpu1 to member\n"
		"set the CPUs of " T "/vcpu0 to 5\n"
		"set the CPUs of " T "/vcpu1 to 4\n"
		"set the partition of " T "/vcpu0 to isolated\n"
		"set the partition of " T "/vcpu1 to isolated\n" AWAY("4-5") COMMIT);
}

/* Its partition ends and comes again, for `why`. */
static void expect_reset(const char *leaf, const char *why)
{
	char expected[1024];
	struct unit unit;

	look();
	plan_vm(&fake, "web1", &unit);
	expect_why(&unit, 1, why);
	unit_deinit(&unit);
	snprintf(expected, sizeof(expected),
		BEGIN "set the partition of /%s to member\n"
		      "set the partition of /%s to isolated\n" AWAY("4-5") COMMIT,
		leaf, leaf);
	expect_plan("web1", expected);
}

static void test_partitions_that_are_not_what_they_say(void **state)
{
	(void)state;
	group_at(&host, WEB1 "/vcpu0")->partition.valid = false;
	expect_reset(WEB1 "/vcpu0", "the kernel calls it invalid");
	host.tree.root_effective = cpus("0-3,5-7");
	expect_reset(WEB1 "/vcpu1", "its CPUs are still open to the whole host");
	host.tree.isolated = cpus("4");
	expect_reset(WEB1 "/vcpu1", "the kernel does not count its CPUs as isolated");
}

/* What it has, it has to have a claim to when it ends. */
static void test_a_partition_that_has_other_cpus(void **state)
{
	struct unit unit;

	(void)state;
	group_at(&host, WEB1 "/vcpu0")->effective = cpus("3");
	look();
	plan_vm(&fake, "web1", &unit);
	expect_why(&unit, 4, "it says valid, and has other CPUs");
	unit_deinit(&unit);
	expect_plan("web1", CLAIM("3-5") BEGIN
		"set the partition of " T "/vcpu0 to member\n"
		"set the partition of " T "/vcpu0 to isolated\n" UNCLAIM("4-5")
			AWAY("4-5") COMMIT);
}

static void test_a_partition_that_somebody_ended(void **state)
{
	(void)state;
	group_at(&host, WEB1 "/vcpu1")->partition.kind = PARTITION_MEMBER;
	settle_groups();
	expect_plan("web1", BEGIN "set the partition of " T
				  "/vcpu1 to isolated\n" AWAY("4-5") COMMIT);
}

/* As setvcpus leaves one, or an admin makes one; the group is libvirt's and stays. */
static void test_a_partition_without_a_thread(void **state)
{
	struct unit unit;

	(void)state;
	add_libvirt_group(&host, WEB1 "/vcpu2", GROUP_THREADED);
	virsh(&host, WEB1 "/vcpu2", "7");
	group_at(&host, WEB1 "/vcpu2")->partition.kind = PARTITION_ISOLATED;
	for (size_t i = 0; i < 3; i++)
		host.tree.groups[i]->exclusive = cpus("4-5,7");
	settle_groups();
	look();
	plan_vm(&fake, "web1", &unit);
	expect_why(&unit, 1, "no thread of the VM belongs there");
	unit_deinit(&unit);
	expect_plan("web1", BEGIN "set the partition of " T
				  "/vcpu2 to member\n" UNCLAIM("4-5") AWAY("4-5") COMMIT);
	assert_non_null(tree_find(&host.tree, WEB1 "/vcpu2"));
}

static void test_a_vcpu_that_is_plugged(void **state)
{
	struct vm_thread *thread;

	(void)state;
	add_libvirt_group(&host, WEB1 "/vcpu2", GROUP_THREADED);
	thread = add_thread(&host, "web1", THREAD_VCPU, 2, 1003);
	free(thread->cgroup);
	thread->cgroup = must(strdup(WEB1 "/vcpu2"));
	virsh(&host, WEB1 "/vcpu2", "3");
	record_of(&host, "web1")->claimed = cpus("3-5");
	settle_groups();
	expect_plan("web1",
		"record where the threads of web1 are now\n" CLAIM("3-5") BEGIN
		"set the partition of " T "/vcpu2 to isolated\n" AWAY("3-5") COMMIT);
	assert_non_null(found_vm_group(record_of(&host, "web1"), WEB1 "/vcpu2"));
}

/* 6.12 shows nothing of it but the missing claim; whoever ends such a partition loses its
 * CPUs. */
static void test_a_claim_that_is_gone_comes_back_before_all_else(void **state)
{
	(void)state;
	group_at(&host, MACHINE)->exclusive = cpus("");
	expect_plan("web1", "set the exclusive CPUs of " M " to 4-5\n");
	group_at(&host, MACHINE)->exclusive = cpus("5");
	group_at(&host, SCOPE("web1"))->exclusive = cpus("");
	pin_vcpu(&host, "web1", 1, "7");
	expect_plan("web1",
		"record where the threads of web1 are now\n" CLAIM("4-5,7") BEGIN
		"set the partition of " T "/vcpu1 to member\n"
		"set the CPUs of " T "/vcpu1 to 7\n"
		"set the partition of " T "/vcpu1 to isolated\n" UNCLAIM("4,7")
			AWAY("4,7") COMMIT);
}

static void test_what_a_killed_change_claimed_goes(void **state)
{
	(void)state;
	record_of(&host, "web1")->claimed = cpus("3-5");
	group_at(&host, MACHINE)->exclusive = cpus("3-5");
	expect_plan("web1", BEGIN "set the exclusive CPUs of " M " to 4-5\n" COMMIT);
	group_at(&host, WEB1)->exclusive = cpus("4-6");
	group_at(&host, SCOPE("web1"))->exclusive = cpus("4-6");
	expect_plan("web1", BEGIN "set the exclusive CPUs of " T " to 4-5\n"
				  "set the exclusive CPUs of " C " to 4-5\n" COMMIT);
}

/* What another has claimed in groups above is no reason to claim it in its own. */
static void test_what_is_anothers_is_not_claimed_in_its_own_group(void **state)
{
	(void)state;
	group_at(&host, WEB1)->exclusive = cpus("4-6");
	expect_plan("web1", BEGIN "set the exclusive CPUs of " T " to 4-5\n" COMMIT);
}

static void test_of_two_domains_one_shrinks_and_the_others_claim_stays(void **state)
{
	(void)state;
	pin_vcpu(&host, "web1", 1, "7");
	expect_plan("web1",
		"record where the threads of web1 are now\n"
		"set the exclusive CPUs of " M " to 4-7\n"
		"set the exclusive CPUs of " C " to 4-5,7\n"
		"set the exclusive CPUs of " T " to 4-5,7\n" BEGIN
		"set the partition of " T "/vcpu1 to member\n"
		"set the CPUs of " T "/vcpu1 to 7\n"
		"set the partition of " T "/vcpu1 to isolated\n"
		"set the exclusive CPUs of " T " to 4,7\n"
		"set the exclusive CPUs of " C " to 4,7\n"
		"set the exclusive CPUs of " M " to 4,6-7\n" AWAY("4,6-7") COMMIT);
	/* What it has once claimed may be another's by now. */
	record_of(&host, "web1")->claimed = cpus("4,6-7");
	expect_plan("web1", "");
	expect_plan("web2", "");
}

/* What was claimed there before us is nobody's of ours to give up. */
static void test_a_claim_that_was_found_stays(void **state)
{
	(void)state;
	found_vm_group(record_of(&host, "web1"), MACHINE)->exclusive = cpus("5");
	pin_vcpu(&host, "web1", 1, "7");
	expect_plan("web1",
		"record where the threads of web1 are now\n" CLAIM("4-5,7") BEGIN
		"set the partition of " T "/vcpu1 to member\n"
		"set the CPUs of " T "/vcpu1 to 7\n"
		"set the partition of " T "/vcpu1 to isolated\n"
		"set the exclusive CPUs of " T " to 4,7\n"
		"set the exclusive CPUs of " C " to 4,7\n" AWAY("4,7") COMMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fresh(test_a_first_placement),
		fresh(test_a_first_placement_of_who_is_not_pinned),
		placed(test_nothing_is_done_to_what_is_right),
		placed(test_virsh_moves_a_vcpu),
		placed(test_a_vcpu_moves_to_a_free_cpu),
		placed(test_vcpus_that_swap),
		placed(test_partitions_that_are_not_what_they_say),
		placed(test_a_partition_that_has_other_cpus),
		placed(test_a_partition_that_somebody_ended),
		placed(test_a_partition_without_a_thread),
		placed(test_a_vcpu_that_is_plugged),
		placed(test_a_claim_that_is_gone_comes_back_before_all_else),
		placed(test_what_a_killed_change_claimed_goes),
		two(test_what_is_anothers_is_not_claimed_in_its_own_group),
		two(test_of_two_domains_one_shrinks_and_the_others_claim_stays),
		placed(test_a_claim_that_was_found_stays),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
