// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/build_host.h"
#include "user/model/counters.h"

static void test_a_vm_is_found_by_pid_and_start_time(void **state)
{
	struct vm_tally vms[] = {
		{.pid = 10, .start_time = 1}, {.pid = 10, .start_time = 2}, {.pid = 11}};
	const struct counters counters = {.vms = vms, .n_vms = N_ELEMENTS(vms)};
	const struct counters none = {};

	(void)state;
	assert_ptr_equal(counters_find_vm(&counters, 10, 1), &vms[0]);
	assert_ptr_equal(counters_find_vm(&counters, 10, 2), &vms[1]);
	assert_null(counters_find_vm(&counters, 10, 3));
	assert_null(counters_find_vm(&counters, 12, 1));
	assert_null(counters_find_vm(&none, 10, 1));
}

static void test_a_thread_is_found_by_tid(void **state)
{
	struct thread_tally threads[] = {
		{.tid = 1}, {.tid = 3}, {.tid = 5}, {.tid = 4194304}};
	const struct counters counters = {
		.threads = threads, .n_threads = N_ELEMENTS(threads)};
	const struct counters none = {};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(threads); i++)
		assert_ptr_equal(
			counters_find_thread(&counters, threads[i].tid), &threads[i]);
	assert_null(counters_find_thread(&counters, 2));
	assert_null(counters_find_thread(&counters, 0));
	assert_null(counters_find_thread(&none, 1));
}

static void test_foreign_runs_are_added_over_causes(void **state)
{
	const struct tally foreign[CAUSE_COUNT] = {{1, 9}, {10, 9}, {100, 9}, {1000, 9}};

	(void)state;
	assert_int_equal(tally_foreign(foreign), 1111);
}

static void test_causes_have_the_names_of_the_interface(void **state)
{
	(void)state;
	assert_string_equal(cause_name(CAUSED_BY_USER), "user");
	assert_string_equal(cause_name(CAUSED_BY_OTHER_VM), "other_vm");
	assert_string_equal(cause_name(CAUSED_BY_OWN_VM), "own_vm");
	assert_string_equal(cause_name(CAUSED_BY_KTHREAD), "kthread");
}

static void test_a_culprit_is_found_by_what_he_did(void **state)
{
	struct culprit_tally tallies[] = {{.vm = "web1",
						  .kind = KIND_FOREIGN,
						  .cause = CAUSED_BY_USER,
						  .comm = "a"},
		{.vm = "web1",
			.kind = KIND_FOREIGN,
			.cause = CAUSED_BY_OWN_VM,
			.comm = "a"},
		{.vm = "web2",
			.kind = KIND_FOREIGN,
			.cause = CAUSED_BY_USER,
			.comm = "a"},
		{.vm = "web1", .kind = KIND_OFF_SET, .comm = "a"},
		{.vm = "web1", .kind = KIND_BOUND_KTHREAD, .comm = "b"}};
	const struct counters counters = {
		.tallies = tallies, .n_tallies = N_ELEMENTS(tallies)};
	struct culprit culprit = {.vm = "web1", .comm = "a", .cause = CAUSED_BY_OWN_VM};

	(void)state;
	assert_ptr_equal(counters_find_culprit(&counters, &culprit), &tallies[1]);
	culprit.off_set = true;
	assert_ptr_equal(counters_find_culprit(&counters, &culprit), &tallies[3]);
	culprit.off_set = false;
	strcpy(culprit.vm, "web2");
	assert_null(counters_find_culprit(&counters, &culprit));
	culprit.cause = CAUSED_BY_USER;
	assert_ptr_equal(counters_find_culprit(&counters, &culprit), &tallies[2]);
	strcpy(culprit.comm, "b");
	assert_null(counters_find_culprit(&counters, &culprit));
}

static void test_bounds_of_waits_double(void **state)
{
	(void)state;
	assert_int_equal(wait_bound(0), 1024);
	for (unsigned int i = 1; i < WAIT_BUCKETS - 1; i++)
		assert_int_equal(wait_bound(i), 2 * wait_bound(i - 1));
	assert_int_equal(wait_bound(WAIT_BUCKETS - 1), 0);
}

static void test_quantiles_of_waits(void **state)
{
	struct thread_tally thread = {};

	(void)state;
	assert_int_equal(wait_quantile(&thread, 99), 0);
	thread.waits[0] = 1;
	assert_int_equal(wait_quantile(&thread, 99), 1024);
	thread.waits[0] = 98;
	thread.waits[3] = 1;
	thread.waits[9] = 1;
	assert_int_equal(wait_quantile(&thread, 98), 1024);
	assert_int_equal(wait_quantile(&thread, 99), 8192);
	assert_int_equal(wait_quantile(&thread, 100), 1024 << 9);
	thread.waits[WAIT_BUCKETS - 1] = 100;
	assert_int_equal(wait_quantile(&thread, 50), 1024 << 9);
	assert_int_equal(wait_quantile(&thread, 51), 0);
	thread.waits[0] = UINT64_C(1) << 60;
	assert_int_equal(wait_quantile(&thread, 99), 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_culprit_is_found_by_what_he_did),
		cmocka_unit_test(test_bounds_of_waits_double),
		cmocka_unit_test(test_quantiles_of_waits),
		cmocka_unit_test(test_a_vm_is_found_by_pid_and_start_time),
		cmocka_unit_test(test_a_thread_is_found_by_tid),
		cmocka_unit_test(test_foreign_runs_are_added_over_causes),
		cmocka_unit_test(test_causes_have_the_names_of_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
