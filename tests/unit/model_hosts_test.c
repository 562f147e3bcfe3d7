// SPDX-License-Identifier: GPL-2.0-or-later
/* The hosts that other tests are made on are what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/hosts.h"

static void expect_place(
	const struct topology *topology, unsigned int cpu, struct cpu_place expected)
{
	assert_memory_equal(&topology->places[cpu], &expected, sizeof(expected));
}

static void test_threads_last(void **state)
{
	struct topology topology = topology_build(2, 2, 2, 3, 2, THREADS_LAST);

	(void)state;
	assert_int_equal(cpuset_weight(&topology.online), 48);
	assert_int_equal(topology.n_packages, 2);
	assert_int_equal(topology.n_nodes, 4);
	assert_int_equal(topology.n_caches, 8);
	assert_int_equal(topology.n_cores, 24);
	expect_place(&topology, 0, (struct cpu_place){0, 0, 0, 0});
	expect_place(&topology, 24, (struct cpu_place){0, 0, 0, 0});
	expect_place(&topology, 23, (struct cpu_place){3, 1, 7, 23});
	expect_place(&topology, 47, (struct cpu_place){3, 1, 7, 23});
}

static void test_threads_first(void **state)
{
	struct topology topology = topology_build(1, 2, 1, 2, 2, THREADS_FIRST);

	(void)state;
	expect_place(&topology, 1, (struct cpu_place){0, 0, 0, 0});
	expect_place(&topology, 2, (struct cpu_place){0, 0, 0, 1});
	expect_place(&topology, 7, (struct cpu_place){1, 0, 1, 3});
}

static void test_nodes_in_turn(void **state)
{
	struct topology topology = topology_build(2, 1, 1, 2, 2, NODES_IN_TURN);

	(void)state;
	expect_place(&topology, 0, (struct cpu_place){0, 0, 0, 0});
	expect_place(&topology, 1, (struct cpu_place){1, 1, 1, 1});
	expect_place(&topology, 2, (struct cpu_place){0, 0, 0, 2});
	expect_place(&topology, 5, (struct cpu_place){1, 1, 1, 1});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_last),
		cmocka_unit_test(test_threads_first),
		cmocka_unit_test(test_nodes_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
