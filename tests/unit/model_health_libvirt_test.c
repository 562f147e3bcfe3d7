// SPDX-License-Identifier: GPL-2.0-or-later
/* Each fault of a domain in libvirt's groups has its sentence. */
#include "tests/unit/expect_fault.h"
#include "tests/unit/libvirt_host.h"

#include "tests/unit/one_host.h"

#define WEB1 TOP("web1")

static void put_partition(const char *path)
{
	group_at(&host, path)->partition.kind = PARTITION_ISOLATED;
}

/* web1 as it should be: vCPU 0 on 4, vCPU 1 on 5, the emulator pinned to 1-2, iothread 1
 * where there is room. */
static int enter(void **state)
{
	struct vm *vm;

	enter_host(state);
	host.tree.remote = true;
	add_domain(&host, "web1", 2, 1);
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "1-2");
	compute(&host);
	put_partition(WEB1 "/vcpu0");
	put_partition(WEB1 "/vcpu1");
	for (size_t i = 0; i < 3; i++)
		group_at(&host, host.tree.groups[i]->path)->exclusive = cpus("4-5");
	host.tree.root_effective = cpus("0-3,6-7");
	host.tree.isolated = cpus("4-5");
	group_at(&host, WEB1 "/iothread1")->effective = cpus("0-3,6-7");
	vm = find_vm(&host, "web1");
	for (size_t i = 0; i < vm->n_threads; i++)
		vm->threads[i].affinity =
			group_at(&host, vm->threads[i].cgroup)->effective;
	return 0;
}

static void expect_fault(const char *expected)
{
	expect_fault_of(&host, "web1", expected);
}

static void test_healthy(void **state)
{
	(void)state;
	expect_fault(NULL);
}

/* What is libvirt's to say of the groups above is no fault. */
static void test_the_top_group_may_have_any_cpus(void **state)
{
	(void)state;
	virsh(&host, WEB1, "0-7");
	virsh(&host, MACHINE, "0-6");
	expect_fault(NULL);
}

static void test_partitions(void **state)
{
	struct group *leaf = group_at(&host, WEB1 "/vcpu1");

	(void)state;
	leaf->partition.valid = false;
	expect_fault("the partition of /" WEB1
		     "/vcpu1 should be isolated and is: isolated invalid");
	leaf->partition.valid = true;
	leaf->partition.kind = PARTITION_MEMBER;
	expect_fault(
		"the partition of /" WEB1 "/vcpu1 should be isolated and is: member");
	put_partition(WEB1 "/emulator");
	expect_fault(
		"the partition of /" WEB1 "/emulator should be member and is: isolated");
	group_at(&host, WEB1 "/emulator")->has_cpuset = false;
	expect_fault("the group /" WEB1 "/emulator is missing");
}

static void test_a_claim_that_is_gone_anywhere_above(void **state)
{
	(void)state;
	group_at(&host, WEB1)->exclusive = cpus("4");
	expect_fault("the exclusive CPUs of /" WEB1 " should include 4-5 and are 4");
	group_at(&host, SCOPE("web1"))->exclusive = cpus("5-6");
	expect_fault("the exclusive CPUs of /" SCOPE(
		"web1") " should include 4-5 and are 5-6");
	group_at(&host, MACHINE)->exclusive = cpus("");
	expect_fault(
		"the exclusive CPUs of /" MACHINE " should include 4-5 and are none");
}

/* Others have claimed there, too; and what is beside does not matter. */
static void test_more_claims_than_its_own(void **state)
{
	(void)state;
	group_at(&host, MACHINE)->exclusive = cpus("3-6");
	add_libvirt_group(&host, SCOPE("web10"), GROUP_DOMAIN);
	expect_fault(NULL);
}

static void test_other_cpus_of_a_vcpu(void **state)
{
	(void)state;
	group_at(&host, WEB1 "/vcpu0")->effective = cpus("3");
	expect_fault("the effective CPUs of /" WEB1 "/vcpu0 should be 4 and are 3");
	group_at(&host, WEB1 "/vcpu0")->cpus = cpus("");
	expect_fault("the CPUs of /" WEB1 "/vcpu0 should be 4 and are none");
}

static void test_other_cpus_of_the_emulator(void **state)
{
	struct group *emulator = group_at(&host, WEB1 "/emulator");

	(void)state;
	emulator->effective = cpus("1-3");
	expect_fault(
		"the effective CPUs of /" WEB1 "/emulator should be 1-2 and are 1-3");
	emulator->effective = cpus("");
	expect_fault(
		"the effective CPUs of /" WEB1 "/emulator should be 1-2 and are none");
	emulator->cpus = cpus("1-3");
	expect_fault("the CPUs of /" WEB1 "/emulator should be 1-2 and are 1-3");
}

/* Another VM's partition has taken one of its two. */
static void test_an_emulator_may_have_less(void **state)
{
	(void)state;
	group_at(&host, WEB1 "/emulator")->effective = cpus("2");
	expect_fault("the affinity of thread 1000 (t1000) should be 2 and is 1-2");
	find_thread(&host, "web1", 1000)->affinity = cpus("2");
	expect_fault(NULL);
}

static void test_who_floats_may_not_be_on_the_vcpus_cpus(void **state)
{
	(void)state;
	find_thread(&host, "web1", 1101)->affinity = cpus("7");
	expect_fault(NULL);
	group_at(&host, WEB1 "/iothread1")->effective = cpus("7");
	expect_fault(NULL);
	/* What libvirt sets there is its own thing. */
	group_at(&host, WEB1 "/iothread1")->cpus = cpus("7");
	expect_fault(NULL);
	group_at(&host, WEB1 "/iothread1")->effective = cpus("0-4");
	expect_fault("the effective CPUs of /" WEB1
		     "/iothread1 should be 0-3,6-7 and are 0-4");
}

static void test_cpus_that_are_open_to_all_or_not_counted(void **state)
{
	(void)state;
	host.tree.isolated = cpus("4");
	expect_fault(
		"the kernel does not count CPUs 5 as isolated, whatever the partition "
		"says");
	host.tree.root_effective = cpus("0-4,6-7");
	expect_fault(
		"CPUs 4 are still open to the whole host, whatever the partition says");
}

static void test_threads_elsewhere(void **state)
{
	struct vm_thread *thread = find_thread(&host, "web1", 1002);

	(void)state;
	find_thread(&host, "web1", 1002)->affinity = cpus("4-5");
	expect_fault("the affinity of thread 1002 (t1002) should be 5 and is 4-5");
	free(thread->cgroup);
	thread->cgroup = must(strdup(WEB1 "/emulator"));
	expect_fault("thread 1002 (t1002) should be in /" WEB1 "/vcpu1 and is in /" WEB1
		     "/emulator");
}

/* With members nothing is claimed, and nothing is kept from the host. */
static void test_vcpus_without_partitions(void **state)
{
	(void)state;
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	host.tree.remote = false;
	compute(&host);
	group_at(&host, WEB1 "/vcpu0")->partition.kind = PARTITION_MEMBER;
	group_at(&host, WEB1 "/vcpu1")->partition.kind = PARTITION_MEMBER;
	group_at(&host, MACHINE)->exclusive = cpus("");
	host.tree.root_effective = cpus("0-7");
	expect_fault(NULL);
	virsh(&host, WEB1 "/vcpu1", "3");
	expect_fault("the CPUs of /" WEB1 "/vcpu1 should be 5 and are 3");
}

#define health_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		health_test(test_healthy),
		health_test(test_the_top_group_may_have_any_cpus),
		health_test(test_partitions),
		health_test(test_a_claim_that_is_gone_anywhere_above),
		health_test(test_more_claims_than_its_own),
		health_test(test_other_cpus_of_a_vcpu),
		health_test(test_other_cpus_of_the_emulator),
		health_test(test_an_emulator_may_have_less),
		health_test(test_who_floats_may_not_be_on_the_vcpus_cpus),
		health_test(test_cpus_that_are_open_to_all_or_not_counted),
		health_test(test_threads_elsewhere),
		health_test(test_vcpus_without_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
