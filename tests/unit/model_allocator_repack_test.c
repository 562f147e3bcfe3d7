// SPDX-License-Identifier: GPL-2.0-or-later
/* All VMs anew, and how tidy a host is. */
#include "tests/unit/allocator_board.h"

enum { VMS = 3 };

struct crowd {
	struct board board;
	struct ask asks[VMS];
	struct cpuset now[VMS];
	struct request requests[VMS];
	struct placement placements[VMS];
};

static struct crowd *crowd_new(void)
{
	struct crowd *crowd = must(calloc(1, sizeof(*crowd)));

	crowd->board = board_of(2, 1, 2, 2, 2);
	return crowd;
}

static void crowd_free(struct crowd *crowd)
{
	board_deinit(&crowd->board);
	free(crowd);
}

/* Each has so many vCPUs, and these CPUs. */
static void add(struct crowd *crowd, size_t vm, unsigned int n_vcpus, const char *now)
{
	ask_init(&crowd->asks[vm], n_vcpus, 0, 0);
	crowd->now[vm] = cpus(now);
}

static int repack(struct crowd *crowd, size_t n_vms, struct problem *problem)
{
	for (size_t i = 0; i < n_vms; i++)
		crowd->requests[i] = crowd->asks[i].request;
	return allocator_repack(crowd->board.allocator, crowd->requests, crowd->now,
		n_vms, &crowd->board.available, crowd->placements, problem);
}

static void expect_moved(struct crowd *crowd, size_t vm, const char *expected)
{
	struct cpuset all = placement_all(&crowd->placements[vm], &crowd->requests[vm]);

	expect_cpus(&all, expected);
	placement_deinit(&crowd->placements[vm]);
}

static void test_tidier(void **state)
{
	struct crowd *crowd = crowd_new();

	(void)state;
	add(crowd, 0, 2, "0,4");
	add(crowd, 1, 8, "1-3,5,8-11");
	assert_int_equal(repack(crowd, 2, NULL), 0);
	expect_moved(crowd, 1, "0-3,8-11");
	expect_moved(crowd, 0, "4,12");
	crowd_free(crowd);
}

static void test_no_tidier(void **state)
{
	struct crowd *crowd = crowd_new();
	struct problem problem;

	(void)state;
	add(crowd, 0, 2, "7,15");
	add(crowd, 1, 4, "0-1,8-9");
	assert_int_equal(repack(crowd, 2, &problem), 1);
	assert_string_equal(problem.text,
		"nothing is gained: of 2 VMs 2 are in one node and 2 in one cache, with 5 whole "
		"cores free; placed anew 2, 2 and 5");
	crowd_free(crowd);
}

/* What is pinned stays, and nobody else gets it. */
static void test_pinned(void **state)
{
	struct crowd *crowd = crowd_new();

	(void)state;
	add(crowd, 0, 1, "1");
	fix(&crowd->asks[0], 0, "1");
	add(crowd, 1, 2, "0,4");
	add(crowd, 2, 4, "2-3,5-6");
	assert_int_equal(repack(crowd, 3, NULL), 0);
	expect_moved(crowd, 0, "1");
	expect_moved(crowd, 2, "2-3,10-11");
	expect_moved(crowd, 1, "0,8");
	crowd_free(crowd);
}

/* Nor does another VM that is pinned. */
static void test_pinned_beside(void **state)
{
	struct crowd *crowd = crowd_new();

	(void)state;
	add(crowd, 0, 2, "0,4");
	fix(&crowd->asks[0], 0, "0");
	add(crowd, 1, 1, "8");
	fix(&crowd->asks[1], 0, "8");
	assert_int_equal(repack(crowd, 2, NULL), 0);
	expect_moved(crowd, 0, "0-1");
	expect_moved(crowd, 1, "8");
	crowd_free(crowd);
}

/* Who is pinned is first: a larger VM would have taken the sibling. */
static void test_pinned_first(void **state)
{
	struct crowd *crowd = crowd_new();

	(void)state;
	add(crowd, 0, 1, "0");
	fix(&crowd->asks[0], 0, "0");
	crowd->asks[0].request.smt = SMT_REQUIRE;
	add(crowd, 1, 7, "1-7");
	assert_int_equal(repack(crowd, 2, NULL), 0);
	expect_moved(crowd, 0, "0,8");
	expect_moved(crowd, 1, "4-7,12,14-15");
	crowd_free(crowd);
}

/* A VM without a place: nothing moves, and the sentence is its own. */
static void test_no_room(void **state)
{
	struct crowd *crowd = crowd_new();
	struct problem problem;

	(void)state;
	add(crowd, 0, 2, "0,4");
	add(crowd, 1, 8, "1-3,5,8-11");
	take(&crowd->board, "12-15");
	crowd->asks[0].request.smt = SMT_ISOLATE;
	crowd->asks[1].request.smt = SMT_REQUIRE;
	take(&crowd->board, "4-5");
	assert_int_equal(repack(crowd, 2, &problem), 1);
	assert_string_equal(problem.text,
		"2 whole cores are wanted (smt = isolate), 0 are free: smt = prefer would fit");
	crowd_free(crowd);
}

static void test_tidiness(void **state)
{
	struct board board = board_of(2, 1, 2, 2, 2);
	struct cpuset vms[] = {cpus("0,8"), cpus("1-2"), cpus("3-4")};
	struct tidiness tidiness, other;

	(void)state;
	take(&board, "0-4,8");
	tidiness = allocator_tidiness(board.allocator, vms, 3, &board.available);
	assert_int_equal(tidiness.in_one_node, 2);
	assert_int_equal(tidiness.in_one_cache, 1);
	assert_int_equal(tidiness.whole_cores, 3);
	other = tidiness;
	assert_int_equal(tidiness_compare(&tidiness, &other), 0);
	other.whole_cores--;
	assert_true(tidiness_compare(&tidiness, &other) > 0);
	other.in_one_cache++;
	assert_true(tidiness_compare(&tidiness, &other) < 0);
	tidiness.in_one_node++;
	assert_true(tidiness_compare(&tidiness, &other) > 0);
	board_deinit(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tidier),
		cmocka_unit_test(test_no_tidier),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_pinned_first),
		cmocka_unit_test(test_pinned_beside),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_tidiness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
