// SPDX-License-Identifier: GPL-2.0-or-later
/* Who gets which CPU, and the sentences for those who do not. */
#include "tests/unit/one_host.h"

static void add_top(const char *name, const char *list)
{
	cleanup_free char *path = vm_group_path(name);

	add_group(&host, path, list, PARTITION_ROOT);
}

static void test_pins_are_honoured(void **state)
{
	(void)state;
	add_vm(&host, "web1", 2, 2);
	pin_vcpu(&host, "web1", 0, "4,6");
	pin_vcpu(&host, "web1", 1, "5");
	pin_iothread(&host, "web1", 2, "2");
	pin_emulator(&host, "web1", "2-3");
	compute(&host);
	expect_placed(&host, "web1");
	expect_leaf(&host, "web1", "", "2-6");
	expect_leaf(&host, "web1", "emulator", "2-3");
	expect_leaf(&host, "web1", "vcpu0", "4,6");
	expect_leaf(&host, "web1", "vcpu1", "5");
	expect_leaf(&host, "web1", "iothread2", "2");
	assert_null(wanted_group(&host, "web1", SLICE "/web1/iothread1"));
}

static void test_the_list_of_the_defaults_is_the_emulators(void **state)
{
	(void)state;
	host.config.defaults.emulator = PLACE_LIST;
	host.config.defaults.emulator_cpus = cpus("6-7");
	add_vm(&host, "web1", 1, 0);
	compute(&host);
	expect_leaf(&host, "web1", "emulator", "6-7");
	pin_emulator(&host, "web1", "5");
	compute(&host);
	expect_leaf(&host, "web1", "emulator", "5");
}

static void test_without_pins_the_lowest_free_cpus_are_chosen(void **state)
{
	(void)state;
	add_vm(&host, "a", 2, 1);
	add_vm(&host, "b", 1, 0);
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "1");
	expect_leaf(&host, "a", "vcpu1", "2");
	expect_leaf(&host, "a", "emulator", "3");
	expect_leaf(&host, "b", "vcpu0", "4");
	expect_leaf(&host, "b", "emulator", "5");
}

static void test_a_pin_is_not_chosen_for_another(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "b", 0, "1");
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "2");
	expect_leaf(&host, "a", "emulator", "3");
	expect_leaf(&host, "b", "emulator", "4");
	expect_leaf(&host, "b", "vcpu0", "1");
}

static void test_what_was_chosen_once_is_kept(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 0);
	add_top("web1", "5-6");
	add_group(&host, SLICE "/web1/emulator", "6", PARTITION_MEMBER);
	add_group(&host, SLICE "/web1/vcpu0", "5", PARTITION_ISOLATED);
	compute(&host);
	expect_leaf(&host, "web1", "emulator", "6");
	expect_leaf(&host, "web1", "vcpu0", "5");
}

/* Somebody has written all CPUs over the first one's group: the other has its own still.
 */
static void test_another_groups_cpus_do_not_move_a_vm(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	add_top("a", "1-7");
	add_group(&host, SLICE "/a/emulator", "1", PARTITION_MEMBER);
	add_group(&host, SLICE "/a/vcpu0", "2", PARTITION_ISOLATED);
	add_top("b", "3-4");
	add_group(&host, SLICE "/b/emulator", "3", PARTITION_MEMBER);
	add_group(&host, SLICE "/b/vcpu0", "4", PARTITION_ISOLATED);
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "2");
	expect_leaf(&host, "b", "emulator", "3");
	expect_leaf(&host, "b", "vcpu0", "4");
}

static void test_isolcpus_on_an_old_kernel(void **state)
{
	(void)state;
	host.topology.isolated = cpus("1-2");
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "b", 0, "2");
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "3");
	assert_non_null(strstr(wanted(&host, "b")->reason,
		"CPU 2 is isolated by the boot command line"));
	host.tree.remote = true;
	compute(&host);
	expect_placed(&host, "b");
}

/* The emulator had a pin with two CPUs, and now has none: it must not take what vCPU 0
 * has. */
static void test_who_chooses_anew_takes_nothing_from_who_keeps(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 0);
	add_top("web1", "1,6-7");
	add_group(&host, SLICE "/web1/emulator", "6-7", PARTITION_MEMBER);
	add_group(&host, SLICE "/web1/vcpu0", "1", PARTITION_ISOLATED);
	compute(&host);
	expect_leaf(&host, "web1", "emulator", "2");
	expect_leaf(&host, "web1", "vcpu0", "1");
}

static void test_what_another_holds_is_not_chosen(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "z", 1, 0);
	add_top("z", "1-2");
	add_group(&host, SLICE "/z/emulator", "1", PARTITION_MEMBER);
	add_group(&host, SLICE "/z/vcpu0", "2", PARTITION_ISOLATED);
	compute(&host);
	expect_leaf(&host, "a", "", "3-4");
	expect_leaf(&host, "z", "", "1-2");
}

static void test_one_cpu_for_two_in_a_vm(void **state)
{
	(void)state;
	add_vm(&host, "web1", 2, 1);
	pin_vcpu(&host, "web1", 0, "4-5");
	pin_vcpu(&host, "web1", 1, "5");
	compute(&host);
	expect_kept(&host, "web1",
		"CPU 5 is pinned to vCPU 0 and to vCPU 1: a vCPU's partition shares with nobody "
		"(partition = member would)");
	pin_vcpu(&host, "web1", 1, "6");
	pin_emulator(&host, "web1", "3-4");
	compute(&host);
	expect_kept(&host, "web1",
		"CPU 4 is pinned to the emulator and to vCPU 0: a vCPU's partition shares with "
		"nobody (partition = member would)");
	pin_emulator(&host, "web1", "3");
	pin_iothread(&host, "web1", 1, "6");
	compute(&host);
	expect_kept(&host, "web1",
		"CPU 6 is pinned to vCPU 1 and to iothread 1: a vCPU's partition shares with nobody "
		"(partition = member would)");
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	compute(&host);
	expect_placed(&host, "web1");
}

static void test_emulator_and_iothreads_may_share(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 2);
	pin_emulator(&host, "web1", "2-3");
	pin_iothread(&host, "web1", 1, "3");
	pin_iothread(&host, "web1", 2, "2-3");
	compute(&host);
	expect_placed(&host, "web1");
	expect_leaf(&host, "web1", "", "1-3");
}

/* VMs a and b, each with its vCPU pinned to CPU 4. */
static void add_two_for_one_cpu(void)
{
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "a", 0, "4");
	pin_vcpu(&host, "b", 0, "4");
}

static void test_of_two_new_vms_the_first_by_name_gets_the_cpu(void **state)
{
	(void)state;
	add_two_for_one_cpu();
	compute(&host);
	expect_placed(&host, "a");
	expect_kept(&host, "b", "CPU 4 is reserved by VM a");
}

static void test_who_came_first_keeps(void **state)
{
	(void)state;
	add_two_for_one_cpu();
	add_top("b", "1,4");
	compute(&host);
	expect_kept(&host, "a", "CPU 4 is reserved by VM b");
	expect_placed(&host, "b");
	/* Also when the other has a place, and was pinned to this CPU only now. */
	add_top("a", "2-3");
	compute(&host);
	expect_kept(&host, "a", "CPU 4 is reserved by VM b");
	expect_placed(&host, "b");
}

/* Whoever has a place, even another one, goes before one that has none. */
static void test_who_has_a_place_comes_before_who_is_new(void **state)
{
	(void)state;
	add_two_for_one_cpu();
	add_top("b", "1-2");
	compute(&host);
	expect_kept(&host, "a", "CPU 4 is reserved by VM b");
	expect_placed(&host, "b");
}

/* Two partitions that overlap make each other invalid: one waits until the other has let
 * go. */
static void test_a_cpu_that_another_still_holds_is_waited_for(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "a", 0, "5");
	pin_vcpu(&host, "b", 0, "6");
	add_top("a", "1,4");
	add_top("b", "2,5");
	add_group(&host, SLICE "/b/emulator", "2", PARTITION_MEMBER);
	compute(&host);
	expect_kept(&host, "a", "CPU 5 is still held by VM b");
	expect_leaf(&host, "b", "", "2,6");
	tree_find(&host.tree, SLICE "/b")->cpus = cpus("2,6");
	compute(&host);
	expect_placed(&host, "a");
}

static void test_vms_that_want_to_swap_both_stay(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "a", 0, "5");
	pin_vcpu(&host, "b", 0, "4");
	add_top("a", "1,4");
	add_top("b", "2,5");
	compute(&host);
	expect_kept(&host, "a", "CPU 5 is still held by VM b");
	expect_kept(&host, "b", "CPU 4 is still held by VM a");
}

static void test_what_a_refused_vm_holds_is_not_given_to_another(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	add_top("b", "2,5");
	pin_vcpu(&host, "b", 0, "9");
	pin_vcpu(&host, "a", 0, "5");
	compute(&host);
	expect_kept(&host, "b", "CPU 9, pinned to vCPU 0, is offline");
	expect_kept(&host, "a", "CPU 5 is still held by VM b");
}

static void test_an_offline_cpu(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 0);
	pin_emulator(&host, "web1", "7-8");
	compute(&host);
	expect_kept(&host, "web1", "CPU 8, pinned to the emulator, is offline");
}

static void test_a_housekeeping_cpu(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 1);
	pin_iothread(&host, "web1", 1, "1");
	compute(&host);
	expect_placed(&host, "web1");
	keep_house(&host, "0-1");
	compute(&host);
	expect_kept(&host, "web1", "CPU 1, pinned to iothread 1, is a housekeeping CPU");
}

/* First cores are only where policy does not choose; whoever names one gets it. */
static void test_a_first_core_can_be_pinned_and_is_not_chosen(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 0);
	pin_vcpu(&host, "web1", 0, "0");
	compute(&host);
	expect_leaf(&host, "web1", "vcpu0", "0");
	expect_leaf(&host, "web1", "emulator", "1");
	keep_house(&host, "1-2");
	compute(&host);
	expect_leaf(&host, "web1", "emulator", "3");
}

static void test_no_cpu_is_free(void **state)
{
	(void)state;
	add_vm(&host, "web1", 2, 0);
	keep_house(&host, "0-5");
	compute(&host);
	expect_kept(&host, "web1", "3 CPUs are wanted, 2 are free: 1 more would do");
}

static void test_the_host_needs_a_cpu(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	pin_emulator(&host, "a", "0-3");
	pin_vcpu(&host, "a", 0, "4");
	pin_emulator(&host, "b", "5-6");
	pin_vcpu(&host, "b", 0, "7");
	compute(&host);
	expect_placed(&host, "a");
	expect_kept(&host, "b", "no CPU would be left for the host");
	/* Whoever is there goes on. */
	add_top("b", "5-7");
	compute(&host);
	expect_kept(&host, "a", "no CPU would be left for the host");
	expect_placed(&host, "b");
}

static void test_what_a_refused_vm_holds_the_host_lacks(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	add_top("a", "0-3");
	pin_vcpu(&host, "a", 0, "9");
	pin_emulator(&host, "b", "4-6");
	pin_vcpu(&host, "b", 0, "7");
	compute(&host);
	expect_kept(&host, "b", "no CPU would be left for the host");
	tree_find(&host.tree, SLICE "/a")->cpus = cpus("1-3");
	compute(&host);
	expect_placed(&host, "b");
}

static void test_the_host_needs_a_cpu_also_while_a_vm_moves(void **state)
{
	(void)state;
	add_vm(&host, "web1", 1, 0);
	add_top("web1", "0-3");
	pin_emulator(&host, "web1", "4-6");
	pin_vcpu(&host, "web1", 0, "7");
	compute(&host);
	expect_kept(&host, "web1", "no CPU would be left for the host");
	pin_emulator(&host, "web1", "4-5");
	compute(&host);
	expect_placed(&host, "web1");
}

static void test_a_vm_without_vcpus(void **state)
{
	(void)state;
	add_vm(&host, "web1", 0, 0);
	compute(&host);
	expect_kept(&host, "web1", "no vCPU thread was found: is it still starting?");
	find_vm(&host, "web1")->problem = must(strdup("its monitor is busy"));
	compute(&host);
	expect_kept(&host, "web1", "no vCPU thread was found: its monitor is busy");
}

static void test_an_emulator_on_housekeeping(void **state)
{
	(void)state;
	host.config.defaults.emulator = PLACE_HOUSEKEEPING;
	add_vm(&host, "web1", 1, 1);
	compute(&host);
	assert_int_equal(wanted(&host, "web1")->kind, DESIRED_KEPT);
	assert_non_null(strstr(wanted(&host, "web1")->reason, "Linux 6.7"));
	host.tree.remote = true;
	compute(&host);
	expect_placed(&host, "web1");
	assert_int_equal(wanted(&host, "web1")->scheme, SCHEME_LEAVES);
	expect_leaf(&host, "web1", "", "0-1");
	expect_leaf(&host, "web1", "vcpu0", "1");
	expect_leaf(&host, "web1", "emulator", "0");
	expect_cpus(&wanted(&host, "web1")->reserved, "1");
	wish(&host, "web1")->policy.iothreads = PLACE_OWN;
	compute(&host);
	assert_non_null(strstr(wanted(&host, "web1")->reason, "either all"));
	wish(&host, "web1")->policy.iothreads = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_leaf(&host, "web1", "iothread1", "0");
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	compute(&host);
	assert_non_null(strstr(wanted(&host, "web1")->reason, "partition = member"));
	wish(&host, "web1")->policy = host.config.defaults;
	pin_emulator(&host, "web1", "3");
	compute(&host);
	expect_placed(&host, "web1");
}

static void test_the_first_of_several_faults_is_told(void **state)
{
	(void)state;
	add_vm(&host, "web1", 0, 0);
	pin_emulator(&host, "web1", "9");
	compute(&host);
	expect_kept(&host, "web1", "no vCPU thread was found: is it still starting?");
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter_host, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_pins_are_honoured),
		claims_test(test_the_list_of_the_defaults_is_the_emulators),
		claims_test(test_without_pins_the_lowest_free_cpus_are_chosen),
		claims_test(test_a_pin_is_not_chosen_for_another),
		claims_test(test_what_was_chosen_once_is_kept),
		claims_test(test_isolcpus_on_an_old_kernel),
		claims_test(test_another_groups_cpus_do_not_move_a_vm),
		claims_test(test_who_chooses_anew_takes_nothing_from_who_keeps),
		claims_test(test_what_another_holds_is_not_chosen),
		claims_test(test_one_cpu_for_two_in_a_vm),
		claims_test(test_emulator_and_iothreads_may_share),
		claims_test(test_of_two_new_vms_the_first_by_name_gets_the_cpu),
		claims_test(test_who_came_first_keeps),
		claims_test(test_who_has_a_place_comes_before_who_is_new),
		claims_test(test_a_cpu_that_another_still_holds_is_waited_for),
		claims_test(test_vms_that_want_to_swap_both_stay),
		claims_test(test_what_a_refused_vm_holds_is_not_given_to_another),
		claims_test(test_an_offline_cpu),
		claims_test(test_a_housekeeping_cpu),
		claims_test(test_a_first_core_can_be_pinned_and_is_not_chosen),
		claims_test(test_no_cpu_is_free),
		claims_test(test_the_host_needs_a_cpu),
		claims_test(test_what_a_refused_vm_holds_the_host_lacks),
		claims_test(test_the_host_needs_a_cpu_also_while_a_vm_moves),
		claims_test(test_a_vm_without_vcpus),
		claims_test(test_an_emulator_on_housekeeping),
		claims_test(test_the_first_of_several_faults_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
