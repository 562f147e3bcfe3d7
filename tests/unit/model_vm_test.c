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
#include "user/model/vm.h"

static void test_find_by_whole_name(void **state)
{
	static const char *const names[] = {"a", "db", "web1", "web10", "web2"};
	struct vms vms = {0};

	(void)state;
	assert_null(vms_find(&vms, "a"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct vm *vm = array_push(&vms.items, &vms.n_items);

		assert_non_null(vm);
		snprintf(vm->name, sizeof(vm->name), "%s", names[i]);
	}
	for (size_t i = 0; i < vms.n_items; i++)
		assert_ptr_equal(vms_find(&vms, names[i]), &vms.items[i]);
	assert_null(vms_find(&vms, ""));
	assert_null(vms_find(&vms, "web"));
	assert_null(vms_find(&vms, "zz"));
	vms_deinit(&vms);
}

/* The leak checker of a sanitized build is the judge. */
static void test_deinit_frees_all_that_is_owned(void **state)
{
	struct vms vms = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct vm *vm = array_push(&vms.items, &vms.n_items);

		assert_non_null(vm);
		vm->problem = strdup("no answer from QMP");
		for (int j = 0; j < 5; j++) {
			struct vm_thread *thread =
				array_push(&vm->threads, &vm->n_threads);

			assert_non_null(thread);
			thread->cgroup = strdup("machine.slice");
		}
	}
	vms_deinit(&vms);
	assert_null(vms.items);
	assert_int_equal(vms.n_items, 0);
	vms_deinit(&vms);
}

/* The main thread comes first, also where its number is higher than others'. */
static void test_a_thread_is_found_by_its_number(void **state)
{
	struct vm_thread threads[] = {{.tid = 500}, {.tid = 7}, {.tid = 8}, {.tid = 900}};
	struct vm vm = {.threads = threads};

	(void)state;
	assert_null(vm_find_thread(&vm, 500));
	for (vm.n_threads = 1; vm.n_threads <= 4; vm.n_threads++)
		for (size_t i = 0; i < 4; i++)
			assert_ptr_equal(vm_find_thread(&vm, threads[i].tid),
				i < vm.n_threads ? &threads[i] : NULL);
	vm.n_threads = 4;
	assert_null(vm_find_thread(&vm, 501));
	assert_null(vm_find_thread(&vm, 1));
}

static void test_names_are_those_of_the_interface(void **state)
{
	(void)state;
	assert_string_equal(thread_class_name(THREAD_VCPU), "vcpu");
	assert_string_equal(thread_class_name(THREAD_EMULATOR), "emulator");
	assert_string_equal(thread_class_name(THREAD_IOTHREAD), "iothread");
	assert_string_equal(thread_class_name(THREAD_VHOST), "vhost");
	assert_string_equal(vm_source_name(SOURCE_NAME), "name");
	assert_string_equal(vm_source_name(SOURCE_QMP), "qmp");
	assert_string_equal(vm_source_name(SOURCE_LIBVIRT), "libvirt");
	assert_string_equal(vm_source_name(SOURCE_KVM), "kvm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_by_whole_name),
		cmocka_unit_test(test_deinit_frees_all_that_is_owned),
		cmocka_unit_test(test_a_thread_is_found_by_its_number),
		cmocka_unit_test(test_names_are_those_of_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
