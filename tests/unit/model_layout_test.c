// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a VM's groups are, by where its threads are. */

#include <errno.h>

#include "tests/unit/one_host.h"

static int enter(void **state)
{
	enter_host(state);
	add_vm(&host, "web1", 2, 0);
	find_vm(&host, "web1")->libvirt = true;
	return 0;
}

static void put_thread(pid_t tid, const char *path)
{
	struct vm_thread *thread = find_thread(&host, "web1", tid);

	free(thread->cgroup);
	thread->cgroup = must(strdup(path));
}

/* NULL: it cannot be told. */
static void expect_top(const char *expected)
{
	cleanup_free char *top = NULL;
	int r = layout_top(find_vm(&host, "web1"), &top);

	assert_int_equal(r, expected ? 0 : -ENOENT);
	if (expected)
		assert_string_equal(top, expected);
	else
		assert_null(top);
}

static void test_layouts_have_names(void **state)
{
	struct vm *vm = find_vm(&host, "web1");

	(void)state;
	assert_int_equal(layout_of(vm), LAYOUT_LIBVIRT);
	assert_string_equal(layout_name(layout_of(vm)), "libvirt");
	vm->libvirt = false;
	assert_int_equal(layout_of(vm), LAYOUT_OWN);
	assert_string_equal(layout_name(layout_of(vm)), "own");
}

/* Where its threads are does not matter then. */
static void test_ours_is_named_after_the_vm(void **state)
{
	(void)state;
	find_vm(&host, "web1")->libvirt = false;
	put_thread(1000, "machine.slice/a.scope/libvirt/emulator");
	expect_top(SLICE "/web1");
}

static void test_libvirts_is_above_the_main_threads_leaf(void **state)
{
	static const char *const tops[] = {
		"machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/libvirt",
		"machine.slice/machine-qemu\\x2d1\\x2dweb1.scope",
		"machine/qemu-1-web1.libvirt-qemu",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(tops); i++) {
		cleanup_free char *leaf = must(layout_leaf(tops[i], THREAD_EMULATOR, 0));

		put_thread(1000, leaf);
		expect_top(tops[i]);
	}
}

static void test_a_main_thread_elsewhere_leaves_it_to_the_vcpus(void **state)
{
	(void)state;
	put_thread(1000, "user.slice");
	put_thread(1002, "machine.slice/a.scope/libvirt/vcpu1");
	expect_top("machine.slice/a.scope/libvirt");
	/* Who is where the emulator belongs is believed first. */
	put_thread(1000, "machine.slice/b.scope/libvirt/emulator");
	expect_top("machine.slice/b.scope/libvirt");
}

/* A main thread that somebody put to a vCPU does not name the top, a vCPU does. */
static void test_a_main_thread_with_a_vcpu(void **state)
{
	(void)state;
	put_thread(1000, "machine.slice/a.scope/libvirt/vcpu0");
	expect_top(NULL);
	put_thread(1001, "machine.slice/a.scope/libvirt/vcpu0");
	expect_top("machine.slice/a.scope/libvirt");
}

static void test_groups_that_are_not_libvirts(void **state)
{
	static const char *const paths[] = {"", "emulator", "vcpu0", "user.slice",
		"machine.slice/a.scope", "machine.slice/emulator/x",
		"machine.slice/a.scope/libvirt", "machine.slice/my-emulator"};
	struct vm *vm = find_vm(&host, "web1");

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		for (pid_t tid = 1000; tid <= 1002; tid++)
			put_thread(tid, paths[i]);
		expect_top(NULL);
	}
	while (vm->n_threads)
		remove_thread(&host, "web1", vm->threads[0].tid);
	expect_top(NULL);
}

/* Its groups are called alike, and are not libvirt's. */
static void test_a_leaf_of_ours_is_refused(void **state)
{
	(void)state;
	put_thread(1000, SLICE "/web1/emulator");
	put_thread(1001, SLICE "/web1/vcpu0");
	put_thread(1002, SLICE "/web1/vcpu1");
	expect_top(NULL);
	put_thread(1002, SLICE "2/web1/vcpu1");
	expect_top(SLICE "2/web1");
}

static void test_leaves_by_class(void **state)
{
	static const struct {
		enum thread_class class;
		int index;
		const char *path;
	} cases[] = {
		{THREAD_EMULATOR, 0, "a/b/emulator"},
		{THREAD_EMULATOR, 3, "a/b/emulator"},
		{THREAD_VCPU, 0, "a/b/vcpu0"},
		{THREAD_VCPU, 12, "a/b/vcpu12"},
		{THREAD_IOTHREAD, 1, "a/b/iothread1"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		cleanup_free char *path =
			must(layout_leaf("a/b", cases[i].class, cases[i].index));

		assert_string_equal(path, cases[i].path);
	}
}

#define layout_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

static void expect_path(char *path, const char *wanted)
{
	assert_non_null(path);
	assert_string_equal(path, wanted);
	free(path);
}

static void test_classes(void **state)
{
	char *class;

	(void)state;
	expect_path(class_group_path("gold"), SLICE "/cpuwarden-gold.slice");
	expect_path(class_vm_path("gold", "web1"), SLICE "/cpuwarden-gold.slice/web1");
	expect_path(class_vm_path("gold", "cpu.max"),
		SLICE "/cpuwarden-gold.slice/cpu\\x2emax");
	assert_true(is_class_group(SLICE "/cpuwarden-gold.slice"));
	assert_false(is_class_group(SLICE "/cpuwarden-.slice"));
	assert_false(is_class_group(SLICE "/cpuwarden-gold"));
	assert_false(is_class_group(SLICE "/web1"));
	assert_false(is_class_group(SLICE "/cpuwarden-gold.slice/cpuwarden-x.slice"));
	assert_true(is_vm_group(SLICE "/web1"));
	assert_true(is_vm_group(SLICE "/cpuwarden-gold.slice/web1"));
	assert_false(is_vm_group(SLICE));
	assert_false(is_vm_group(SLICE "/cpuwarden-gold.slice"));
	assert_false(is_vm_group(SLICE "/web1/emulator"));
	assert_false(is_vm_group(SLICE "/cpuwarden-gold.slice/web1/emulator"));
	assert_false(is_vm_group("machine.slice/web1"));
	assert_int_equal(class_of_group(SLICE "/cpuwarden-gold.slice/web1", &class), 0);
	expect_path(class, SLICE "/cpuwarden-gold.slice");
	assert_int_equal(class_of_group(SLICE "/web1", &class), 0);
	assert_null(class);
	assert_int_equal(class_of_group("web1", &class), 0);
	assert_null(class);
	/* No VM's group is taken for a class's. */
	expect_path(
		vm_group_path("cpuwarden-gold.slice"), SLICE "/cpuwarden\\x2dgold.slice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		layout_test(test_layouts_have_names),
		layout_test(test_ours_is_named_after_the_vm),
		layout_test(test_libvirts_is_above_the_main_threads_leaf),
		layout_test(test_a_main_thread_elsewhere_leaves_it_to_the_vcpus),
		layout_test(test_a_main_thread_with_a_vcpu),
		layout_test(test_groups_that_are_not_libvirts),
		layout_test(test_a_leaf_of_ours_is_refused),
		cmocka_unit_test(test_leaves_by_class),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
