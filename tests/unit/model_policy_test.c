// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/array.h"
#include "user/model/policy.h"

static void test_defaults_touch_nothing(void **state)
{
	struct config config;

	(void)state;
	memset(&config, 0xff, sizeof(config));
	config_init(&config);
	assert_int_equal(config.defaults.kind, POLICY_OBSERVE);
	assert_int_equal(config.defaults.partition, PARTITION_ISOLATED);
	assert_int_equal(config.defaults.emulator, PLACE_OWN);
	assert_true(cpuset_empty(&config.defaults.emulator_cpus));
	assert_int_equal(config.defaults.numa, NUMA_PREFER);
	assert_int_equal(config.defaults.smt, SMT_PREFER);
	assert_int_equal(config.defaults.guard, GUARD_OFF);
	assert_string_equal(config.listen, "127.0.0.1:9753");
	assert_false(config.has_housekeeping);
	assert_int_equal(config.n_vms, 0);
	assert_null(config.vms);
	config_deinit(&config);
}

static void test_deinit_leaves_nothing_behind(void **state)
{
	struct config config;
	struct vm_policy *vm;

	(void)state;
	config_init(&config);
	for (int i = 0; i < 3; i++) {
		vm = array_push(&config.vms, &config.n_vms);
		assert_non_null(vm);
		assert_non_null(array_push(&vm->vcpu_pins, &vm->n_vcpu_pins));
		assert_non_null(array_push(&vm->iothread_pins, &vm->n_iothread_pins));
	}
	config_deinit(&config);
	assert_null(config.vms);
	assert_int_equal(config.n_vms, 0);
	config_deinit(&config);
}

static void test_find_vm_by_its_whole_name(void **state)
{
	static const char *const names[] = {"a", "db", "web1", "web10", "web2"};
	struct config config;

	(void)state;
	config_init(&config);
	assert_null(config_find_vm(&config, "a"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct vm_policy *vm = array_push(&config.vms, &config.n_vms);

		assert_non_null(vm);
		snprintf(vm->name, sizeof(vm->name), "%s", names[i]);
	}
	for (size_t i = 0; i < config.n_vms; i++)
		assert_ptr_equal(config_find_vm(&config, names[i]), &config.vms[i]);
	assert_null(config_find_vm(&config, ""));
	assert_null(config_find_vm(&config, "web"));
	assert_null(config_find_vm(&config, "web11"));
	assert_null(config_find_vm(&config, "zz"));
	config_deinit(&config);
}

static void test_find_pins_by_index(void **state)
{
	static const unsigned int indices[] = {0, 1, 5, 8191};
	struct vm_policy policy = {0};

	(void)state;
	assert_null(vm_policy_vcpu_pin(&policy, 0));
	assert_null(vm_policy_iothread_pin(&policy, 0));
	for (size_t i = 0; i < sizeof(indices) / sizeof(*indices); i++) {
		struct pin *pin = array_push(&policy.vcpu_pins, &policy.n_vcpu_pins);

		assert_non_null(pin);
		pin->index = indices[i];
	}
	for (size_t i = 0; i < policy.n_vcpu_pins; i++)
		assert_ptr_equal(vm_policy_vcpu_pin(&policy, indices[i]),
			&policy.vcpu_pins[i].cpus);
	assert_null(vm_policy_vcpu_pin(&policy, 2));
	assert_null(vm_policy_vcpu_pin(&policy, 8192));
	assert_null(vm_policy_iothread_pin(&policy, 0));
	assert_non_null(array_push(&policy.iothread_pins, &policy.n_iothread_pins));
	assert_ptr_equal(
		vm_policy_iothread_pin(&policy, 0), &policy.iothread_pins[0].cpus);
	vm_policy_deinit(&policy);
	assert_null(policy.vcpu_pins);
}

static void test_names_are_those_of_the_files(void **state)
{
	(void)state;
	assert_string_equal(policy_kind_name(POLICY_OBSERVE), "observe");
	assert_string_equal(policy_kind_name(POLICY_DEDICATED), "dedicated");
	assert_string_equal(policy_kind_name(POLICY_SHARED), "shared");
	assert_string_equal(policy_kind_name(POLICY_IGNORE), "ignore");
	assert_string_equal(partition_name(PARTITION_MEMBER), "member");
	assert_string_equal(partition_name(PARTITION_ROOT), "root");
	assert_string_equal(partition_name(PARTITION_ISOLATED), "isolated");
	assert_string_equal(guard_name(GUARD_OFF), "off");
	assert_string_equal(guard_name(GUARD_LOG), "log");
	assert_string_equal(guard_name(GUARD_DENY), "deny");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_touch_nothing),
		cmocka_unit_test(test_deinit_leaves_nothing_behind),
		cmocka_unit_test(test_find_vm_by_its_whole_name),
		cmocka_unit_test(test_find_pins_by_index),
		cmocka_unit_test(test_names_are_those_of_the_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
