// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits on what is no violation: told when they are surely exceeded, and only then. */
#include "tests/unit/build_host.h"
#include "user/model/limits.h"

#define SECOND UINT64_C(1000000000)

static struct vm_tally vms[] = {{.name = "web1"}, {.name = "web2"}};
static struct thread_tally threads[2];
static struct cpu_tally tallies[8];
static struct reservation reserved[] = {{.cpu = 4, .vm = 0}, {.cpu = 5, .vm = 1}};
static struct counters counters;
static struct limits limits;

static int enter(void **state)
{
	(void)state;
	memset(threads, 0, sizeof(threads));
	memset(tallies, 0, sizeof(tallies));
	for (size_t i = 0; i < 2; i++) {
		threads[i].class = THREAD_VCPU;
		threads[i].vm = i;
		threads[i].waits[0] = 1000;
	}
	counters = (struct counters){.now = 100 * SECOND,
		.vms = vms,
		.n_vms = 2,
		.threads = threads,
		.n_threads = 2,
		.cpus = tallies,
		.n_cpus = 8,
		.reserved = reserved,
		.n_reserved = 2};
	limits = (struct limits){};
	return 0;
}

static void expect(const char *only, const char *sentence)
{
	struct limit_figures figures;
	struct problem problem = {};

	limits_measure(&limits, &counters, NULL, only, &figures);
	assert_int_equal(
		limits_tell(&limits, &counters, &figures, &problem), *sentence != '\0');
	assert_string_equal(problem.text, sentence);
}

static void test_waits(void **state)
{
	(void)state;
	limits.wait_p99_ns = 1024;
	expect(NULL, "");
	/* Just 1 % is not more than that. */
	threads[1].waits[0] = 990;
	threads[1].waits[1] = 10;
	expect(NULL, "");
	threads[1].waits[1] = 11;
	expect(NULL,
		"vCPU 0 of web2 waited for its CPU longer than 0.001024 ms in more than 1% of its runs");
	expect("web1", "");
	/* In that bucket some may be shorter. */
	limits.wait_p99_ns = 1025;
	expect(NULL, "");
	limits.wait_p99_ns = 0;
	expect(NULL, "");
}

/* The last bucket has no end. */
static void test_longest(void **state)
{
	struct limit_figures figures;

	(void)state;
	threads[0].waits[14] = 100;
	threads[1].waits[15] = 100;
	limits_measure(&limits, &counters, NULL, NULL, &figures);
	assert_ptr_equal(figures.slowest, &threads[1]);
	assert_int_equal(figures.wait_p99_ns, 0);
	limits.wait_p99_ns = 16 * 1024 * 1024;
	expect(NULL,
		"vCPU 0 of web2 waited for its CPU longer than 16.777216 ms in more than 1% of its runs");
}

static void test_interference(void **state)
{
	struct limit_figures figures;
	struct past before;

	(void)state;
	tallies[5].bound_kthread.ns = SECOND / 2;
	limits.interference_ppm = 5000;
	expect(NULL, "");
	tallies[5].interrupts.ns = SECOND / 10;
	expect(NULL, "the kernel's own work took 0.6% of CPU 5, more than 0.5%");
	expect("web1", "");
	before = (struct past){.time = 50 * SECOND, .full = true};
	limits_measure(&limits, &counters, &before, NULL, &figures);
	assert_int_equal(figures.interference_ppm, 12000);
	/* What was taken from it before it was this VM's is no loss of this one's. */
	reserved[1].since = 60 * SECOND;
	limits_measure(&limits, &counters, &before, NULL, &figures);
	assert_int_equal(figures.cpu, 4);
	assert_int_equal(figures.interference_ppm, 0);
	reserved[1].since = 0;
	/* A CPU that nobody has is nobody's loss. */
	reserved[1].cpu = 6;
	expect(NULL, "");
	reserved[1].cpu = 5;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_waits, enter),
		cmocka_unit_test_setup(test_longest, enter),
		cmocka_unit_test_setup(test_interference, enter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
