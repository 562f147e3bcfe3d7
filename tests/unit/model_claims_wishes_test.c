// SPDX-License-Identifier: GPL-2.0-or-later
/* What a VM's policy asks of the choice: nodes, siblings, places of its other threads. */
#include "tests/unit/hosts.h"
#include "tests/unit/libvirt_host.h"
#include "tests/unit/settled_host.h"

#include "tests/unit/one_host.h"

/*
 * Two nodes of four cores with two threads each. Node 0: CPUs 0-3, their siblings 8-11;
 * node 1: 4-7 and 12-15. Policy does not choose 0, 8, 4 and 12.
 */
static int enter(void **state)
{
	(void)state;
	host_init(&host, "0-15", "0");
	host.topology = topology_build(1, 2, 1, 4, 2, THREADS_LAST);
	host.tree.remote = true;
	return 0;
}

static struct policy *policy_of(const char *name)
{
	return &wish(&host, name)->policy;
}

static void expect_reason_has(const char *name, const char *part)
{
	assert_int_equal(wanted(&host, name)->kind, DESIRED_KEPT);
	if (!strstr(wanted(&host, name)->reason, part))
		fail_msg("%s", wanted(&host, name)->reason);
}

static void test_numa_single(void **state)
{
	(void)state;
	add_vm(&host, "a", 4, 0);
	policy_of("a")->numa = NUMA_SINGLE;
	compute(&host);
	expect_leaf(&host, "a", "", "1-3,9-10");
	add_vm(&host, "b", 6, 0);
	compute(&host);
	expect_leaf(&host, "b", "", "5-7,11,13-15");
	policy_of("b")->numa = NUMA_SINGLE;
	compute(&host);
	expect_reason_has("b",
		"7 CPUs are wanted within one node (numa = single), the most that a node has "
		"free is 6 (node 1)");
}

/* It counts also for who runs, and that one stays. */
static void test_numa_single_of_one_that_runs_in_two_nodes(void **state)
{
	(void)state;
	add_vm(&host, "b", 7, 0);
	compute(&host);
	carry_out(&host);
	policy_of("b")->numa = NUMA_SINGLE;
	compute(&host);
	expect_reason_has("b", "numa = single");
}

static void test_smt_isolate_holds_the_siblings(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	policy_of("a")->smt = SMT_ISOLATE;
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "1");
	expect_leaf(&host, "a", "emulator", "2");
	expect_leaf(&host, "a", "", "1-2,9");
	expect_cpus(&wanted(&host, "a")->reserved, "1-2,9");
	expect_cpus(&wanted(&host, "a")->rules.owned, "2,9");
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "b", 0, "9");
	compute(&host);
	/* Both are new, and a pin goes before what is chosen. */
	expect_leaf(&host, "a", "", "1-2,10");
	end_vm(&host, "b");
	compute(&host);
	carry_out(&host);
	compute(&host);
	expect_leaf(&host, "a", "", "1-2,9");
	/* By now it is there, and holds the sibling as well. */
	add_vm(&host, "b", 1, 0);
	compute(&host);
	expect_kept(&host, "b", "CPU 9 is reserved by VM a");
	expect_leaf(&host, "a", "", "1-2,9");
}

static void test_smt_require_fills_cores(void **state)
{
	(void)state;
	add_vm(&host, "a", 2, 0);
	policy_of("a")->smt = SMT_REQUIRE;
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "1");
	expect_leaf(&host, "a", "vcpu1", "9");
	expect_leaf(&host, "a", "emulator", "2");
	expect_leaf(&host, "a", "", "1-2,9-10");
	carry_out(&host);
	compute(&host);
	expect_leaf(&host, "a", "", "1-2,9-10");
	/* With less asked for nothing is kept idle. */
	policy_of("a")->smt = SMT_PREFER;
	compute(&host);
	expect_leaf(&host, "a", "", "1-2,9");
}

static void test_idle_siblings_where_no_group_can_hold_them(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	policy_of("a")->smt = SMT_ISOLATE;
	policy_of("a")->emulator = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_kept(&host, "a",
		"smt = isolate keeps CPU 9 idle beside a vCPU, and no group can hold it where the "
		"VM is not in a partition of its own (emulator = own)");
	add_domain(&host, "d", 1, 0);
	policy_of("d")->smt = SMT_REQUIRE;
	compute(&host);
	expect_kept(&host, "d",
		"smt = require keeps CPU 9 idle beside a vCPU, and no group can hold it where the "
		"groups are libvirt's");
	/* Two vCPUs fill the core. */
	policy_of("a")->smt = SMT_REQUIRE;
	add_thread(&host, "a", THREAD_VCPU, 1, 1002);
	end_vm(&host, "d");
	compute(&host);
	expect_cpus(&wanted(&host, "a")->reserved, "1,9");
}

static void test_an_idle_sibling_that_becomes_housekeeping(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	policy_of("a")->smt = SMT_ISOLATE;
	compute(&host);
	carry_out(&host);
	keep_house(&host, "0,9");
	compute(&host);
	expect_kept(&host, "a",
		"CPU 9, which is kept idle beside a vCPU, is a housekeeping CPU by now: `cpuwarden "
		"apply --rebalance` gives the VM others");
}

/* vCPUs 0 and 1 are siblings in the guest, and so are 2 and 3. */
static void test_the_guests_siblings_are_siblings(void **state)
{
	(void)state;
	add_vm(&host, "a", 4, 0);
	find_vm(&host, "a")->smp = (struct guest_smp){1, 1, 2, 2};
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "1");
	expect_leaf(&host, "a", "vcpu1", "9");
	expect_leaf(&host, "a", "vcpu2", "2");
	expect_leaf(&host, "a", "vcpu3", "10");
	/* Where one of them is pinned, the other goes beside it. */
	pin_vcpu(&host, "a", 2, "13");
	compute(&host);
	expect_leaf(&host, "a", "vcpu3", "5");
}

static void test_places_of_the_emulator(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 1);
	compute(&host);
	expect_leaf(&host, "a", "emulator", "9");
	policy_of("a")->emulator = PLACE_LIST;
	policy_of("a")->emulator_cpus = cpus("6-7");
	compute(&host);
	expect_leaf(&host, "a", "emulator", "6-7");
	policy_of("a")->emulator = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_leaf(&host, "a", "emulator", "0,4,8,12");
	/* What of that a VM has is nobody else's. */
	add_vm(&host, "b", 1, 0);
	pin_vcpu(&host, "b", 0, "0");
	compute(&host);
	expect_leaf(&host, "a", "emulator", "4,8,12");
	pin_vcpu(&host, "b", 0, "0,4,8,12");
	compute(&host);
	expect_kept(&host, "a", "all housekeeping CPUs are reserved by VMs");
}

/* A class has CPUs, too. */
static void test_housekeeping_that_a_class_has(void **state)
{
	struct vm_class *gold =
		must(array_push(&host.config.classes, &host.config.n_classes));

	(void)state;
	*gold = (struct vm_class){
		.name = "gold", .has_cpus = true, .cpus = cpus("0,8"), .overcommit = 400};
	add_vm(&host, "a", 1, 0);
	policy_of("a")->emulator = PLACE_HOUSEKEEPING;
	add_vm(&host, "b", 1, 0);
	policy_of("b")->kind = POLICY_SHARED;
	strcpy(policy_of("b")->class, "gold");
	compute(&host);
	expect_placed(&host, "b");
	expect_leaf(&host, "a", "emulator", "4,12");
}

static void test_places_of_iothreads(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 1);
	compute(&host);
	assert_null(wanted_group(&host, "a", SLICE "/a/iothread1"));
	policy_of("a")->iothreads = PLACE_OWN;
	compute(&host);
	expect_leaf(&host, "a", "vcpu0", "1");
	expect_leaf(&host, "a", "emulator", "9");
	expect_leaf(&host, "a", "iothread1", "2");
	policy_of("a")->iothreads = PLACE_LIST;
	policy_of("a")->iothread_cpus = cpus("3,11");
	compute(&host);
	expect_leaf(&host, "a", "iothread1", "3,11");
	pin_iothread(&host, "a", 1, "7");
	compute(&host);
	expect_leaf(&host, "a", "iothread1", "7");
	wish(&host, "a")->n_iothread_pins = 0;
	policy_of("a")->iothreads = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_kept(&host, "a",
		"of the emulator and the iothreads either all are on housekeeping CPUs or none is: "
		"iothreads = emulator puts them together");
	policy_of("a")->emulator = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_leaf(&host, "a", "iothread1", "0,4,8,12");
}

#define DOMAIN TOP("d")

/* libvirt's other threads stay where libvirt has them, unless somebody names CPUs. */
static void test_places_in_groups_of_libvirts(void **state)
{
	(void)state;
	add_domain(&host, "d", 1, 1);
	compute(&host);
	expect_group(&host, "d", DOMAIN "/vcpu0", "1");
	expect_group(&host, "d", DOMAIN "/emulator", "0,2-15");
	expect_group(&host, "d", DOMAIN "/iothread1", "0,2-15");
	policy_of("d")->emulator = PLACE_HOUSEKEEPING;
	policy_of("d")->iothreads = PLACE_LIST;
	policy_of("d")->iothread_cpus = cpus("6-7");
	compute(&host);
	expect_group(&host, "d", DOMAIN "/emulator", "0,4,8,12");
	expect_group(&host, "d", DOMAIN "/iothread1", "6-7");
	expect_cpus(&wanted(&host, "d")->reserved, "1");
	/* Its own word goes before policy's. */
	virsh(&host, DOMAIN "/emulator", "3");
	compute(&host);
	expect_group(&host, "d", DOMAIN "/emulator", "3");
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_numa_single),
		claims_test(test_numa_single_of_one_that_runs_in_two_nodes),
		claims_test(test_smt_isolate_holds_the_siblings),
		claims_test(test_smt_require_fills_cores),
		claims_test(test_idle_siblings_where_no_group_can_hold_them),
		claims_test(test_an_idle_sibling_that_becomes_housekeeping),
		claims_test(test_the_guests_siblings_are_siblings),
		claims_test(test_places_of_the_emulator),
		claims_test(test_housekeeping_that_a_class_has),
		claims_test(test_places_of_iothreads),
		claims_test(test_places_in_groups_of_libvirts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
