// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/isolation.c on files that were captured, and damaged. */
#include "tests/unit/isolation_root.h"

static void assert_fact(
	const struct fact_cpus *fact, enum fact_state state, const char *wanted)
{
	assert_int_equal(fact->state, state);
	expect_cpus(&fact->cpus, wanted);
}

static void test_host(void **state)
{
	(void)state;
	read_facts();
	assert_fact(&facts.isolated, FACT_KNOWN, "");
	assert_fact(&facts.nohz_full, FACT_KNOWN, "6-7");
	assert_fact(&facts.rcu_nocbs, FACT_ABSENT, "");
	assert_fact(&facts.managed_irq, FACT_KNOWN, "6-7");
	assert_fact(&facts.workqueues, FACT_KNOWN, "0-3");
	assert_fact(&facts.workqueues_isolated, FACT_KNOWN, "6-7");
	assert_fact(&facts.irq_default, FACT_KNOWN, "0-7");
	assert_fact(&facts.watchdog_cpus, FACT_KNOWN, "0-7");
	assert_string_equal(facts.watchdog.text, "1");
	assert_string_equal(facts.nmi_watchdog.text, "0");
	assert_string_equal(facts.timer_migration.text, "1");
	assert_string_equal(facts.numa_balancing.text, "1");
	assert_string_equal(facts.thp.text, "always [madvise] never");
	assert_string_equal(facts.ksm.text, "0");
	assert_int_equal(facts.sched_ext.state, FACT_ABSENT);
	assert_int_equal(facts.kernel_threads.state, FACT_UNREAD);
}

/* 6.12 and before, where no nohz_full= was given. */
static void test_null_mask(void **state)
{
	(void)state;
	put(FILE_NOHZ_FULL, "  (null)");
	put(FILE_ISOLATED, "(nil)");
	take_away(FILE_WQ_ISOLATED);
	read_facts();
	assert_fact(&facts.nohz_full, FACT_KNOWN, "");
	assert_fact(&facts.isolated, FACT_UNREAD, "");
	assert_fact(&facts.workqueues_isolated, FACT_ABSENT, "");
}

static void test_domains(void **state)
{
	(void)state;
	read_facts();
	assert_int_equal(facts.domains, FACT_KNOWN);
	assert_int_equal(facts.n_spans, 8);
	expect_cpus(&facts.spans[1], "0-3");
	expect_cpus(&facts.spans[2], "");

	put(FILE_SCHEDSTAT, "version 17\ntimestamp 1\ncpu0 0 0\ndomain0 SMT 03 1\n"
			    "domain1 MC 0f 1\ncpu7 0 0");
	read_facts();
	expect_cpus(&facts.spans[0], "0-3");
	expect_cpus(&facts.spans[7], "");
}

static void test_domains_that_make_no_sense(void **state)
{
	static const char *const texts[] = {"cpu0 0 0\ndomain0 03 1",
		"version 16\ncpu0 0\ndomain0 SMT 03", "version 16\ncpu8 0\ndomain0 03",
		"version 16\ncpux 0", "version 16\ndomain0 03",
		"version 16\ncpu0 1\ndomain0"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		put(FILE_SCHEDSTAT, texts[i]);
		read_facts();
		assert_int_equal(facts.domains, FACT_UNREAD);
		assert_int_equal(facts.n_spans, 0);
	}
	take_away(FILE_SCHEDSTAT);
	read_facts();
	assert_int_equal(facts.domains, FACT_ABSENT);
}

static void test_timers(void **state)
{
	(void)state;
	read_facts();
	assert_int_equal(facts.timer_pull, PULL_IN_DOMAIN);
	put(FILE_TRACE_EVENTS "/timer_migration/tmigr_cpu_offline/id", "1");
	read_facts();
	assert_int_equal(facts.timer_pull, PULL_ALL);
	put(FILE_TRACE_EVENTS "/timer_migration/tmigr_cpu_unavailable/id", "1");
	read_facts();
	assert_int_equal(facts.timer_pull, PULL_NOT_ISOLATED);
	take_away(FILE_TRACE_EVENTS);
	read_facts();
	assert_int_equal(facts.timer_pull, PULL_UNKNOWN);
}

static void test_irqs(void **state)
{
	(void)state;
	read_facts();
	assert_int_equal(facts.irqs_state, FACT_KNOWN);
	assert_int_equal(facts.n_irqs, 3);
	assert_int_equal(facts.irqs[0].number, 9);
	assert_int_equal(facts.irqs[1].number, 24);
	assert_string_equal(facts.irqs[1].actions, "eth0");
	expect_cpus(&facts.irqs[1].allowed, "0-7");
	expect_cpus(&facts.irqs[1].effective, "3");
	assert_false(facts.irqs[1].fixed);
	assert_true(facts.irqs[2].fixed);

	/* Without the effective affinity it is wherever it may be. */
	take_away("/proc/irq/24/effective_affinity_list");
	take_away("/proc/irq/37");
	read_facts();
	assert_int_equal(facts.n_irqs, 2);
	expect_cpus(&facts.irqs[1].effective, "0-7");
	take_away(FILE_IRQS);
	read_facts();
	assert_int_equal(facts.irqs_state, FACT_ABSENT);
}

static void test_long_name(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	put_irq(24, name, "0-7", "3");
	read_facts();
	assert_string_equal(facts.irqs[1].actions, "shared");
}

static void test_power(void **state)
{
	(void)state;
	put_power(5, "performance");
	put(FILE_CPUS "/cpu6/cpufreq/scaling_available_governors",
		"schedutil performances");
	read_facts();
	assert_int_equal(facts.n_power, 8);
	assert_string_equal(facts.power[4].governor, "powersave");
	assert_true(facts.power[4].offers_performance);
	assert_string_equal(facts.power[5].governor, "performance");
	assert_false(facts.power[6].offers_performance);
	assert_string_equal(facts.power[4].idle_name, "C6");
	assert_int_equal(facts.power[4].idle_latency_us, 133);
	assert_string_equal(facts.power[5].idle_name, "");
}

static void test_idle_states_that_may_not_be_used(void **state)
{
	(void)state;
	put_idle(4, 2, "C6", "133", "1");
	read_facts();
	assert_string_equal(facts.power[4].idle_name, "C1");
	put_idle(4, 2, "C6", "133", "0");
	put(FILE_CPUS "/cpu4/power/pm_qos_resume_latency_us", "100");
	read_facts();
	assert_string_equal(facts.power[4].idle_name, "C1");
	put(FILE_CPUS "/cpu4/power/pm_qos_resume_latency_us", "n/a");
	read_facts();
	assert_string_equal(facts.power[4].idle_name, "POLL");
	put(FILE_CPUS "/cpu4/power/pm_qos_resume_latency_us", "0");
	read_facts();
	assert_string_equal(facts.power[4].idle_name, "C6");
}

static void test_nodes(void **state)
{
	(void)state;
	read_facts();
	assert_int_equal(facts.n_nodes, 2);
	assert_int_equal(facts.nodes[0].node, 0);
	assert_int_equal(facts.nodes[0].total_kib, 4000000);
	assert_int_equal(facts.nodes[1].free_kib, 1000000);
	assert_int_equal(facts.nodes[1].huge_total, 8);
	assert_int_equal(facts.nodes[1].huge_free, 5);
}

static void put_environment(const char *text, size_t size)
{
	char path[128];
	cleanup_fclose FILE *file = NULL;

	put("/proc/77/comm", "irqbalance");
	snprintf(path, sizeof(path), "%s/proc/77/environ", root);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
}

static void test_irqbalance(void **state)
{
	static const char list[] = "PATH=/bin\0IRQBALANCE_BANNED_CPULIST=4-5,7\0A=b",
			  mask[] = "IRQBALANCE_BANNED_CPUS=000000f0",
			  none[] = "IRQBALANCE_BANNED_CPULIST=\0X=y",
			  bad[] = "IRQBALANCE_BANNED_CPULIST=4-x";

	(void)state;
	put("/proc/76/comm", "irqbalance-ui");
	read_facts();
	assert_false(facts.irqbalance.running);
	put_environment(list, sizeof(list));
	read_facts();
	assert_true(facts.irqbalance.running);
	assert_fact(&facts.irqbalance.banned, FACT_KNOWN, "4-5,7");
	assert_fact(&facts.irqbalance.configured, FACT_ABSENT, "");
	put_environment(mask, sizeof(mask));
	put("/etc/default/irqbalance",
		"# IRQBALANCE_BANNED_CPULIST=1\n  IRQBALANCE_BANNED_CPULIST=\"4-7\"");
	read_facts();
	assert_fact(&facts.irqbalance.banned, FACT_KNOWN, "4-7");
	assert_fact(&facts.irqbalance.configured, FACT_KNOWN, "4-7");
	put_environment(none, sizeof(none));
	read_facts();
	assert_fact(&facts.irqbalance.banned, FACT_ABSENT, "");
	put_environment(bad, sizeof(bad));
	read_facts();
	assert_int_equal(facts.irqbalance.banned.state, FACT_UNREAD);
}

static void test_no_root(void **state)
{
	struct host_facts none;

	(void)state;
	assert_int_equal(host_facts_read_at("/nonexistent", &none, &problem), -ENOENT);
	assert_string_equal(
		problem.text, "cannot open /nonexistent: No such file or directory");
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, enter_root, leave_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOT(test_host),
		IN_ROOT(test_null_mask),
		IN_ROOT(test_domains),
		IN_ROOT(test_domains_that_make_no_sense),
		IN_ROOT(test_timers),
		IN_ROOT(test_irqs),
		IN_ROOT(test_long_name),
		IN_ROOT(test_power),
		IN_ROOT(test_idle_states_that_may_not_be_used),
		IN_ROOT(test_nodes),
		IN_ROOT(test_irqbalance),
		IN_ROOT(test_no_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
