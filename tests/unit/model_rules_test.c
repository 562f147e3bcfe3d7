// SPDX-License-Identifier: GPL-2.0-or-later
/* When rules in force are as good as those wanted, and what they reserve. */
#include "tests/unit/build_host.h"

enum { N = 4 };

/* Main thread 100, vCPU 101, a worker 102, a vhost thread 103. */
struct case_rules {
	struct rule_thread threads[N];
	struct rule_vm vm;
};

static void init(struct case_rules *rules)
{
	memset(rules, 0, sizeof(*rules));
	snprintf(rules->vm.name, sizeof(rules->vm.name), "web1");
	rules->vm.pid = 100;
	rules->vm.start_time = 7;
	rules->vm.set = rules->vm.owned = cpus("2-3");
	rules->vm.threads = rules->threads;
	rules->vm.n_threads = N;
	for (int i = 0; i < N; i++) {
		rules->threads[i].tid = 100 + i;
		rules->threads[i].start_time = 7;
		rules->threads[i].class = THREAD_EMULATOR;
		rules->threads[i].set = rules->vm.set;
	}
	rules->threads[1].class = THREAD_VCPU;
	rules->threads[1].set = cpus("4");
	rules->threads[1].owns = true;
	rules->threads[3].class = THREAD_VHOST;
}

static void drop(struct case_rules *rules, size_t i)
{
	rules->vm.n_threads--;
	for (; i < rules->vm.n_threads; i++)
		rules->threads[i] = rules->threads[i + 1];
}

static void test_the_same_rules_hold(void **state)
{
	struct case_rules a, b;

	(void)state;
	init(&a);
	init(&b);
	assert_true(rule_vm_holds(&a.vm, &b.vm));
}

static void change(struct case_rules *rules, int what)
{
	struct rule_thread *vcpu = &rules->threads[1];

	switch (what) {
	case 0:
		rules->vm.name[0] = 'x';
		break;
	case 1:
		rules->vm.pid++;
		break;
	case 2:
		rules->vm.start_time++;
		break;
	case 3:
		cpuset_add(&rules->vm.set, 6);
		break;
	case 4:
		cpuset_drop(&rules->vm.owned, 2);
		break;
	case 5:
		vcpu->start_time++;
		break;
	case 6:
		vcpu->class = THREAD_IOTHREAD;
		break;
	case 7:
		vcpu->index++;
		break;
	case 8:
		cpuset_add(&vcpu->set, 5);
		break;
	case 9:
		vcpu->owns = false;
		break;
	case 10:
		rules->vm.guard = GUARD_DENY;
		break;
	case 11:
		rules->vm.libvirt_pins = true;
		break;
	default:
		vcpu->tid++;
	}
}

static void test_any_difference_counts_on_either_side(void **state)
{
	(void)state;
	for (int what = 0; what <= 12; what++) {
		struct case_rules a, b;

		init(&a);
		init(&b);
		change(&a, what);
		if (rule_vm_holds(&a.vm, &b.vm) || rule_vm_holds(&b.vm, &a.vm))
			fail_msg("change %d is not seen", what);
	}
}

static void test_workers_may_come_and_go(void **state)
{
	struct case_rules a, b;

	(void)state;
	for (size_t i = 2; i <= 3; i++) {
		init(&a);
		init(&b);
		drop(&a, i);
		assert_true(rule_vm_holds(&a.vm, &b.vm));
		assert_true(rule_vm_holds(&b.vm, &a.vm));
	}
}

static void test_main_thread_and_vcpus_may_not(void **state)
{
	struct case_rules a, b;

	(void)state;
	for (size_t i = 0; i <= 1; i++) {
		init(&a);
		init(&b);
		drop(&a, i);
		assert_false(rule_vm_holds(&a.vm, &b.vm));
		assert_false(rule_vm_holds(&b.vm, &a.vm));
	}
}

/* One with a set of its own is not covered by the VM's, whatever its class. */
static void test_a_worker_with_a_set_of_its_own_may_not(void **state)
{
	struct case_rules a, b;

	(void)state;
	init(&a);
	init(&b);
	b.threads[2].set = cpus("5");
	drop(&a, 2);
	assert_false(rule_vm_holds(&a.vm, &b.vm));
	assert_false(rule_vm_holds(&b.vm, &a.vm));
	init(&b);
	b.threads[2].class = THREAD_IOTHREAD;
	assert_false(rule_vm_holds(&a.vm, &b.vm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_rules_hold),
		cmocka_unit_test(test_any_difference_counts_on_either_side),
		cmocka_unit_test(test_workers_may_come_and_go),
		cmocka_unit_test(test_main_thread_and_vcpus_may_not),
		cmocka_unit_test(test_a_worker_with_a_set_of_its_own_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
