// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is there already goes before who comes; and which CPUs there are to be given. */
#include "tests/unit/settled_host.h"
#include "user/model/pools.h"

#include "tests/unit/one_host.h"

/* A VM with one vCPU that runs: the vCPU has CPU 1, the emulator 2. */
static void add_running(const char *name)
{
	add_vm(&host, name, 1, 0);
	compute(&host);
	carry_out(&host);
	expect_leaf(&host, name, "vcpu0", "1");
	expect_leaf(&host, name, "emulator", "2");
}

static void test_anothers_pin_moves_nobody(void **state)
{
	(void)state;
	add_running("x");
	add_vm(&host, "a", 1, 0);
	pin_vcpu(&host, "a", 0, "2");
	compute(&host);
	expect_kept(&host, "a", "CPU 2 is reserved by VM x");
	expect_leaf(&host, "x", "", "1-2");
}

static void test_the_pin_of_one_that_runs_moves_nobody_either(void **state)
{
	(void)state;
	add_running("x");
	add_vm(&host, "a", 1, 0);
	compute(&host);
	carry_out(&host);
	pin_vcpu(&host, "a", 0, "1");
	compute(&host);
	expect_kept(&host, "a", "CPU 1 is reserved by VM x");
	expect_leaf(&host, "x", "", "1-2");
}

static void test_a_new_vm_moves_nobody(void **state)
{
	(void)state;
	add_running("x");
	add_vm(&host, "a", 4, 0);
	compute(&host);
	expect_leaf(&host, "a", "", "3-7");
	expect_leaf(&host, "x", "", "1-2");
	carry_out(&host);
	add_vm(&host, "b", 1, 0);
	compute(&host);
	expect_kept(&host, "b", "2 CPUs are wanted, 0 are free: 2 more would do");
}

static void test_housekeeping_that_is_declared_later(void **state)
{
	(void)state;
	add_running("x");
	keep_house(&host, "0-1");
	compute(&host);
	expect_kept(&host, "x",
		"CPU 1, which vCPU 0 has, is a housekeeping CPU by now: `cpuwarden apply "
		"--rebalance` gives it another");
	compute_asking(&host, true, NULL);
	expect_placed(&host, "x");
	expect_leaf(&host, "x", "vcpu0", "3");
	expect_leaf(&host, "x", "emulator", "2");
}

static void test_reserved_cpus_that_are_declared_later_move_nobody(void **state)
{
	(void)state;
	add_running("x");
	host.config.has_reserved = true;
	host.config.reserved = cpus("1-4");
	compute(&host);
	expect_leaf(&host, "x", "", "1-2");
	host.config.reserved = cpus("3-4");
	compute(&host);
	assert_int_equal(wanted(&host, "x")->kind, DESIRED_KEPT);
	assert_non_null(strstr(wanted(&host, "x")->reason, "--rebalance"));
}

/* Of one that was chosen and one that was pinned both keep what they have. */
static void test_a_config_that_says_what_is_there_changes_nothing(void **state)
{
	(void)state;
	add_running("x");
	pin_vcpu(&host, "x", 0, "1");
	pin_emulator(&host, "x", "2");
	compute(&host);
	expect_leaf(&host, "x", "", "1-2");
	forget_wishes(&host);
	compute(&host);
	expect_leaf(&host, "x", "vcpu0", "1");
	expect_leaf(&host, "x", "emulator", "2");
}

/* It had a pin granted, and no place for the rest: the pin binds nobody else. */
static void test_a_refused_vm_keeps_nothing_from_others(void **state)
{
	(void)state;
	add_vm(&host, "a", 7, 0);
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "a", 0, "4");
	pin_vcpu(&host, "b", 0, "4");
	compute(&host);
	expect_kept(&host, "a", "7 CPUs are wanted, 6 are free: 1 more would do");
	expect_leaf(&host, "b", "vcpu0", "4");
}

/* a waits for CPUs that the next VM takes as long as a has not been refused for them. */
static void test_a_refused_vm_gives_way_also_to_who_comes_later(void **state)
{
	(void)state;
	add_vm(&host, "a", 2, 0);
	add_vm(&host, "b", 5, 0);
	pin_vcpu(&host, "a", 0, "9");
	compute(&host);
	expect_kept(&host, "a", "CPU 9, pinned to vCPU 0, is offline");
	expect_leaf(&host, "b", "", "1-6");
}

/* Dedicated until now, and refused as what it is to be: it stays, and so do its CPUs. */
static void test_a_vm_that_cannot_change_its_kind_still_holds_its_cpus(void **state)
{
	(void)state;
	add_running("x");
	wish(&host, "x")->policy.kind = POLICY_SHARED;
	pin_emulator(&host, "x", "7");
	add_vm(&host, "a", 1, 0);
	pin_vcpu(&host, "a", 0, "1");
	compute(&host);
	assert_int_equal(wanted(&host, "x")->kind, DESIRED_KEPT);
	expect_kept(&host, "a", "CPU 1 is still held by VM x");
	/* As soon as it can, that is cleared away first. */
	wish(&host, "x")->has_emulator_pin = false;
	compute(&host);
	expect_placed(&host, "x");
	expect_placed(&host, "a");
}

static void test_the_emulator_goes_to_housekeeping_and_the_vcpu_stays(void **state)
{
	(void)state;
	host.tree.remote = true;
	add_running("x");
	wish(&host, "x")->policy.emulator = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_leaf(&host, "x", "vcpu0", "1");
	expect_leaf(&host, "x", "emulator", "0");
	carry_out(&host);
	compute(&host);
	expect_leaf(&host, "x", "vcpu0", "1");
	wish(&host, "x")->policy.emulator = PLACE_OWN;
	compute(&host);
	expect_leaf(&host, "x", "vcpu0", "1");
	expect_leaf(&host, "x", "emulator", "2");
}

/* Pools --------------------------------------------------------------------------------
 */

static void expect_pools(
	const char *housekeeping, const char *forbidden, const char *given)
{
	const struct pools pools = pools_of(&host.config, &host.topology);

	expect_cpus(&pools.housekeeping, housekeeping);
	expect_cpus(&pools.forbidden, forbidden);
	expect_cpus(&pools.given, given);
}

static void test_pools(void **state)
{
	(void)state;
	expect_pools("0", "", "1-7");
	host.config.has_reserved = true;
	host.config.reserved = cpus("2-5");
	expect_pools("0-1,6-7", "0-1,6-7", "2-5");
	keep_house(&host, "0-2");
	expect_pools("0-2", "0-2", "3-5");
	host.config.has_reserved = false;
	expect_pools("0-2", "0-2", "3-7");
	keep_house(&host, "0,9");
	expect_pools("0", "0,9", "1-7");
}

/* What is neither housekeeping nor reserved nobody is given, and yet it can be named. */
static void test_between_housekeeping_and_reserved(void **state)
{
	(void)state;
	keep_house(&host, "0");
	host.config.has_reserved = true;
	host.config.reserved = cpus("6-7");
	add_vm(&host, "a", 1, 0);
	compute(&host);
	expect_leaf(&host, "a", "", "6-7");
	pin_vcpu(&host, "a", 0, "3");
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "3");
	pin_vcpu(&host, "a", 0, "0");
	compute(&host);
	expect_kept(&host, "a", "CPU 0, pinned to vCPU 0, is a housekeeping CPU");
}

static void test_only_reserved_cpus_are_given(void **state)
{
	(void)state;
	host.config.has_reserved = true;
	host.config.reserved = cpus("5-6");
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	compute(&host);
	expect_leaf(&host, "a", "", "5-6");
	expect_kept(&host, "b", "2 CPUs are wanted, 0 are free: 2 more would do");
	pin_vcpu(&host, "b", 0, "4");
	compute(&host);
	expect_kept(&host, "b", "CPU 4, pinned to vCPU 0, is a housekeeping CPU");
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter_host, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_anothers_pin_moves_nobody),
		claims_test(test_the_pin_of_one_that_runs_moves_nobody_either),
		claims_test(test_a_new_vm_moves_nobody),
		claims_test(test_housekeeping_that_is_declared_later),
		claims_test(test_reserved_cpus_that_are_declared_later_move_nobody),
		claims_test(test_a_config_that_says_what_is_there_changes_nothing),
		claims_test(test_a_refused_vm_keeps_nothing_from_others),
		claims_test(test_a_refused_vm_gives_way_also_to_who_comes_later),
		claims_test(test_a_vm_that_cannot_change_its_kind_still_holds_its_cpus),
		claims_test(test_the_emulator_goes_to_housekeeping_and_the_vcpu_stays),
		claims_test(test_pools),
		claims_test(test_between_housekeeping_and_reserved),
		claims_test(test_only_reserved_cpus_are_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
