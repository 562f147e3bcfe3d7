// SPDX-License-Identifier: GPL-2.0-or-later
#include <time.h>

#include "tests/unit/allocator_board.h"

/* 2 nodes of 2 caches of 4 cores of 2 threads: core N has CPUs N and N + 16. */
static void test_one_cache(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	ask_init(&ask, 4, 0, 0);
	expect_given(&board, &ask, "0 16 1 17", "");
	ask_init(&ask, 8, 0, 0);
	expect_given(&board, &ask, "0 16 1 17 2 18 3 19", "");
	board_deinit(&board);
}

static void test_fullest_cache_that_fits(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	/* 6 CPUs are left with cache 1, 2 with cache 2, 4 with cache 3. */
	take(&board, "4,20,8-10,24-26,12-13,28-29");
	ask_init(&ask, 4, 0, 0);
	expect_given(&board, &ask, "14 30 15 31", "");
	ask_init(&ask, 2, 0, 0);
	expect_given(&board, &ask, "11 27", "");
	board_deinit(&board);
	/* In one node, too. */
	board = board_of(1, 1, 2, 4, 2);
	take(&board, "4,12");
	expect_given(&board, &ask, "5 13", "");
	board_deinit(&board);
}

/* Both nodes have 12 CPUs, but only in node 1 four have a cache together. */
static void test_cache_before_node(void **state)
{
	struct board board = board_of(2, 1, 4, 2, 1);
	struct ask ask;

	(void)state;
	take(&board, "0,2,4,6,8,9");
	ask_init(&ask, 2, 0, 0);
	expect_given(&board, &ask, "10 11", "");
	board_deinit(&board);
}

static void test_odd_vcpu_on_core_in_use(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "19");
	ask_init(&ask, 3, 0, 0);
	expect_given(&board, &ask, "0 16 3", "");
	ask_init(&ask, 1, 0, 0);
	expect_given(&board, &ask, "3", "");
	board_deinit(&board);
}

static void test_other_threads(void **state)
{
	struct board board = board_of(1, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	/* The emulator opens a core, the iothread comes beside it. Wants: emulator first.
	 */
	ask_init(&ask, 2, 1, 1);
	expect_given(&board, &ask, "1 0 8 9", "");
	/* A core in use of the same cache is better than a whole one. */
	take(&board, "11");
	expect_given(&board, &ask, "3 0 8 1", "");
	/* The vCPU's own core only if no other is in use. */
	ask_init(&ask, 1, 1, 0);
	expect_given(&board, &ask, "0 3", "");
	/* The cache comes before the core. */
	take(&board, "3");
	take(&board, "4");
	ask_init(&ask, 2, 1, 0);
	expect_given(&board, &ask, "12 5 13", "");
	board_deinit(&board);
}

static void test_fewest_nodes_of_one_package(void **state)
{
	struct board board = board_of(2, 2, 1, 4, 1);
	struct ask ask;

	(void)state;
	/* Nodes of 4 CPUs; 0 and 1 are one package, 2 and 3 the other. */
	take(&board, "0");
	ask_init(&ask, 7, 0, 0);
	expect_given(&board, &ask, "1 2 3 4 5 6 7", "");
	take(&board, "4");
	expect_given(&board, &ask, "8 9 10 12 13 14 15", "");
	board_deinit(&board);
}

/* The emulator rather on another VM's core than on that of a vCPU; both are in use. */
static void test_emulator_off_vcpu_core(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "0,2");
	ask_init(&ask, 1, 1, 0);
	fix(&ask, 1, "0");
	expect_given(&board, &ask, "6 -1", "");
	board_deinit(&board);
}

/* Not in their node, for that is full, but in its package. */
static void test_emulator_in_package(void **state)
{
	struct board board = board_of(2, 2, 1, 4, 1);
	struct ask ask;

	(void)state;
	take(&board, "0,4");
	ask_init(&ask, 4, 1, 0);
	expect_given(&board, &ask, "12 8 9 10 11", "");
	board_deinit(&board);
}

static void test_lowest_of_equals(void **state)
{
	struct board board = board_of(1, 3, 1, 4, 1);
	struct ask ask;

	(void)state;
	ask_init(&ask, 8, 0, 0);
	expect_given(&board, &ask, "0 1 2 3 4 5 6 7", "");
	board_deinit(&board);
}

/* The fullest cache holds the vCPUs, the other one the emulator as well. */
static void test_room_for_the_emulator(void **state)
{
	struct board board = board_of(1, 1, 2, 4, 1);
	struct ask ask;

	(void)state;
	take(&board, "0-1");
	ask_init(&ask, 2, 0, 0);
	expect_given(&board, &ask, "2 3", "");
	ask_init(&ask, 2, 1, 0);
	expect_given(&board, &ask, "6 4 5", "");
	board_deinit(&board);
}

/* Two packages have room for the vCPUs, the emptier one for the emulator as well. */
static void test_room_for_the_emulator_in_nodes(void **state)
{
	struct board board = board_of(2, 2, 1, 4, 1);
	struct ask ask;

	(void)state;
	take(&board, "0,4,8");
	ask_init(&ask, 6, 0, 0);
	expect_given(&board, &ask, "1 2 3 5 6 7", "");
	ask_init(&ask, 6, 1, 0);
	expect_given(&board, &ask, "15 9 10 11 12 13 14", "");
	board_deinit(&board);
}

/* Nodes with 8, 5, 4 and 2 CPUs: 9 go to those with 5 and 4. */
static void test_large_nodes_stay_whole(void **state)
{
	struct board board = board_of(1, 4, 1, 8, 1);
	struct ask ask;

	(void)state;
	take(&board, "8-10,16-19,24-29");
	ask_init(&ask, 9, 0, 0);
	expect_given(&board, &ask, "11 12 13 14 15 20 21 22 23", "");
	board_deinit(&board);
}

/* With `any` what is left over goes first: 2 CPUs in node 3, 4 in node 2, 3 of 5 in
 * node 1. */
static void test_any_takes_leftovers(void **state)
{
	struct board board = board_of(1, 4, 1, 8, 1);
	struct ask ask;

	(void)state;
	take(&board, "8-10,16-19,24-29");
	ask_init(&ask, 9, 0, 0);
	ask.request.numa = NUMA_ANY;
	expect_given(&board, &ask, "11 12 13 20 21 22 23 30 31", "");
	/* But one node where one has room. */
	ask_init(&ask, 5, 0, 0);
	ask.request.numa = NUMA_ANY;
	expect_given(&board, &ask, "11 12 13 14 15", "");
	board_deinit(&board);
}

static void test_guest_nodes(void **state)
{
	struct board board = board_of(2, 1, 1, 8, 2);
	struct ask ask;

	(void)state;
	take(&board, "0,1,16,17,8-10,24-26");
	ask_init(&ask, 16, 0, 0);
	expect_given(&board, &ask, "2 18 3 19 4 20 11 27 12 28 13 29 14 30 15 31", "");
	/* 12 and 10 CPUs are free: 8 and 8 as in the guest, not 6 and 10. */
	ask.request.guest.node = 8;
	expect_given(&board, &ask, "2 18 3 19 4 20 5 21 11 27 12 28 13 29 14 30", "");
	/* Not where its nodes do not fit: 6 and 6 are free. */
	take(&board, "2-4,11-12,18-20,27-28");
	ask_init(&ask, 12, 0, 0);
	ask.request.guest.node = 4;
	expect_given(&board, &ask, "5 21 6 22 7 23 13 29 14 30 15 31", "");
	board_deinit(&board);
}

static void test_near_what_is_fixed(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	ask_init(&ask, 3, 1, 0);
	fix(&ask, 1, "12");
	expect_given(&board, &ask, "28 -1 13 29", "");
	/* The node is the emulator's. */
	ask_init(&ask, 2, 1, 0);
	fix(&ask, 0, "8");
	expect_given(&board, &ask, "-1 9 25", NULL);
	board_deinit(&board);
}

/* A VM that has all it wants gets nothing, and its spare CPUs again. */
static void test_kept(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	ask_init(&ask, 2, 0, 0);
	ask.request.smt = SMT_ISOLATE;
	fix(&ask, 0, "5");
	fix(&ask, 1, "9");
	take(&board, "5,9");
	expect_given(&board, &ask, "-1 -1", "21,25");
	board_deinit(&board);
}

static void test_allowed(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct cpuset allowed = cpus("3,8-9,19,24-25");
	struct ask ask;

	(void)state;
	ask_init(&ask, 4, 0, 0);
	ask_allow(&ask, &allowed);
	expect_given(&board, &ask, "8 24 9 25", "");
	board_deinit(&board);
}

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool place_and_take(struct board *board, const struct ask *ask)
{
	struct placement placement;
	struct cpuset all;

	if (allocator_place(board->allocator, &ask->request, &board->available, NULL,
		    &placement, NULL))
		return false;
	all = placement_all(&placement, &ask->request);
	cpuset_andnot(&board->available, &all);
	placement_deinit(&placement);
	return true;
}

/* 1,024 CPUs and 500 VMs: all within 100 ms, one more within 5 ms. */
static void test_large_host(void **state)
{
	double start = cpu_ms(), placed;
	struct board board = board_of(2, 4, 8, 8, 2);
	struct ask ask;

	(void)state;
	for (unsigned int i = 0; i < 500; i++) {
		ask_init(&ask, 1 + i % 2, i % 3 == 0, 0);
		ask.request.numa = (enum numa_wish)(i % 3);
		ask.request.guest.threads = 1 + i % 2;
		assert_true(place_and_take(&board, &ask));
	}
	placed = cpu_ms();
	assert_true(placed - start < 100);
	ask_init(&ask, 16, 1, 1);
	assert_true(place_and_take(&board, &ask));
	assert_true(cpu_ms() - placed < 5);
	board_deinit(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_cache),
		cmocka_unit_test(test_fullest_cache_that_fits),
		cmocka_unit_test(test_cache_before_node),
		cmocka_unit_test(test_odd_vcpu_on_core_in_use),
		cmocka_unit_test(test_other_threads),
		cmocka_unit_test(test_room_for_the_emulator),
		cmocka_unit_test(test_emulator_in_package),
		cmocka_unit_test(test_lowest_of_equals),
		cmocka_unit_test(test_emulator_off_vcpu_core),
		cmocka_unit_test(test_fewest_nodes_of_one_package),
		cmocka_unit_test(test_room_for_the_emulator_in_nodes),
		cmocka_unit_test(test_large_nodes_stay_whole),
		cmocka_unit_test(test_any_takes_leftovers),
		cmocka_unit_test(test_guest_nodes),
		cmocka_unit_test(test_near_what_is_fixed),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_large_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
