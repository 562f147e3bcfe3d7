// SPDX-License-Identifier: GPL-2.0-or-later
/* SMT siblings: who shares a core with whom. */
#include "tests/unit/allocator_board.h"

static void test_require(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "4");
	/* CPU 0 is free, but its sibling is not. */
	ask_init(&ask, 3, 0, 0);
	ask.request.smt = SMT_REQUIRE;
	expect_given(&board, &ask, "1 5 2", "6");
	/* What a vCPU leaves is the emulator's. */
	ask_init(&ask, 3, 1, 0);
	ask.request.smt = SMT_REQUIRE;
	expect_given(&board, &ask, "6 1 5 2", "");
	ask_init(&ask, 2, 1, 0);
	ask.request.smt = SMT_REQUIRE;
	expect_given(&board, &ask, "2 1 5", "6");
	board_deinit(&board);
}

static void test_require_fills_own_core(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	ask_init(&ask, 3, 0, 0);
	ask.request.smt = SMT_REQUIRE;
	fix(&ask, 2, "3");
	expect_given(&board, &ask, "7 0 -1", "4");
	board_deinit(&board);
}

static void test_isolate(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "4");
	ask_init(&ask, 2, 1, 1);
	ask.request.smt = SMT_ISOLATE;
	expect_given(&board, &ask, "0 1 2 3", "5-6");
	board_deinit(&board);
}

/* Of cores of 2, 1 and 1 CPUs the vCPUs get the narrow ones, or the others had none. */
static void test_isolate_narrow_cores(void **state)
{
	struct board board = board_of(1, 1, 3, 1, 2);
	struct ask ask;

	(void)state;
	allocator_free(board.allocator);
	cpuset_drop(&board.topology->online, 4);
	cpuset_drop(&board.topology->online, 5);
	topology_complete(board.topology);
	board.allocator = must(allocator_new(board.topology));
	board.available = board.topology->online;
	ask_init(&ask, 2, 1, 1);
	ask.request.smt = SMT_ISOLATE;
	expect_given(&board, &ask, "0 1 2 3", "");
	ask.request.numa = NUMA_SINGLE;
	expect_given(&board, &ask, "0 1 2 3", "");
	board_deinit(&board);
}

static void test_without_smt(void **state)
{
	static const enum smt_wish wishes[] = {SMT_PREFER, SMT_REQUIRE, SMT_ISOLATE};
	struct board board = board_of(1, 1, 1, 4, 1);
	struct ask ask;

	(void)state;
	take(&board, "1");
	for (size_t i = 0; i < N_ELEMENTS(wishes); i++) {
		ask_init(&ask, 2, 1, 0);
		ask.request.guest.threads = 2;
		ask.request.smt = wishes[i];
		expect_given(&board, &ask, "3 0 2", "");
	}
	board_deinit(&board);
}

static void test_guest_siblings(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	/* vCPU 0 was unplugged: 1 has no sibling, 2 and 3 are. */
	ask_init(&ask, 3, 0, 0);
	ask.request.guest.threads = 2;
	for (size_t i = 0; i < 3; i++)
		ask.wants[i].index++;
	expect_given(&board, &ask, "0 1 5", "");
	board_deinit(&board);
}

/* A core whose sibling is offline is whole; one in use has one CPU left as well. */
static void test_narrow_core_is_whole(void **state)
{
	struct board board = board_of(1, 1, 1, 3, 2);
	struct ask ask;

	(void)state;
	allocator_free(board.allocator);
	cpuset_drop(&board.topology->online, 3);
	topology_complete(board.topology);
	board.allocator = must(allocator_new(board.topology));
	board.available = board.topology->online;
	take(&board, "1");
	ask_init(&ask, 1, 0, 0);
	expect_given(&board, &ask, "4", "");
	ask.request.smt = SMT_ISOLATE;
	expect_given(&board, &ask, "0", "");
	board_deinit(&board);
}

static void test_beside_fixed_siblings(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	ask_init(&ask, 4, 0, 0);
	ask.request.guest.threads = 2;
	fix(&ask, 1, "9");
	expect_given(&board, &ask, "25 -1 8 24", "");
	/* Each is where its sibling is. */
	fix(&ask, 2, "12");
	expect_given(&board, &ask, "25 -1 -1 28", "");
	board_deinit(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_require),
		cmocka_unit_test(test_require_fills_own_core),
		cmocka_unit_test(test_isolate),
		cmocka_unit_test(test_isolate_narrow_cores),
		cmocka_unit_test(test_without_smt),
		cmocka_unit_test(test_guest_siblings),
		cmocka_unit_test(test_narrow_core_is_whole),
		cmocka_unit_test(test_beside_fixed_siblings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
