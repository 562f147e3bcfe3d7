// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plan for a big host stays cheap. The bounds are generous, for other work on the
 * machine: what they catch is time that grows with the square. tests/bench/plan.c has the
 * figures.
 */
#include "tests/unit/big_host.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 20 };
#else
enum { SLOWER = 1 };
#endif

enum { N_VMS = 500, RUNS = 3, DESIRED_MS = 200, ONE_MORE_MS = 50, WALK_MS = 1000 };

/* The least of several. */
static double time_of_desired(struct host *host)
{
	double least = 0;

	for (int i = 0; i < RUNS; i++) {
		double begin = cpu_ms(), took;

		compute(host);
		took = cpu_ms() - begin;
		if (!i || took < least)
			least = took;
	}
	return least;
}

static void expect_below(const char *what, double ms, int bound)
{
	if (ms > bound * SLOWER)
		fail_msg("%s: %.1f ms, %d at most", what, ms, bound * SLOWER);
}

static void test_a_plan_for_a_big_host(void **state)
{
	struct desired placed;
	struct host host;
	double begin;

	(void)state;
	big_host_init(&host);
	big_host_add(&host, 0, N_VMS);
	expect_below("500 VMs from nothing", time_of_desired(&host), DESIRED_MS);
	begin = cpu_ms();
	placed = big_host_place(&host);
	expect_below("and their steps", cpu_ms() - begin, WALK_MS);
	for (size_t i = 0; i < placed.n_vms; i++)
		assert_int_equal(placed.vms[i].kind, DESIRED_PLACED);
	big_host_add(&host, N_VMS, 1);
	expect_below("one more", time_of_desired(&host), ONE_MORE_MS);
	assert_int_equal(wanted(&host, "vm0500")->kind, DESIRED_PLACED);
	for (size_t i = 0; i < placed.n_vms; i++)
		assert_true(cpuset_equal(
			&placed.vms[i].reserved, &host.desired.vms[i].reserved));
	desired_deinit(&placed);
	host_deinit(&host);
}

/* One after the other is refused with what it had taken: no reason to begin anew for
 * each. */
static void test_many_that_are_refused(void **state)
{
	char name[16], cpu[16];
	struct host host;

	(void)state;
	big_host_init(&host);
	big_host_add(&host, 0, N_VMS);
	keep_house(&host, "0-511");
	for (unsigned int i = 0; i < N_VMS; i++) {
		snprintf(name, sizeof(name), "vm%04u", i);
		snprintf(cpu, sizeof(cpu), "%u", 512 + i);
		pin_vcpu(&host, name, 0, cpu);
	}
	expect_below("500 VMs, most refused", time_of_desired(&host), 20 * DESIRED_MS);
	host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plan_for_a_big_host),
		cmocka_unit_test(test_many_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
