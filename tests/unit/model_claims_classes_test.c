// SPDX-License-Identifier: GPL-2.0-or-later
/* Classes of VMs that share CPUs: which these are, who is in, who is not. */
#include "tests/unit/libvirt_host.h"
#include "tests/unit/settled_host.h"

#include "tests/unit/one_host.h"

#define GOLD SLICE "/cpuwarden-gold.slice"

/* The section of gold; with an empty list it gets as many as its VMs need. */
static void put_gold(const char *list, unsigned int overcommit)
{
	struct vm_class *class = host.config.classes;

	if (!class)
		class = must(array_push(&host.config.classes, &host.config.n_classes));
	*class = (struct vm_class){.name = "gold",
		.has_cpus = *list,
		.cpus = cpus(list),
		.overcommit = overcommit};
}

/* CPUs 0-7, of which policy does not choose 0; all VMs are of the class gold. */
static int enter(void **state)
{
	enter_host(state);
	host.config.defaults.kind = POLICY_SHARED;
	strcpy(host.config.defaults.class, "gold");
	put_gold("", OVERCOMMIT_DEFAULT);
	return 0;
}

static void expect_class(const char *list)
{
	assert_int_equal(host.desired.n_classes, 1);
	assert_string_equal(host.desired.classes[0].path, GOLD);
	expect_cpus(&host.desired.classes[0].cpus, list);
}

static void expect_at(const char *vm, const char *leaf, const char *list)
{
	char path[256];

	snprintf(path, sizeof(path), GOLD "/%s/%s", vm, leaf);
	expect_group(&host, vm, path, list);
}

static void test_named_cpus(void **state)
{
	(void)state;
	put_gold("3-5", 100);
	add_vm(&host, "a", 2, 1);
	compute(&host);
	expect_class("3-5");
	expect_at("a", "emulator", "3-5");
	expect_at("a", "vcpu1", "3-5");
	assert_null(wanted_group(&host, "a", GOLD "/a/iothread1"));
	expect_cpus(&wanted(&host, "a")->reserved, "");
	assert_int_equal(wanted(&host, "a")->groups[0].partition, PARTITION_MEMBER);
}

static void test_named_cpus_that_cannot_be_had(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	put_gold("3,9", 400);
	compute(&host);
	expect_kept(&host, "a", "CPU 9 of class gold is offline");
	keep_house(&host, "3");
	put_gold("3-4", 400);
	compute(&host);
	expect_kept(&host, "a", "CPU 3 of class gold is a housekeeping CPU");
	host.config.has_housekeeping = false;
	add_vm(&host, "d", 1, 0);
	wish(&host, "d")->policy.kind = POLICY_DEDICATED;
	pin_vcpu(&host, "d", 0, "4");
	pin_emulator(&host, "d", "5");
	compute(&host);
	/* Both are new: classes go before pins. */
	expect_placed(&host, "a");
	expect_kept(&host, "d", "CPU 4 is reserved by class gold");
	put_gold("1", 400);
	compute(&host);
	expect_placed(&host, "d");
	carry_out(&host);
	put_gold("1,4", 400);
	compute(&host);
	expect_kept(&host, "a", "CPU 4 of class gold is reserved by VM d");
	/* It is given up, and not yet. */
	pin_vcpu(&host, "d", 0, "7");
	compute(&host);
	expect_kept(&host, "a", "CPU 4 of class gold is still held by VM d");
	assert_int_equal(host.desired.n_classes, 0);
}

static void test_a_class_whose_vms_are_refused_takes_nothing(void **state)
{
	(void)state;
	put_gold("1-6", 400);
	add_vm(&host, "a", 1, 0);
	pin_emulator(&host, "a", "7");
	add_vm(&host, "d", 3, 0);
	wish(&host, "d")->policy.kind = POLICY_DEDICATED;
	compute(&host);
	expect_kept(&host, "a",
		"the emulator of a VM with policy = shared runs on the CPUs of its class, and "
		"cannot be pinned");
	expect_leaf(&host, "d", "", "1-4");
	assert_int_equal(host.desired.n_classes, 0);
}

static void test_as_many_as_overcommit_asks_for(void **state)
{
	(void)state;
	add_vm(&host, "a", 4, 0);
	compute(&host);
	expect_class("1");
	add_vm(&host, "b", 1, 0);
	compute(&host);
	expect_class("1-2");
	put_gold("", 150);
	compute(&host);
	expect_class("1-4");
	put_gold("", 10000);
	compute(&host);
	expect_class("1");
}

static void test_growth_keeps_what_is_there(void **state)
{
	(void)state;
	put_gold("", 100);
	add_vm(&host, "b", 1, 0);
	add_vm(&host, "x", 1, 0);
	wish(&host, "x")->policy.kind = POLICY_DEDICATED;
	compute(&host);
	carry_out(&host);
	expect_class("1");
	expect_leaf(&host, "x", "", "2-3");
	add_vm(&host, "a", 2, 0);
	compute(&host);
	expect_class("1,4-5");
	expect_at("b", "vcpu0", "1,4-5");
	expect_leaf(&host, "x", "", "2-3");
	carry_out(&host);
	/* And what is not needed goes back, of that which its VMs run on nothing else. */
	end_vm(&host, "b");
	compute(&host);
	expect_class("1,4");
	carry_out(&host);
	compute(&host);
	expect_class("1,4");
	end_vm(&host, "a");
	compute(&host);
	assert_int_equal(host.desired.n_classes, 0);
}

/* The CPU that a single vCPU had alone is lower than that on which the others run. */
static void test_who_shares_does_not_move_when_another_goes(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	cpuset_add(&wish(&host, "a")->policy.dedicated, 0);
	pin_vcpu(&host, "a", 0, "1");
	add_vm(&host, "b", 1, 0);
	compute(&host);
	expect_at("a", "vcpu0", "1");
	expect_at("b", "vcpu0", "2");
	carry_out(&host);
	end_vm(&host, "a");
	compute(&host);
	expect_class("2");
}

static void test_a_vm_too_many(void **state)
{
	(void)state;
	put_gold("1", 150);
	add_vm(&host, "b", 1, 0);
	compute(&host);
	carry_out(&host);
	add_vm(&host, "a", 1, 0);
	compute(&host);
	expect_placed(&host, "b");
	expect_kept(&host, "a",
		"class gold has 1 CPU by its section, and for 2 vCPUs it would need 2 "
		"(overcommit = 1.50)");
	/* A smaller one still fits. */
	put_gold("1", 250);
	add_vm(&host, "c", 2, 0);
	compute(&host);
	expect_placed(&host, "a");
	expect_kept(&host, "c",
		"class gold has 1 CPU by its section, and for 4 vCPUs it would need 2 "
		"(overcommit = 2.50)");
}

/* What the class got for the VM it gives back. */
static void test_a_vm_too_many_for_the_host(void **state)
{
	(void)state;
	put_gold("", 100);
	host.config.has_reserved = true;
	host.config.reserved = cpus("1-4");
	add_vm(&host, "a", 5, 0);
	add_vm(&host, "d", 2, 0);
	wish(&host, "d")->policy.kind = POLICY_DEDICATED;
	compute(&host);
	expect_kept(&host, "a",
		"class gold has 4 CPUs and no other is free, and for 5 vCPUs it would "
		"need 5 (overcommit = 1.00)");
	expect_leaf(&host, "d", "", "1-3");
}

static void test_vcpus_of_their_own(void **state)
{
	(void)state;
	add_vm(&host, "a", 4, 0);
	cpuset_add(&wish(&host, "a")->policy.dedicated, 1);
	pin_vcpu(&host, "a", 3, "6-7");
	compute(&host);
	expect_class("1-2,6-7");
	expect_at("a", "vcpu0", "1");
	expect_at("a", "vcpu1", "2");
	expect_at("a", "vcpu2", "1");
	expect_at("a", "vcpu3", "6-7");
	expect_cpus(&wanted(&host, "a")->reserved, "2,6-7");
	carry_out(&host);
	add_vm(&host, "b", 2, 0);
	pin_vcpu(&host, "b", 0, "7");
	compute(&host);
	expect_kept(&host, "b", "CPU 7 is reserved by VM a");
	expect_class("1-2,6-7");
	/* Nor is what is shared for one alone. */
	pin_vcpu(&host, "b", 0, "1");
	compute(&host);
	expect_kept(&host, "b", "CPU 1 is reserved by class gold");
	pin_vcpu(&host, "a", 0, "1");
	compute(&host);
	expect_kept(&host, "a", "CPU 1 is reserved by class gold");
}

static void test_a_vcpu_and_a_pin_for_one_cpu(void **state)
{
	(void)state;
	add_vm(&host, "a", 2, 0);
	pin_vcpu(&host, "a", 0, "4-5");
	pin_vcpu(&host, "a", 1, "5");
	compute(&host);
	expect_kept(&host, "a",
		"CPU 5 is pinned to vCPU 0 and to vCPU 1: a vCPU's partition shares with nobody "
		"(partition = member would)");
}

static void test_two_classes(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	strcpy(wish(&host, "b")->policy.class, "best");
	compute(&host);
	expect_kept(
		&host, "b", "its class is best, and there is no section [class best]");
	/* Ascending by name, as the reader leaves them. */
	must(array_push(&host.config.classes, &host.config.n_classes));
	host.config.classes[1] = host.config.classes[0];
	strcpy(host.config.classes[0].name, "best");
	compute(&host);
	assert_int_equal(host.desired.n_classes, 2);
	expect_cpus(&host.desired.classes[0].cpus, "1");
	expect_cpus(&host.desired.classes[1].cpus, "2");
	expect_at("a", "vcpu0", "2");
	expect_group(&host, "b", SLICE "/cpuwarden-best.slice/b/vcpu0", "1");
}

static void test_the_host_keeps_a_cpu_and_who_is_there_its_own(void **state)
{
	(void)state;
	add_vm(&host, "d", 1, 0);
	wish(&host, "d")->policy.kind = POLICY_DEDICATED;
	compute(&host);
	carry_out(&host);
	add_vm(&host, "a", 1, 0);
	put_gold("0,3-7", 400);
	compute(&host);
	expect_kept(&host, "a", "no CPU would be left for the host");
	expect_leaf(&host, "d", "", "1-2");
	put_gold("3-7", 400);
	compute(&host);
	expect_placed(&host, "a");
}

static void test_a_vm_of_libvirts_cannot_share(void **state)
{
	(void)state;
	host.tree.remote = true;
	add_domain(&host, "d", 1, 0);
	compute(&host);
	expect_kept(&host, "d",
		"policy = shared puts a VM's groups below its class's, and these are libvirt's: "
		"policy = dedicated, or pins to CPUs of your choice in its <cputune> with policy = "
		"observe, leave them where they are");
	assert_int_equal(host.desired.n_classes, 0);
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_named_cpus),
		claims_test(test_named_cpus_that_cannot_be_had),
		claims_test(test_a_class_whose_vms_are_refused_takes_nothing),
		claims_test(test_as_many_as_overcommit_asks_for),
		claims_test(test_growth_keeps_what_is_there),
		claims_test(test_who_shares_does_not_move_when_another_goes),
		claims_test(test_a_vm_too_many),
		claims_test(test_a_vm_too_many_for_the_host),
		claims_test(test_vcpus_of_their_own),
		claims_test(test_a_vcpu_and_a_pin_for_one_cpu),
		claims_test(test_two_classes),
		claims_test(test_the_host_keeps_a_cpu_and_who_is_there_its_own),
		claims_test(test_a_vm_of_libvirts_cannot_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
