// SPDX-License-Identifier: GPL-2.0-or-later
/* What the allocator says: why there is no place, and why it is this one. */
#include "tests/unit/allocator_board.h"

static void test_too_few(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "0-3");
	ask_init(&ask, 4, 1, 1);
	expect_refused(&board, &ask, "6 CPUs are wanted, 4 are free: 2 more would do");
	take(&board, "5-7");
	ask_init(&ask, 1, 1, 0);
	expect_refused(&board, &ask, "2 CPUs are wanted, 1 is free: 1 more would do");
	board_deinit(&board);
}

static void test_single(void **state)
{
	struct board board = board_of(2, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "0-2,8-10,4-5,12-13");
	ask_init(&ask, 5, 1, 0);
	ask.request.numa = NUMA_SINGLE;
	expect_refused(&board, &ask,
		"6 CPUs are wanted within one node (numa = single), the most that a node has "
		"free is 4 (node 1): numa = prefer would take 2 nodes");
	fix(&ask, 1, "3");
	expect_refused(&board, &ask,
		"5 CPUs are wanted within one node (numa = single), what is free where others "
		"are fixed is 1 (node 0): numa = prefer would take 2 nodes");
	fix(&ask, 2, "6");
	expect_refused(&board, &ask,
		"CPUs of 2 nodes are fixed, and one node is wanted (numa = single): numa = "
		"prefer would take 2 nodes");
	ask_init(&ask, 7, 0, 0);
	ask.request.numa = NUMA_SINGLE;
	expect_refused(&board, &ask,
		"7 CPUs are wanted within one node (numa = single), the most that a node has "
		"free is 4 (node 1): even with numa = prefer and smt = prefer 1 more would have "
		"to be free");
	board_deinit(&board);
}

static void test_require(void **state)
{
	struct board board = board_of(2, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "0-2,4-5");
	ask_init(&ask, 7, 0, 0);
	ask.request.smt = SMT_REQUIRE;
	expect_refused(&board, &ask,
		"7 CPUs of whole cores are wanted (smt = require), 6 are free: smt = prefer "
		"would fit");
	ask_init(&ask, 5, 0, 0);
	ask.request.smt = SMT_REQUIRE;
	ask.request.numa = NUMA_SINGLE;
	/* One node would do if it were to share cores. */
	expect_refused(&board, &ask,
		"5 CPUs of whole cores are wanted within one node (numa = single, smt = "
		"require), the most that a node has free is 4 (node 1): numa = prefer would "
		"take 2 nodes");
	ask_init(&ask, 7, 0, 0);
	ask.request.smt = SMT_REQUIRE;
	ask.request.numa = NUMA_SINGLE;
	expect_refused(&board, &ask,
		"7 CPUs of whole cores are wanted within one node (numa = single, smt = "
		"require), the most that a node has free is 4 (node 1): numa = prefer with smt "
		"= prefer would take 2 nodes");
	fix(&ask, 0, "8");
	expect_refused(&board, &ask,
		"CPU 8, which is fixed, shares core 0 with CPU 0, which is not free (smt = "
		"require): numa = prefer with smt = prefer would take 2 nodes");
	board_deinit(&board);
}

static void test_isolate(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "0");
	ask_init(&ask, 4, 0, 0);
	ask.request.smt = SMT_ISOLATE;
	expect_refused(&board, &ask,
		"4 whole cores are wanted (smt = isolate), 3 are free: smt = prefer would fit");
	take(&board, "4");
	ask_init(&ask, 3, 1, 0);
	ask.request.smt = SMT_ISOLATE;
	expect_refused(&board, &ask,
		"3 whole cores and 1 CPU beside are wanted (smt = isolate), 3 whole cores, 6 "
		"CPUs in all are free: smt = prefer would fit");
	ask_init(&ask, 2, 0, 0);
	ask.request.smt = SMT_ISOLATE;
	fix(&ask, 0, "1");
	fix(&ask, 1, "5");
	expect_refused(&board, &ask,
		"vCPU 0 and vCPU 1 are fixed to the same core (1), and a vCPU is to be alone on "
		"its core (smt = isolate): smt = prefer would fit");
	board_deinit(&board);
}

static void test_not_allowed(void **state)
{
	struct board board = board_of(1, 1, 1, 4, 2);
	struct cpuset allowed = cpus("1-2");
	struct ask ask;

	(void)state;
	ask_init(&ask, 3, 0, 0);
	ask_allow(&ask, &allowed);
	expect_refused(&board, &ask,
		"3 CPUs are wanted, 2 are free: all free CPUs, not only those allowed, would "
		"do");
	board_deinit(&board);
}

static void expect_lines(
	struct board *board, const struct ask *ask, const char *const *lines)
{
	struct explanation explanation = {};
	struct placement placement = {};
	size_t n = 0;
	int r = allocator_place(board->allocator, &ask->request, &board->available,
		&explanation, &placement, NULL);

	assert_true(r >= 0);
	for (; lines[n]; n++) {
		if (n >= explanation.n_lines)
			fail_msg("missing: %s", lines[n]);
		assert_string_equal(explanation.lines[n], lines[n]);
	}
	if (n < explanation.n_lines)
		fail_msg("too much: %s", explanation.lines[n]);
	if (!r)
		placement_deinit(&placement);
	explanation_deinit(&explanation);
}

static void test_explain(void **state)
{
	struct board board = board_of(2, 1, 2, 4, 2);
	struct ask ask;

	(void)state;
	take(&board, "0-5,8-10,16-23,26");
	ask_init(&ask, 4, 1, 0);
	ask.request.guest.threads = 2;
	/* clang-format off */
	expect_lines(&board, &ask, (const char *const[]){
		"node 0: 2 CPUs free, 5 wanted",
		"node 1, cache 2: fits, but tears more siblings apart",
		"chosen: node 1, cache 3",
		"vCPU 0-1 on core 12 (CPU 12,28): siblings as in the guest",
		"vCPU 2-3 on core 13 (CPU 13,29): siblings as in the guest",
		"the emulator on core 14 (CPU 14): the vCPUs' cache, a core that was free",
		NULL});
	/* clang-format on */
	board_deinit(&board);
}

static void test_explain_idle(void **state)
{
	struct board board = board_of(2, 1, 2, 2, 2);
	struct ask ask;

	(void)state;
	take(&board, "0,4,8");
	ask_init(&ask, 2, 0, 1);
	ask.request.smt = SMT_ISOLATE;
	/* clang-format off */
	expect_lines(&board, &ask, (const char *const[]){
		"node 0, cache 0: 1 whole core free, 2 wanted (smt = isolate)",
		"node 1, cache 2: 1 whole core free, 2 wanted (smt = isolate)",
		"node 0, cache 1: fits, but breaks into more whole cores",
		"chosen: node 1, cache 3",
		"vCPU 0 on core 6 (CPU 6)",
		"vCPU 1 on core 7 (CPU 7)",
		"iothread 1 on core 4 (CPU 12): the vCPUs' node, a core in use already",
		"CPU 14-15 stays idle (smt = isolate)",
		NULL});
	/* clang-format on */
	board_deinit(&board);
}

static void test_explain_fixed(void **state)
{
	struct board board = board_of(2, 1, 2, 2, 2);
	struct ask ask;

	(void)state;
	ask_init(&ask, 2, 0, 0);
	fix(&ask, 0, "5");
	ask.request.numa = NUMA_SINGLE;
	/* clang-format off */
	expect_lines(&board, &ask, (const char *const[]){
		"node 0: a CPU that is fixed is in another node",
		"chosen: node 1, cache 2",
		"vCPU 1 on core 5 (CPU 13)",
		NULL});
	/* clang-format on */
	board_deinit(&board);
}

/* The vCPUs alone would fit. */
static void test_explain_emulator(void **state)
{
	struct board board = board_of(2, 1, 1, 4, 1);
	struct ask ask;

	(void)state;
	ask_init(&ask, 4, 1, 0);
	ask.request.numa = NUMA_SINGLE;
	/* clang-format off */
	expect_lines(&board, &ask, (const char *const[]){
		"node 0: 4 CPUs free, 5 wanted",
		"node 1: 4 CPUs free, 5 wanted",
		NULL});
	/* clang-format on */
	board_deinit(&board);
}

static void test_explain_nodes(void **state)
{
	struct board board = board_of(2, 2, 1, 2, 2);
	struct ask ask;

	(void)state;
	take(&board, "0,2");
	ask_init(&ask, 6, 1, 0);
	/* clang-format off */
	expect_lines(&board, &ask, (const char *const[]){
		"node 0: 3 CPUs free, 7 wanted",
		"node 1: 3 CPUs free, 7 wanted",
		"node 2: 4 CPUs free, 7 wanted",
		"node 3: 4 CPUs free, 7 wanted",
		"2 nodes at once: fits, but takes more packages",
		"chosen: nodes 2-3, caches 2-3",
		"vCPU 0-1 on core 4 (CPU 4,12)",
		"vCPU 2-3 on core 6 (CPU 6,14)",
		"vCPU 4-5 on core 7 (CPU 7,15)",
		"the emulator on core 5 (CPU 5): the vCPUs' cache, a core that was free",
		NULL});
	/* What is refused is explained as well. */
	ask_init(&ask, 20, 0, 0);
	expect_lines(&board, &ask, (const char *const[]){
		"node 0: 3 CPUs free, 20 wanted",
		"node 1: 3 CPUs free, 20 wanted",
		"node 2: 4 CPUs free, 20 wanted",
		"node 3: 4 CPUs free, 20 wanted",
		NULL});
	/* clang-format on */
	board_deinit(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_require),
		cmocka_unit_test(test_isolate),
		cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_explain_idle),
		cmocka_unit_test(test_explain_fixed),
		cmocka_unit_test(test_explain_emulator),
		cmocka_unit_test(test_explain_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
