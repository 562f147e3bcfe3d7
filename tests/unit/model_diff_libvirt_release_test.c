// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans that give libvirt's groups back as they were found, and lost CPUs to the host. */
#include "tests/unit/expect_libvirt.h"

#define RETURN "return the threads of web1 to where they were found\n"
#define END "end the rules of web1\n"
#define MEMBERS                                        \
	"set the partition of " T "/vcpu0 to member\n" \
	"set the partition of " T "/vcpu1 to member\n"

static void plan_back(const char *name, bool alive, struct unit *ret_unit)
{
	const struct found_vm *record = record_of(&host, name);
	struct unit vm = {.pid = record->pid, .start_time = record->start_time};
	const struct cpuset others =
		diff_others_claims(&host.tree, host.records, host.n_records, name);

	snprintf(vm.vm, sizeof(vm.vm), "%s", name);
	assert_int_equal(
		diff_release_libvirt(&vm, record, &others, alive, &host.tree, ret_unit),
		0);
	assert_string_equal(ret_unit->vm, name);
	assert_int_equal(ret_unit->pid, record->pid);
}

/* What is to be done, and that it can be. */
static void expect_back(const char *name, bool alive, const char *expected)
{
	struct unit unit;

	plan_back(name, alive, &unit);
	expect_steps(&unit, expected);
	carry_out(&unit, name);
}

static void expect_group_is(const char *path, const char *list, const char *exclusive)
{
	const struct group *group = group_at(&host, path);

	assert_int_equal(group->partition.kind, PARTITION_MEMBER);
	expect_cpus(&group->cpus, list);
	expect_cpus(&group->exclusive, exclusive);
}

static void test_what_nobody_wrote_is_not_written_back(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/emulator", "2");
	expect_back("web1", true,
		END MEMBERS UNCLAIM("nothing")
			RETURN AWAY("of nobody") "drop the record\n");
	expect_group_is(MACHINE, "", "");
	expect_group_is(WEB1 "/vcpu0", "4", "");
	expect_group_is(WEB1 "/vcpu1", "5", "");
	expect_group_is(WEB1 "/emulator", "2", "");
}

static void test_cpus_that_were_written_come_back(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu1", "");
	pin_vcpu(&host, "web1", 0, "6");
	pin_emulator(&host, "web1", "2-3");
	settle_groups();
	place("web1");
	expect_cpus(&group_at(&host, WEB1 "/vcpu1")->cpus, "1");
	expect_back("web1", true,
		END MEMBERS "set the CPUs of " T "/emulator to 0-1\n"
			    "set the CPUs of " T "/vcpu0 to 4\n"
			    "set the CPUs of " T "/vcpu1 to nothing\n" UNCLAIM("nothing")
				    RETURN
		"return the affinities of web1's threads\n" AWAY(
			"of nobody") "drop the record\n");
	expect_group_is(WEB1 "/vcpu0", "4", "");
	expect_group_is(WEB1 "/vcpu1", "", "");
	expect_group_is(WEB1 "/emulator", "0-1", "");
}

/* What virsh has written since holds, and it is said; what is as found is not. */
static void test_cpus_that_somebody_has_set_since_are_left(void **state)
{
	struct unit unit;

	(void)state;
	pin_vcpu(&host, "web1", 0, "6");
	pin_vcpu(&host, "web1", 1, "7");
	settle_groups();
	place("web1");
	virsh(&host, WEB1 "/vcpu0", "3");
	virsh(&host, WEB1 "/vcpu1", "5");
	settle_groups();
	plan_back("web1", true, &unit);
	expect_why(&unit, 3, "somebody has set them since");
	unit_deinit(&unit);
	expect_back("web1", true,
		END MEMBERS "leave the CPUs of " T
			    "/vcpu0 as they are\n" UNCLAIM("nothing") RETURN
		"return the affinities of web1's threads\n" AWAY(
			"of nobody") "drop the record\n");
	expect_group_is(WEB1 "/vcpu0", "3", "");
	expect_group_is(WEB1 "/vcpu1", "5", "");
}

static void test_of_two_domains_the_others_claims_stay(void **state)
{
	(void)state;
	/* It may have had it once. */
	record_of(&host, "web1")->claimed = cpus("4-6");
	expect_back("web1", true,
		END MEMBERS "set the exclusive CPUs of " T " to nothing\n"
			    "set the exclusive CPUs of " C " to nothing\n"
			    "set the exclusive CPUs of " M
			    " to 6\n" RETURN AWAY("6") "drop the record\n");
	expect_plan("web2", "");
}

static void test_a_claim_that_is_gone_comes_back_first(void **state)
{
	(void)state;
	group_at(&host, MACHINE)->exclusive = cpus("");
	expect_back("web1", true,
		END "set the exclusive CPUs of " M " to 4-5\n" MEMBERS UNCLAIM("nothing")
			RETURN AWAY("of nobody") "drop the record\n");
}

static void test_claims_and_partitions_that_were_found_stay(void **state)
{
	struct found_vm *record = record_of(&host, "web1");

	(void)state;
	found_vm_group(record, MACHINE)->exclusive = cpus("4");
	found_vm_group(record, SCOPE("web1"))->exclusive = cpus("4");
	found_vm_group(record, WEB1)->exclusive = cpus("4");
	found_vm_group(record, WEB1 "/vcpu0")->partition = PARTITION_ISOLATED;
	expect_back("web1", true,
		END "set the partition of " T "/vcpu1 to member\n" UNCLAIM("4")
			RETURN AWAY("of nobody") "drop the record\n");
	assert_true(holds(group_at(&host, WEB1 "/vcpu0")));
}

/* libvirt has removed its groups already; what is above them is another's, too. */
static void test_a_domain_that_has_ended(void **state)
{
	const char *const paths[] = {
		WEB1 "/vcpu1", WEB1 "/vcpu0", WEB1 "/emulator", WEB1, SCOPE("web1")};

	(void)state;
	while (find_vm(&host, "web1")->n_threads)
		remove_thread(&host, "web1", find_vm(&host, "web1")->threads[0].tid);
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		assert_true(remove_group(&fake, paths[i]));
	expect_back("web1", false,
		END "set the exclusive CPUs of " M
		    " to 6\n" AWAY("6") "drop the record\n");
	expect_plan("web2", "");
}

/* Without partitions there are only CPUs to return. */
static void test_members_on_a_kernel_without_remote_partitions(void **state)
{
	(void)state;
	host.tree.remote = false;
	host.config.defaults.partition = PARTITION_MEMBER;
	pin_vcpu(&host, "web1", 0, "3");
	place("web1");
	expect_back("web1", true,
		END "set the CPUs of " T "/vcpu0 to 4\n" RETURN
		    "return the affinities of web1's threads\n" AWAY(
			    "of nobody") "drop the record\n");
}

static void test_what_others_have_claimed_by_their_groups(void **state)
{
	struct cpuset claims;

	(void)state;
	record_of(&host, "web2")->claimed = cpus("1-7");
	claims = diff_others_claims(&host.tree, host.records, host.n_records, "web1");
	expect_cpus(&claims, "6");
	claims = diff_others_claims(&host.tree, host.records, host.n_records, "web2");
	expect_cpus(&claims, "4-5");
	/* Whose groups are gone has claimed nothing. */
	group_at(&host, WEB1)->path[0] = 'M';
	tree_sort(&host.tree);
	claims = diff_others_claims(&host.tree, host.records, host.n_records, "web2");
	expect_cpus(&claims, "");
}

#define TAKE(list) \
	"take back CPUs " list ", which the kernel keeps from the host for no partition\n"

static void expect_reclaim(const char *list, const char *expected)
{
	const struct cpuset lost = cpus(list);
	struct unit unit;

	assert_int_equal(diff_reclaim(&lost, &host.tree, &unit), 0);
	expect_steps(&unit, expected);
	unit_deinit(&unit);
}

/* AllowedCPUs= of machine.slice would count as its claim: it claims something else for
 * the moment. */
static void test_lost_cpus_that_the_cpus_of_a_slice_cover(void **state)
{
	(void)state;
	virsh(&host, MACHINE, "0-7");
	host.tree.root_effective = cpus("1-3,6-7");
	expect_reclaim("4", "set the exclusive CPUs of " M " to 1\n" TAKE(
				    "4") "set the exclusive CPUs of " M " to nothing\n");
	/* What it claims by right is enough. */
	group_at(&host, MACHINE)->exclusive = cpus("6");
	group_at(&host, WEB1)->exclusive = cpus("6");
	expect_reclaim("4", TAKE("4"));
	/* It needs nothing where its CPUs are others. */
	group_at(&host, MACHINE)->exclusive = group_at(&host, WEB1)->exclusive = cpus("");
	virsh(&host, MACHINE, "0-3");
	expect_reclaim("4", TAKE("4"));
}

/* From below up, for a group cannot claim less than what is below it needs. */
static void test_lost_cpus_that_are_still_claimed(void **state)
{
	(void)state;
	expect_reclaim("5", UNCLAIM("4") TAKE("5"));
	virsh(&host, MACHINE, "0-7");
	expect_reclaim("4-5",
		"set the exclusive CPUs of " T " to nothing\n"
		"set the exclusive CPUs of " C " to nothing\n"
		"set the exclusive CPUs of " M
		" to 0\n" TAKE("4-5") "set the exclusive CPUs of " M " to nothing\n");
}

/* A claim next to the root that nothing below it has goes with the lost. */
static void test_a_claim_that_nobody_has_below(void **state)
{
	(void)state;
	group_at(&host, MACHINE)->exclusive = cpus("3-5");
	expect_reclaim("3", "set the exclusive CPUs of " M " to 4-5\n" TAKE("3"));
	group_at(&host, MACHINE)->exclusive = cpus("2-5");
	expect_reclaim("3", "set the exclusive CPUs of " M " to 4-5\n" TAKE("3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		placed(test_what_nobody_wrote_is_not_written_back),
		fresh(test_cpus_that_were_written_come_back),
		fresh(test_cpus_that_somebody_has_set_since_are_left),
		two(test_of_two_domains_the_others_claims_stay),
		placed(test_a_claim_that_is_gone_comes_back_first),
		placed(test_claims_and_partitions_that_were_found_stay),
		two(test_a_domain_that_has_ended),
		fresh(test_members_on_a_kernel_without_remote_partitions),
		two(test_what_others_have_claimed_by_their_groups),
		fresh(test_lost_cpus_that_the_cpus_of_a_slice_cover),
		placed(test_lost_cpus_that_are_still_claimed),
		placed(test_a_claim_that_nobody_has_below),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
