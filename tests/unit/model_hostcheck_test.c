// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Judgement, subject by subject: a host with 8 CPUs on 2 nodes, where 4-5 are in isolated
 * partitions and 6 is in a root partition. Each test changes one fact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cpu_lists.h"
#include "user/model/hostcheck.h"

static struct host_facts facts;
static struct reserved reserved;
static struct topology topology;
static struct hostcheck check;
static struct irq irqs[7];
static struct cpuset spans[8];
static struct cpu_power power[8];
static struct node_memory nodes[2];

static struct fact_cpus known(const char *list)
{
	return (struct fact_cpus){.state = FACT_KNOWN, .cpus = cpus(list)};
}

static struct fact_text word(const char *text)
{
	struct fact_text fact = {.state = FACT_KNOWN};

	snprintf(fact.text, sizeof(fact.text), "%s", text);
	return fact;
}

static void reserve(const char *isolated, const char *root)
{
	reserved = (struct reserved){.isolated = cpus(isolated), .root = cpus(root)};
	reserved.cpus = reserved.isolated;
	cpuset_or(&reserved.cpus, &reserved.root);
}

static void put_irq(size_t i, unsigned int number, const char *allowed,
	const char *effective, bool fixed)
{
	irqs[i] = (struct irq){.number = number,
		.fixed = fixed,
		.allowed = cpus(allowed),
		.effective = cpus(effective)};
	snprintf(irqs[i].actions, sizeof(irqs[i].actions), "dev%u", number);
	facts.n_irqs = i + 1;
}

static void put_topology(void)
{
	topology.online = topology.present = topology.possible = cpus("0-7");
	topology.first_cores = cpus("0,4");
	for (int cpu = 0; cpu < 8; cpu++)
		topology.places[cpu].node = (uint16_t)(cpu / 4);
}

/* All as well as can be. */
static int enter(void **state)
{
	(void)state;
	memset(&topology, 0, sizeof(topology));
	put_topology();
	reserve("4-5", "6");
	for (int cpu = 0; cpu < 8; cpu++) {
		bool alone = cpu >= 4 && cpu <= 6;

		spans[cpu] = cpus(alone ? "" : "0-3,7");
		power[cpu] = (struct cpu_power){.governor = "performance",
			.offers_performance = true,
			.idle_name = "C1",
			.idle_latency_us = 2};
	}
	nodes[0] =
		(struct node_memory){.total_kib = 4096 * 1024, .free_kib = 1024 * 1024};
	nodes[1] = nodes[0];
	nodes[1].node = 1;
	nodes[1].huge_total = 8;
	nodes[1].huge_free = 5;
	facts = (struct host_facts){.isolated = known(""),
		.nohz_full = known("4-6"),
		.rcu_nocbs.state = FACT_ABSENT,
		.managed_irq = known("4-6"),
		.domains = FACT_KNOWN,
		.spans = spans,
		.n_spans = 8,
		.workqueues = known("0-3"),
		.workqueues_isolated = known("4-5"),
		.kernel_threads = known("0-3"),
		.timer_pull = PULL_NOT_ISOLATED,
		.timer_migration = word("1"),
		.irqs_state = FACT_KNOWN,
		.irqs = irqs,
		.irq_default = known("0-3"),
		.watchdog = word("1"),
		.nmi_watchdog = word("0"),
		.watchdog_cpus = known("0-3"),
		.numa_balancing = word("0"),
		.thp = word("always madvise [never]"),
		.ksm = word("0"),
		.sched_ext = word("disabled"),
		.power = power,
		.n_power = 8,
		.nodes = nodes,
		.n_nodes = 2};
	put_irq(0, 24, "0-3", "1", false);
	put_irq(1, 37, "0", "0", true);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	hostcheck_deinit(&check);
	return 0;
}

static void judge(void)
{
	hostcheck_deinit(&check);
	assert_int_equal(hostcheck_compute(&facts, &reserved, &topology, &check), 0);
}

/* The row of a subject that is about just these CPUs. */
static const struct check_row *row_of(const char *subject, const char *list)
{
	for (size_t i = 0; i < check.n_rows; i++) {
		const struct check_row *row = &check.rows[i];
		struct cpuset wanted = cpus(list);

		if (!strcmp(row->subject, subject) && cpuset_equal(&row->cpus, &wanted))
			return row;
	}
	fail_msg("no row %s %s", subject, list);
	return NULL;
}

static void expect(const char *subject, const char *cpus, enum check_state state,
	const char *found, const char *remedy)
{
	const struct check_row *row = row_of(subject, cpus);

	assert_string_equal(check_state_name(row->state), check_state_name(state));
	assert_string_equal(row->found, found);
	if (remedy)
		assert_string_equal(row->remedy, remedy);
	else
		assert_null(row->remedy);
}

/* Each CPU is in one row of each subject, and each row says all. */
static void test_all_is_well(void **state)
{
	(void)state;
	judge();
	for (size_t i = 0; i < check.n_rows; i++) {
		const struct check_row *row = &check.rows[i];
		struct cpuset seen = {};

		assert_int_equal(row->state, CHECK_OK);
		assert_null(row->remedy);
		assert_true(
			*row->found && *row->meaning && *row->source && *row->documented);
		for (size_t j = 0; j < check.n_rows; j++)
			if (!strcmp(check.rows[j].subject, row->subject)) {
				assert_false(
					cpuset_intersects(&seen, &check.rows[j].cpus));
				cpuset_or(&seen, &check.rows[j].cpus);
			}
		assert_true(cpuset_equal(&seen, &reserved.cpus));
	}
	assert_false(hostcheck_has(&check, CHECK_WARNING));
	assert_true(hostcheck_has(&check, CHECK_OK));
}

static void test_partition(void **state)
{
	(void)state;
	cpuset_add(&reserved.cpus, 7);
	judge();
	expect("partition", "4-5", CHECK_OK, "isolated", NULL);
	expect("partition", "6", CHECK_OK, "root", NULL);
	expect("partition", "7", CHECK_WARNING, "none", "`cpuwarden apply`");
	expect("load_balancing", "7", CHECK_WARNING,
		"in a sched domain with CPUs that are not reserved", "`cpuwarden apply`");
}

static void test_load_balancing(void **state)
{
	(void)state;
	reserve("4", "5-6");
	spans[5] = spans[6] = cpus("5-6");
	judge();
	expect("load_balancing", "4", CHECK_OK, "in no sched domain", NULL);
	expect("load_balancing", "5-6", CHECK_OK,
		"in sched domains of reserved CPUs only", NULL);
	facts.domains = FACT_UNREAD;
	facts.n_spans = 0;
	judge();
	expect("load_balancing", "4-6", CHECK_UNKNOWN, "cannot be read", NULL);
}

static void test_workqueues(void **state)
{
	(void)state;
	judge();
	assert_non_null(
		strstr(row_of("workqueues", "4-5")->meaning, "The kernel itself"));
	assert_non_null(strstr(row_of("workqueues", "6")->meaning, "by this file"));
	facts.workqueues = known("0-3,5-6");
	judge();
	expect("workqueues", "4", CHECK_OK, "unbound work is done on 0-3,5-6", NULL);
	expect("workqueues", "5-6", CHECK_WARNING, "unbound work is done on 0-3,5-6",
		"`cpuwarden apply`");
	facts.workqueues_isolated.state = FACT_ABSENT;
	facts.workqueues = known("0-3");
	judge();
	expect("workqueues", "4-6", CHECK_OK, "unbound work is done on 0-3", NULL);
}

static void test_kernel_threads(void **state)
{
	(void)state;
	facts.kernel_threads = known("0-4");
	judge();
	expect("kernel_threads", "4", CHECK_WARNING, "some may run here",
		"`cpuwarden apply`");
	expect("kernel_threads", "5-6", CHECK_OK, "none may run here", NULL);
	facts.kernel_threads.state = FACT_UNREAD;
	judge();
	expect("kernel_threads", "4-6", CHECK_UNKNOWN, "cannot be read", NULL);
}

/* What each kernel's partitions cover was traced: docs/ARCHITECTURE.md. */
static void test_timers(void **state)
{
	(void)state;
	judge();
	expect("timers", "4-6", CHECK_OK, "in nohz_full", NULL);
	facts.nohz_full = known("4");
	judge();
	expect("timers", "5", CHECK_OK, "the partition keeps them off", NULL);
	expect("timers", "6", CHECK_NEEDS_BOOT, "timers of idle CPUs come here",
		"boot with nohz_full=4,6");
	facts.timer_pull = PULL_ALL;
	judge();
	expect("timers", "5-6", CHECK_NEEDS_BOOT, "timers of idle CPUs come here",
		"boot with nohz_full=4-6");
	facts.timer_pull = PULL_IN_DOMAIN;
	judge();
	expect("timers", "5-6", CHECK_OK, "the partition keeps them off", NULL);
	spans[6] = cpus("0-3,6");
	judge();
	expect("timers", "6", CHECK_WARNING, "timers of idle CPUs come here",
		"`cpuwarden apply`");
	facts.timer_pull = PULL_UNKNOWN;
	judge();
	expect("timers", "5-6", CHECK_UNKNOWN, "cannot be read", NULL);
	facts.timer_migration = word("0");
	judge();
	expect("timers", "4-6", CHECK_OK, "timers do not migrate", NULL);
}

static void test_timers_of_boot_isolated_cpus(void **state)
{
	(void)state;
	facts.nohz_full = known("");
	facts.isolated = known("6");
	judge();
	expect("timers", "4-6", CHECK_OK, "the partition keeps them off", NULL);
}

static void test_would_be(void **state)
{
	(void)state;
	reserved = (struct reserved){.cpus = cpus("1-3"), .would_be = true};
	facts.nohz_full = known("");
	judge();
	expect("partition", "1-3", CHECK_NOT_APPLICABLE, "no partition yet", NULL);
	expect("load_balancing", "1-3", CHECK_NOT_APPLICABLE, "no partition yet", NULL);
	expect("workqueues", "1-3", CHECK_NOT_APPLICABLE, "no partition yet", NULL);
	expect("kernel_threads", "1-3", CHECK_NOT_APPLICABLE, "no partition yet", NULL);
	expect("timers", "1-3", CHECK_OK, "the partition keeps them off", NULL);
	facts.timer_pull = PULL_IN_DOMAIN;
	judge();
	expect("timers", "1-3", CHECK_OK, "the partition keeps them off", NULL);
	facts.timer_pull = PULL_ALL;
	judge();
	expect("timers", "1-3", CHECK_NEEDS_BOOT, "timers of idle CPUs come here",
		"boot with nohz_full=1-3");
}

static void test_boot_flags(void **state)
{
	(void)state;
	facts.isolated = known("5-7");
	facts.nohz_full = known("6-7");
	facts.rcu_nocbs = known("5");
	judge();
	expect("isolcpus", "4", CHECK_OK, "not isolated at boot", NULL);
	expect("isolcpus", "5-6", CHECK_NEEDS_BOOT, "isolated at boot",
		"boot without 5-6 in isolcpus= (isolcpus=managed_irq, may stay)");
	expect("nohz_full", "6", CHECK_OK, "set", NULL);
	expect("nohz_full", "4-5", CHECK_NEEDS_BOOT, "not set",
		"boot with nohz_full=4-7");
	expect("rcu_nocbs", "5-6", CHECK_OK, "set", NULL);
	expect("rcu_nocbs", "4", CHECK_NEEDS_BOOT, "not set", "boot with rcu_nocbs=4-7");
	facts.nohz_full.state = FACT_ABSENT;
	facts.rcu_nocbs.state = FACT_UNREAD;
	judge();
	expect("nohz_full", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
	expect("rcu_nocbs", "4-6", CHECK_UNKNOWN, "cannot be read", NULL);
}

static void test_interrupts(void **state)
{
	(void)state;
	put_irq(0, 24, "0-7", "0", false);
	put_irq(1, 25, "5", "5", false);
	put_irq(2, 26, "0-7", "0", true);
	judge();
	expect("irq", "4-6", CHECK_FIXABLE, "2 interrupts: 24 (dev24), 25 (dev25)",
		"--fix takes the CPUs out of smp_affinity_list");
	expect("managed_irq", "4-6", CHECK_OK, "none", NULL);
	put_irq(0, 24, "6", "0", false);
	put_irq(1, 25, "0-3", "5", false);
	judge();
	expect("irq", "6", CHECK_FIXABLE, "1 interrupt: 24 (dev24)",
		"--fix takes the CPUs out of smp_affinity_list");
	expect("irq", "4-5", CHECK_OK, "none", NULL);
	facts.irqs_state = FACT_UNREAD;
	judge();
	expect("irq", "4-6", CHECK_UNKNOWN, "cannot be read", NULL);
	expect("managed_irq", "4-6", CHECK_UNKNOWN, "cannot be read", NULL);
}

static void test_many_interrupts(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		put_irq(i, i, "4", "4", false);
	judge();
	expect("irq", "4", CHECK_FIXABLE,
		"6 interrupts: 0 (dev0), 1 (dev1), 2 (dev2), 3 (dev3), 4 (dev4), 5 (dev5)",
		"--fix takes the CPUs out of smp_affinity_list");
	put_irq(6, 6, "4", "4", false);
	judge();
	expect("irq", "4", CHECK_FIXABLE,
		"7 interrupts: 0 (dev0), 1 (dev1), 2 (dev2), 3 (dev3), 4 (dev4), 5 (dev5) "
		"and more",
		"--fix takes the CPUs out of smp_affinity_list");
}

static void test_managed_interrupts(void **state)
{
	(void)state;
	put_irq(0, 24, "4-7", "4", true);
	put_irq(1, 25, "6", "6", true);
	facts.managed_irq = known("6-7");
	judge();
	expect("managed_irq", "5", CHECK_OK, "none", NULL);
	expect("managed_irq", "6", CHECK_OK, "1 interrupt: 25 (dev25)", NULL);
	expect("managed_irq", "4", CHECK_NEEDS_BOOT, "1 interrupt: 24 (dev24)",
		"boot with isolcpus=managed_irq,4-7");
	facts.managed_irq = (struct fact_cpus){.state = FACT_ABSENT};
	judge();
	expect("managed_irq", "4,6", CHECK_NEEDS_BOOT,
		"2 interrupts: 24 (dev24), 25 (dev25)",
		"boot with isolcpus=managed_irq,4-6");
	facts.managed_irq.state = FACT_UNREAD;
	judge();
	expect("managed_irq", "4,6", CHECK_UNKNOWN,
		"2 interrupts: 24 (dev24), 25 (dev25)", NULL);
}

static void test_default_affinity(void **state)
{
	(void)state;
	facts.irq_default = known("0-4");
	judge();
	expect("default_smp_affinity", "4", CHECK_FIXABLE, "0-4",
		"--fix takes the CPUs out of default_smp_affinity");
	expect("default_smp_affinity", "5-6", CHECK_OK, "0-4", NULL);
	facts.irq_default.state = FACT_ABSENT;
	judge();
	expect("default_smp_affinity", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
}

static void test_irqbalance(void **state)
{
	(void)state;
	judge();
	expect("irqbalance", "4-6", CHECK_OK, "not running", NULL);
	facts.irqbalance = (struct irqbalance){.running = true, .banned = known("1,5")};
	judge();
	expect("irqbalance", "5", CHECK_OK, "running, spares 1,5", NULL);
	expect("irqbalance", "4,6", CHECK_WARNING, "running, spares 1,5",
		"IRQBALANCE_BANNED_CPULIST=1,4-6 in /etc/default/irqbalance, and restart "
		"it");
	facts.irqbalance.configured = known("4-6");
	judge();
	expect("irqbalance", "4,6", CHECK_WARNING, "running, spares 1,5",
		"restart irqbalance: its file spares these CPUs");
	/* Told nothing it spares CPUs of nohz_full and isolcpus. */
	facts.irqbalance.banned = (struct fact_cpus){.state = FACT_ABSENT};
	facts.nohz_full = known("4");
	facts.isolated = known("5");
	judge();
	expect("irqbalance", "4-5", CHECK_OK, "running, spares 4-5", NULL);
	facts.irqbalance.banned.state = FACT_UNREAD;
	judge();
	expect("irqbalance", "4-6", CHECK_UNKNOWN, "cannot be read", NULL);
}

static void test_watchdog(void **state)
{
	(void)state;
	facts.watchdog_cpus = known("0-5");
	judge();
	expect("watchdog", "4-5", CHECK_FIXABLE, "on CPUs 0-5",
		"--fix takes the CPUs out of watchdog_cpumask");
	expect("watchdog", "6", CHECK_OK, "on CPUs 0-5", NULL);
	facts.nmi_watchdog = word("1");
	judge();
	expect("watchdog", "4-5", CHECK_FIXABLE, "on CPUs 0-5, with NMIs",
		"--fix takes the CPUs out of watchdog_cpumask");
	facts.watchdog = word("0");
	judge();
	expect("watchdog", "4-6", CHECK_OK, "off", NULL);
	facts.watchdog.state = FACT_ABSENT;
	judge();
	expect("watchdog", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
}

static void test_governor(void **state)
{
	(void)state;
	snprintf(power[4].governor, FACT_SIZE, "powersave");
	snprintf(power[5].governor, FACT_SIZE, "schedutil");
	power[5].offers_performance = false;
	judge();
	expect("governor", "4", CHECK_FIXABLE, "powersave",
		"--fix sets the governor performance");
	expect("governor", "5", CHECK_WARNING, "schedutil",
		"see which governors scaling_available_governors offers");
	expect("governor", "6", CHECK_OK, "performance", NULL);
	snprintf(power[5].governor, FACT_SIZE, "ondemand");
	power[5].offers_performance = true;
	*power[6].governor = '\0';
	judge();
	expect("governor", "5", CHECK_FIXABLE, "ondemand",
		"--fix sets the governor performance");
	expect("governor", "6", CHECK_NOT_APPLICABLE, "no cpufreq", NULL);
	facts.n_power = 4;
	judge();
	expect("governor", "4-6", CHECK_NOT_APPLICABLE, "no cpufreq", NULL);
	expect("idle_states", "4-6", CHECK_NOT_APPLICABLE, "no cpuidle", NULL);
}

static void test_idle_states(void **state)
{
	(void)state;
	snprintf(power[5].idle_name, FACT_SIZE, "C6");
	power[5].idle_latency_us = 11;
	power[6].idle_latency_us = 10;
	judge();
	expect("idle_states", "4", CHECK_OK, "down to C1, 2 us to wake", NULL);
	expect("idle_states", "6", CHECK_OK, "down to C1, 10 us to wake", NULL);
	expect("idle_states", "5", CHECK_WARNING, "down to C6, 11 us to wake",
		"where latency matters more than power: write 10 to "
		"power/pm_qos_resume_latency_us of the CPU");
}

static void test_schedulers_and_memory(void **state)
{
	(void)state;
	facts.sched_ext = word("enabled");
	facts.sched_ext_ops = word("rusty");
	facts.numa_balancing = word("1");
	facts.thp = word("[always] madvise never");
	facts.ksm = word("1");
	judge();
	expect("sched_ext", "4-6", CHECK_WARNING, "enabled: rusty",
		"end the program that loaded it");
	expect("numa_balancing", "4-6", CHECK_WARNING, "1",
		"where all VMs are placed: sysctl kernel.numa_balancing=0");
	expect("thp", "4-6", CHECK_WARNING, "[always] madvise never",
		"memory of VMs from hugetlbfs is left alone");
	assert_int_equal(row_of("ksm", "4-6")->state, CHECK_WARNING);
	facts.n_nodes = 1;
	facts.ksm = word("2");
	judge();
	expect("numa_balancing", "4-6", CHECK_OK, "1", NULL);
	expect("ksm", "4-6", CHECK_OK, "2", NULL);
	facts.sched_ext.state = facts.numa_balancing.state = FACT_ABSENT;
	facts.thp.state = facts.ksm.state = FACT_ABSENT;
	judge();
	expect("sched_ext", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
	expect("numa_balancing", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
	expect("thp", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
	expect("ksm", "4-6", CHECK_NOT_APPLICABLE, "no such file", NULL);
}

static void test_nodes(void **state)
{
	(void)state;
	reserve("3-4", "");
	judge();
	expect("memory_node", "3", CHECK_OK,
		"node 0: 1024 of 4096 MiB free, huge pages 0 of 0 free", NULL);
	expect("memory_node", "4", CHECK_OK,
		"node 1: 1024 of 4096 MiB free, huge pages 5 of 8 free", NULL);
	nodes[1] = (struct node_memory){.node = 1};
	judge();
	expect("memory_node", "4", CHECK_WARNING,
		"node 1: 0 of 0 MiB free, huge pages 0 of 0 free",
		"give VMs CPUs of a node with memory");
	facts.n_nodes = 0;
	judge();
	expect("memory_node", "3-4", CHECK_NOT_APPLICABLE, "no nodes", NULL);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_all_is_well),
		ON_HOST(test_partition),
		ON_HOST(test_load_balancing),
		ON_HOST(test_workqueues),
		ON_HOST(test_kernel_threads),
		ON_HOST(test_timers),
		ON_HOST(test_timers_of_boot_isolated_cpus),
		ON_HOST(test_would_be),
		ON_HOST(test_boot_flags),
		ON_HOST(test_interrupts),
		ON_HOST(test_many_interrupts),
		ON_HOST(test_managed_interrupts),
		ON_HOST(test_default_affinity),
		ON_HOST(test_irqbalance),
		ON_HOST(test_watchdog),
		ON_HOST(test_governor),
		ON_HOST(test_idle_states),
		ON_HOST(test_schedulers_and_memory),
		ON_HOST(test_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
