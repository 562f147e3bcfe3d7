// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the observer's maps and the model must agree on, and the offsets that others read
 * by: bpftool prints these fields, and an observer of an older build is read only if its
 * ABI_VERSION is the same. A test here that fails asks for a new ABI_VERSION.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/abi.h"
#include "user/host/libvirt_daemons.h"
#include "user/model/counters.h"
#include "user/model/cpuset.h"
#include "user/model/vm.h"

static void test_limits_are_the_models(void **state)
{
	(void)state;
	assert_int_equal(ABI_CPUS, CPUSET_CPUS);
	assert_int_equal(ABI_NAME, VM_NAME_SIZE);
	assert_int_equal(ABI_COMM, COMM_SIZE);
	assert_int_equal(ABI_EXES, LIBVIRT_DAEMONS);
	assert_int_equal(sizeof(struct cpu_set_words), sizeof(struct cpuset));
	/* A vCPU's index must never be what says "the VM as a whole". */
	assert_true((unsigned int)VCPUS_MAX < (unsigned int)ABI_NONE);
}

static void test_causes_and_classes_have_the_models_numbers(void **state)
{
	(void)state;
	assert_int_equal(CAUSE_USER, CAUSED_BY_USER);
	assert_int_equal(CAUSE_OTHER_VM, CAUSED_BY_OTHER_VM);
	assert_int_equal(CAUSE_OWN_VM, CAUSED_BY_OWN_VM);
	assert_int_equal(CAUSE_KTHREAD, CAUSED_BY_KTHREAD);
	assert_int_equal(CAUSES, CAUSE_COUNT);
	assert_int_equal(ABI_WAIT_BUCKETS, WAIT_BUCKETS);
	/* abi.h writes them out in task_counters.class. */
	assert_int_equal(THREAD_VCPU, 0);
	assert_int_equal(THREAD_EMULATOR, 1);
	assert_int_equal(THREAD_IOTHREAD, 2);
	assert_int_equal(THREAD_VHOST, 3);
}

static void test_only_violations_and_interference_come_after_order(void **state)
{
	(void)state;
	assert_true(RUN_NONE < RUN_IN_ORDER);
	assert_true(RUN_IN_ORDER < RUN_OFF_SET);
	assert_true(RUN_IN_ORDER < RUN_FOREIGN);
	assert_true(RUN_IN_ORDER < RUN_BOUND_KTHREAD);
}

/* Buckets and filter words are reached by masks. */
static void test_what_is_masked_is_a_power_of_two(void **state)
{
	(void)state;
	assert_int_equal(ABI_FILTER_WORDS & (ABI_FILTER_WORDS - 1), 0);
	assert_int_equal(ABI_PORTION & (ABI_PORTION - 1), 0);
	assert_int_equal(sizeof(struct task_bucket), 64);
	assert_int_equal(sizeof(struct task_bucket), ABI_BUCKET * 8);
}

static void test_offsets(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct cpu_counters, foreign), 40);
	assert_int_equal(offsetof(struct cpu_counters, off_set), 104);
	assert_int_equal(offsetof(struct cpu_counters, bound_kthread), 120);
	assert_int_equal(offsetof(struct cpu_counters, settling), 136);
	assert_int_equal(offsetof(struct task_counters, switches), 16);
	assert_int_equal(offsetof(struct task_counters, waits), 56);
	assert_int_equal(offsetof(struct vm_slot, pid), 128);
	assert_int_equal(offsetof(struct vm_slot, start_ticks), 136);
	assert_int_equal(offsetof(struct vm_slot, foreign), 184);
	assert_int_equal(offsetof(struct event, tid), 52);
	assert_int_equal(offsetof(struct event, comm), 60);
	assert_int_equal(offsetof(struct health, abi), 48);
	assert_int_equal(offsetof(struct health, parts), 92);
	assert_int_equal(offsetof(struct cpu_rule, flags), 8);
	assert_int_equal(offsetof(struct cpu_rule, since), 16);
	assert_int_equal(offsetof(struct drift, file), 36);
	assert_int_equal(offsetof(struct drift, by), 48);
	assert_int_equal(offsetof(struct drift, before), 200);
	assert_int_equal(offsetof(struct culprit_runs, time), 16);
	assert_int_equal(offsetof(struct interrupts, irq_base), 56);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_are_the_models),
		cmocka_unit_test(test_causes_and_classes_have_the_models_numbers),
		cmocka_unit_test(test_only_violations_and_interference_come_after_order),
		cmocka_unit_test(test_what_is_masked_is_a_power_of_two),
		cmocka_unit_test(test_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
