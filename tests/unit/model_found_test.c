// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/build_host.h"
#include "user/model/found.h"

static struct host host;
static struct found_vm found;

static int enter(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0");
	add_vm(&host, "web1", 2, 0);
	find_thread(&host, "web1", 1001)->affinity = cpus("4");
	assert_int_equal(found_vm_of(find_vm(&host, "web1"), &found), 0);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	found_vm_deinit(&found);
	host_deinit(&host);
	return 0;
}

static void test_a_record_is_what_the_vm_is_like(void **state)
{
	(void)state;
	assert_string_equal(found.name, "web1");
	assert_int_equal(found.pid, 1000);
	assert_int_equal(found.start_time, 10000);
	assert_int_equal(found.n_threads, 3);
	for (size_t i = 0; i < found.n_threads; i++) {
		assert_int_equal(found.threads[i].pid, 1000);
		assert_int_equal(found.threads[i].tid, 1000 + (int)i);
		assert_int_equal(found.threads[i].start_time, 10 * (1000 + i));
		assert_string_equal(found.threads[i].cgroup, HOME);
	}
	expect_cpus(&found.threads[0].affinity, "0-7");
	expect_cpus(&found.threads[1].affinity, "4");
}

static void test_a_record_is_a_copy(void **state)
{
	struct vm_thread *thread = find_thread(&host, "web1", 1000);

	(void)state;
	assert_ptr_not_equal(thread->cgroup, found.threads[0].cgroup);
}

static void test_a_thread_has_its_own_record(void **state)
{
	const struct found_thread *thread = found_vm_thread(&found, 1001, 10010);

	(void)state;
	assert_ptr_equal(thread, &found.threads[1]);
}

/* A tid that was used again, and one that did not exist, are younger than the record. */
static void test_a_younger_thread_has_the_main_threads(void **state)
{
	(void)state;
	assert_ptr_equal(found_vm_thread(&found, 1001, 10011), &found.threads[0]);
	assert_ptr_equal(found_vm_thread(&found, 4000, 1), &found.threads[0]);
}

static void test_without_a_main_thread_there_is_none(void **state)
{
	(void)state;
	found.pid = 999;
	assert_null(found_vm_thread(&found, 4000, 1));
	assert_ptr_equal(found_vm_thread(&found, 1002, 10020), &found.threads[2]);
}

static void test_a_record_is_of_one_process(void **state)
{
	(void)state;
	assert_true(found_vm_is_of(&found, 1000, 10000));
	assert_false(found_vm_is_of(&found, 1001, 10000));
	assert_false(found_vm_is_of(&found, 1000, 10001));
}

static void test_empty_records_can_be_freed_twice(void **state)
{
	struct found_host none = {};

	(void)state;
	found_host_deinit(&none);
	found_host_deinit(&none);
	found_vm_deinit(&found);
	assert_int_equal(found.n_threads, 0);
}

#define found_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		found_test(test_a_record_is_what_the_vm_is_like),
		found_test(test_a_record_is_a_copy),
		found_test(test_a_thread_has_its_own_record),
		found_test(test_a_younger_thread_has_the_main_threads),
		found_test(test_without_a_main_thread_there_is_none),
		found_test(test_a_record_is_of_one_process),
		found_test(test_empty_records_can_be_freed_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
