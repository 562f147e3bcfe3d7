// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))

static char *text;
static FILE *stream;
static size_t len;

static int open_text(void **state)
{
	(void)state;
	stream = open_memstream(&text, &len);
	return stream ? 0 : -1;
}

static int free_text(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	return 0;
}

/* Each of these lines is there once. */
static void expect_lines(const char *const *lines, size_t n)
{
	assert_int_equal(fclose(stream), 0);
	for (size_t i = 0; i < n; i++) {
		char line[256];
		const char *at;

		snprintf(line, sizeof(line), "\n%s\n", lines[i]);
		at = strstr(text, line);
		if (!at || strstr(at + 1, line))
			fail_msg("not once: %s\nin:\n%s", lines[i], text);
	}
}

static void expect_absent(const char *part)
{
	if (strstr(text, part))
		fail_msg("%s in:\n%s", part, text);
}

static void test_counters(void **state)
{
	static const char *const lines[] = {
		"cpuwarden_observer_up 1",
		"cpuwarden_observer_switches_total 5000",
		"cpuwarden_observer_lost_events_total 3",
		"cpuwarden_violations_total{vm=\"we\\\"b\\\\1\",class=\"off_set\",cause=\"own_vm\"} 2",
		"cpuwarden_violations_total{vm=\"we\\\"b\\\\1\",class=\"foreign\",cause=\"user\"} 7",
		"cpuwarden_violations_total{vm=\"we\\\"b\\\\1\",class=\"foreign\",cause=\"kthread\"} 0",
		"cpuwarden_violation_seconds_total{vm=\"we\\\"b\\\\1\",class=\"foreign\",cause=\"user\"} 1.500000000",
		"cpuwarden_observer_blind_seconds_total 1.500000000",
		"cpuwarden_settling_total{vm=\"we\\\"b\\\\1\"} 4",
		"cpuwarden_interference_seconds_total{cpu=\"1\",cause=\"bound_kthread\"} 0.000000009",
		"cpuwarden_cpu_reserved{cpu=\"1\",vm=\"we\\\"b\\\\1\"} 1",
		"cpuwarden_vcpu_run_seconds_total{vm=\"we\\\"b\\\\1\",vcpu=\"0\"} 12.000000000",
		"cpuwarden_vcpu_wait_seconds_count{vm=\"we\\\"b\\\\1\",vcpu=\"0\"} 6",
		"cpuwarden_vcpu_wait_seconds_bucket{vm=\"we\\\"b\\\\1\",vcpu=\"0\",le=\"+Inf\"} 6",
		"cpuwarden_vcpu_wait_seconds_sum{vm=\"we\\\"b\\\\1\",vcpu=\"0\"} 0.250000000",
		"# TYPE cpuwarden_vcpu_wait_seconds histogram",
	};
	struct cpu_tally cpus[2] = {{0}, {.bound_kthread = {1, 9}}};
	struct vm_tally vms[2] = {
		{.name = "we\"b\\1",
			.foreign = {[CAUSED_BY_USER] = {7, 1500000000}},
			.off_set = {2, 20},
			.settling = {4, 1}},
		{.name = "gone", .ended = true, .off_set = {9, 9}},
	};
	struct thread_tally threads[] = {
		{.tid = 11,
			.run_ns = 12000000000,
			.wait_ns = 250000000,
			.waits = {1, 2, [WAIT_BUCKETS - 1] = 3}},
		{.tid = 12, .class = THREAD_EMULATOR, .run_ns = 1},
		{.tid = 13, .vm = SIZE_MAX},
		{.tid = 14, .vm = 1},
	};
	struct reservation reserved[] = {{.cpu = 1}};
	const struct counters counters = {.now = 10,
		.start = 1,
		.programs = 1,
		.total.switches = 5000,
		.events_lost = 3,
		.cpus = cpus,
		.n_cpus = 2,
		.vms = vms,
		.n_vms = 2,
		.threads = threads,
		.n_threads = N_ELEMENTS(threads),
		.reserved = reserved,
		.n_reserved = 1};

	(void)state;
	metrics_write_counters(stream, &counters, 1500000000, true);
	expect_lines(lines, N_ELEMENTS(lines));
	expect_absent("gone");
	expect_absent("vcpu=\"1\"");
	expect_absent("irq");
}

static void test_without_an_observer(void **state)
{
	static const char *const lines[] = {"cpuwarden_observer_up 0"};

	(void)state;
	metrics_write_counters(stream, NULL, 0, true);
	expect_lines(lines, N_ELEMENTS(lines));
	expect_absent("violations");
}

static void test_placement(void **state)
{
	static const struct partition_metric partitions[] = {
		{"web1", "vcpu0", true}, {"web1", "vcpu1", false}};
	static const struct vm_metric vms[] = {{"web1", true}, {"web2", false}};
	static const struct repair_metric repairs[] = {{"web1", "move-thread", 3}};
	static const char *const lines[] = {
		"cpuwarden_partition_valid{vm=\"web1\",group=\"vcpu0\"} 1",
		"cpuwarden_partition_valid{vm=\"web1\",group=\"vcpu1\"} 0",
		"cpuwarden_placement_degraded{vm=\"web1\"} 1",
		"cpuwarden_placement_degraded{vm=\"web2\"} 0",
		"cpuwarden_repairs_total{vm=\"web1\",reason=\"move-thread\"} 3",
		"cpuwarden_reconcile_seconds_bucket{le=\"0.001\"} 2",
		"cpuwarden_reconcile_seconds_bucket{le=\"0.02\"} 3",
		"cpuwarden_reconcile_seconds_bucket{le=\"+Inf\"} 4",
		"cpuwarden_reconcile_seconds_count 4",
		"cpuwarden_reconcile_seconds_sum 2.012000001",
		"cpuwarden_config_broken 1",
		"cpuwarden_build_info{version=\"1\",kernel=\"6.1\",libbpf=\"1.1\"} 1",
	};
	struct reconcile_metric reconcile = {};
	struct placement_metrics metrics = {.partitions = partitions,
		.n_partitions = 2,
		.vms = vms,
		.n_vms = 2,
		.config_broken = true,
		.version = "1",
		.kernel = "6.1",
		.libbpf = "1.1"};

	(void)state;
	reconcile_add(&reconcile, 1);
	reconcile_add(&reconcile, 1000000);
	reconcile_add(&reconcile, 11000000);
	reconcile_add(&reconcile, 2000000000);
	metrics_write_placement(stream, &metrics);
	metrics_write_work(stream, repairs, 1, &reconcile);
	/* The first line has no line before it. */
	expect_lines(lines, N_ELEMENTS(lines));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counters, open_text, free_text),
		cmocka_unit_test_setup_teardown(
			test_without_an_observer, open_text, free_text),
		cmocka_unit_test_setup_teardown(test_placement, open_text, free_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
