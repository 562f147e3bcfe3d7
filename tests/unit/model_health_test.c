// SPDX-License-Identifier: GPL-2.0-or-later
/* Each fault has its sentence, and the first of several is told: partition, CPUs, root,
 * threads. */
#include "tests/unit/expect_fault.h"

#include "tests/unit/one_host.h"

/* web1 as it should be: emulator on 1, vCPU 0 on 2. */
static int enter(void **state)
{
	struct group *top;
	struct vm *vm;

	(void)state;
	host_init(&host, "0-3", "0");
	add_vm(&host, "web1", 1, 0);
	pin_emulator(&host, "web1", "1");
	compute(&host);
	add_group(&host, SLICE, "1-2", PARTITION_ROOT)->effective = cpus("");
	add_group(&host, SLICE "/web1", "1-2", PARTITION_ROOT);
	add_group(&host, SLICE "/web1/emulator", "1", PARTITION_MEMBER);
	add_group(&host, SLICE "/web1/vcpu0", "2", PARTITION_ISOLATED);
	top = tree_find(&host.tree, SLICE "/web1");
	top->effective = cpus("1");
	host.tree.root_effective = cpus("0,3");
	host.tree.isolated = cpus("2");
	vm = find_vm(&host, "web1");
	for (size_t i = 0; i < vm->n_threads; i++) {
		bool vcpu = vm->threads[i].class == THREAD_VCPU;

		free(vm->threads[i].cgroup);
		vm->threads[i].cgroup =
			must(strdup(vcpu ? SLICE "/web1/vcpu0" : SLICE "/web1/emulator"));
		vm->threads[i].affinity = cpus(vcpu ? "2" : "1");
	}
	return 0;
}

static struct group *group(const char *path)
{
	return must(tree_find(&host.tree, path));
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

static void test_an_invalid_partition_with_and_without_the_kernels_reason(void **state)
{
	struct group *leaf = group(SLICE "/web1/vcpu0");

	(void)state;
	leaf->partition.valid = false;
	expect_fault("the partition of /" SLICE
		     "/web1/vcpu0 should be isolated and is: isolated invalid");
	snprintf(leaf->partition.reason, sizeof(leaf->partition.reason),
		"No cpu available due to hotplug");
	expect_fault("the partition of /" SLICE
		     "/web1/vcpu0 should be isolated and is: isolated "
		     "invalid (No cpu available due to hotplug)");
}

static void test_another_kind_of_partition(void **state)
{
	(void)state;
	group(SLICE "/web1/emulator")->partition.kind = PARTITION_ROOT;
	expect_fault("the partition of /" SLICE
		     "/web1/emulator should be member and is: root");
	group(SLICE "/web1/emulator")->partition.kind = PARTITION_MEMBER;
	group(SLICE "/web1/vcpu0")->partition.kind = PARTITION_MEMBER;
	expect_fault("the partition of /" SLICE
		     "/web1/vcpu0 should be isolated and is: member");
}

static void test_a_slice_that_is_no_partition(void **state)
{
	(void)state;
	group(SLICE)->partition.valid = false;
	expect_fault("the partition of /" SLICE " should be root and is: root invalid");
}

static void test_a_group_that_is_missing_or_without_cpuset(void **state)
{
	(void)state;
	group(SLICE "/web1/vcpu0")->has_cpuset = false;
	expect_fault("the group /" SLICE "/web1/vcpu0 is missing");
	tree_deinit(&host.tree);
	expect_fault("the group /" SLICE " is missing");
}

static void test_other_cpus(void **state)
{
	(void)state;
	group(SLICE "/web1/vcpu0")->cpus = cpus("3");
	expect_fault("the CPUs of /" SLICE "/web1/vcpu0 should be 2 and are 3");
	group(SLICE "/web1")->cpus = cpus("");
	expect_fault("the CPUs of /" SLICE "/web1 should be 1-2 and are none");
}

static void test_valid_in_words_and_other_effective_cpus(void **state)
{
	(void)state;
	group(SLICE "/web1/vcpu0")->effective = cpus("3");
	expect_fault("the effective CPUs of /" SLICE "/web1/vcpu0 should be 2 and are 3");
	group(SLICE "/web1/vcpu0")->effective = cpus("2");
	group(SLICE "/web1/emulator")->effective = cpus("");
	expect_fault("the effective CPUs of /" SLICE
		     "/web1/emulator should be 1 and are none");
	group(SLICE "/web1")->effective = cpus("1-2");
	expect_fault("the effective CPUs of /" SLICE "/web1 should be 1 and are 1-2");
}

/* With vCPUs that are members nothing is taken from what the VM's group has. */
static void test_vcpus_without_partitions_of_their_own(void **state)
{
	(void)state;
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	compute(&host);
	group(SLICE "/web1/vcpu0")->partition.kind = PARTITION_MEMBER;
	expect_fault("the effective CPUs of /" SLICE "/web1 should be 1-2 and are 1");
	group(SLICE "/web1")->effective = cpus("1-2");
	expect_fault(NULL);
}

static void test_cpus_that_are_open_to_all(void **state)
{
	(void)state;
	host.tree.root_effective = cpus("0,2-3");
	expect_fault(
		"CPUs 2 are still open to the whole host, whatever the partition says");
}

static void test_a_thread_elsewhere(void **state)
{
	struct vm_thread *thread = find_thread(&host, "web1", 1001);

	(void)state;
	free(thread->cgroup);
	thread->cgroup = must(strdup(SLICE "/web1/emulator"));
	expect_fault("thread 1001 (t1001) should be in /" SLICE
		     "/web1/vcpu0 and is in /" SLICE "/web1/emulator");
}

static void test_a_thread_with_another_affinity(void **state)
{
	(void)state;
	find_thread(&host, "web1", 1000)->affinity = cpus("0-3");
	expect_fault("the affinity of thread 1000 (t1000) should be 1 and is 0-3");
}

static void test_a_partition_that_the_kernel_does_not_count(void **state)
{
	(void)state;
	host.tree.isolated = cpus("3");
	expect_fault(
		"the kernel does not count CPUs 2 as isolated, whatever the partition "
		"says");
}

static void test_the_order_in_which_faults_are_told(void **state)
{
	(void)state;
	find_thread(&host, "web1", 1000)->affinity = cpus("0-3");
	host.tree.root_effective = cpus("0,2-3");
	expect_fault(
		"CPUs 2 are still open to the whole host, whatever the partition says");
	group(SLICE "/web1/emulator")->effective = cpus("0");
	expect_fault(
		"the effective CPUs of /" SLICE "/web1/emulator should be 1 and are 0");
	group(SLICE "/web1/vcpu0")->partition.valid = false;
	expect_fault("the partition of /" SLICE
		     "/web1/vcpu0 should be isolated and is: isolated invalid");
	group(SLICE "/web1")->partition.valid = false;
	expect_fault(
		"the partition of /" SLICE "/web1 should be root and is: root invalid");
}

#define health_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

static void test_a_claim_that_is_gone(void **state)
{
	(void)state;
	host.tree.remote = true;
	group(SLICE)->partition.kind = PARTITION_MEMBER;
	group(SLICE)->exclusive = group(SLICE "/web1")->exclusive = cpus("1-2");
	expect_fault(NULL);
	group(SLICE "/web1")->exclusive = cpus("1");
	expect_fault(
		"the exclusive CPUs of /" SLICE "/web1 should include 1-2 and are 1");
	group(SLICE)->exclusive = cpus("");
	expect_fault("the exclusive CPUs of /" SLICE " should include 1-2 and are none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_claim_that_is_gone, enter, leave_host),
		health_test(test_healthy),
		health_test(
			test_an_invalid_partition_with_and_without_the_kernels_reason),
		health_test(test_another_kind_of_partition),
		health_test(test_a_slice_that_is_no_partition),
		health_test(test_a_group_that_is_missing_or_without_cpuset),
		health_test(test_other_cpus),
		health_test(test_valid_in_words_and_other_effective_cpus),
		health_test(test_vcpus_without_partitions_of_their_own),
		health_test(test_cpus_that_are_open_to_all),
		health_test(test_a_thread_elsewhere),
		health_test(test_a_thread_with_another_affinity),
		health_test(test_a_partition_that_the_kernel_does_not_count),
		health_test(test_the_order_in_which_faults_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
