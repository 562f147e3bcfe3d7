/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A host on which requests are tried one by one; what is taken is said by the test. */
#include "tests/unit/ask.h"

struct board {
	struct topology *topology; /* large, and borrowed by the allocator */
	struct allocator *allocator;
	struct cpuset available;
};

static inline struct board board_of(unsigned int packages, unsigned int nodes,
	unsigned int caches, unsigned int cores, unsigned int threads)
{
	struct board board = {.topology = must(calloc(1, sizeof(*board.topology)))};

	*board.topology =
		topology_build(packages, nodes, caches, cores, threads, THREADS_LAST);
	board.allocator = must(allocator_new(board.topology));
	board.available = board.topology->online;
	return board;
}

static inline void board_deinit(struct board *board)
{
	allocator_free(board->allocator);
	free(board->topology);
}

static inline void take(struct board *board, const char *list)
{
	struct cpuset taken;

	assert_int_equal(cpulist_parse(list, &board->topology->online, &taken, NULL), 0);
	cpuset_andnot(&board->available, &taken);
}

static inline void fix(struct ask *ask, size_t want, const char *list)
{
	struct cpuset set = cpus(list);

	ask_fix(ask, want, &set);
}

/* The CPU of each want in turn; a NULL `spare` is not looked at. */
static inline void expect_given(struct board *board, const struct ask *ask,
	const char *expected, const char *spare)
{
	struct placement placement;
	struct problem problem = {};
	char text[256] = "";

	if (allocator_place(board->allocator, &ask->request, &board->available, NULL,
		    &placement, &problem))
		fail_msg("no place: %s", problem.text);
	for (size_t i = 0; i < placement.n_cpus; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d",
			i ? " " : "", placement.cpus[i]);
	assert_string_equal(text, expected);
	if (spare)
		expect_cpus(&placement.spare, spare);
	placement_deinit(&placement);
}

static inline void expect_refused(
	struct board *board, const struct ask *ask, const char *expected)
{
	struct placement placement;
	struct problem problem = {};

	assert_int_equal(allocator_place(board->allocator, &ask->request,
				 &board->available, NULL, &placement, &problem),
		1);
	assert_string_equal(problem.text, expected);
}
