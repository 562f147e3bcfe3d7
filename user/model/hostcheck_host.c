// SPDX-License-Identifier: GPL-2.0-or-later
/* Watchdogs, power, schedulers, memory. What would change the host for everybody is told,
 * and left to whoever answers for the host. */
#include <inttypes.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/hostcheck_parts.h"

/* Of C1 and C1E, which wake in 1 to 10 us, a guest notices little. */
enum { IDLE_LATENCY_US = 10 };

static const struct subject watchdog = {"watchdog",
	FILE_WATCHDOG ", " FILE_NMI_WATCHDOG ", " FILE_WATCHDOG_CPUS,
	DOC("admin-guide/lockup-watchdogs.rst") ", " DOC_SYSCTL " (watchdog_cpumask)"};
static const struct subject governor = {"governor",
	FILE_CPUS "/cpu*/cpufreq/scaling_governor", DOC("admin-guide/pm/cpufreq.rst")};
static const struct subject idle = {"idle_states",
	FILE_CPUS "/cpu*/cpuidle/state*, " FILE_CPUS
		  "/cpu*/power/pm_qos_resume_latency_us",
	DOC("admin-guide/pm/cpuidle.rst")};
static const struct subject sched_ext = {
	"sched_ext", FILE_SCHED_EXT, DOC("scheduler/sched-ext.rst")};
static const struct subject numa = {
	"numa_balancing", FILE_NUMA_BALANCE, DOC_SYSCTL " (numa_balancing)"};
static const struct subject thp = {"thp", FILE_THP, DOC("admin-guide/mm/transhuge.rst")};
static const struct subject ksm = {"ksm", FILE_KSM, DOC("admin-guide/mm/ksm.rst")};
static const struct subject memory = {
	"memory_node", FILE_NODES "/node*/meminfo", DOC("ABI/stable/sysfs-devices-node")};

static void judge_watchdog(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset watched = cpus_in(cpus, &facts->watchdog_cpus.cpus),
		      spared = cpus_not_in(cpus, &facts->watchdog_cpus.cpus);
	cleanup_free char *list = cpulist_format(&facts->watchdog_cpus.cpus);
	bool nmi = facts->nmi_watchdog.state == FACT_KNOWN &&
		   strcmp(facts->nmi_watchdog.text, "0");

	if (add_unless_known(judging, &watchdog, facts->watchdog.state,
		    "The kernel has no lockup detector."))
		return;
	if (!strcmp(facts->watchdog.text, "0")) {
		add_plain(judging, &watchdog, CHECK_OK, "off", "No lockup detector runs.",
			NULL);
		return;
	}
	if (add_unless_known(judging, &watchdog, facts->watchdog_cpus.state,
		    "The kernel has no watchdog_cpumask."))
		return;
	add_row(judging, &watchdog, &spared, CHECK_OK, text_of("on CPUs %s", list),
		"The lockup detector is not on this CPU.", NULL);
	add_row(judging, &watchdog, &watched, CHECK_FIXABLE,
		text_of("on CPUs %s%s", list, nmi ? ", with NMIs" : ""),
		"A timer, a thread of the highest priority and, with NMIs, a counter "
		"interrupt the CPU every few seconds.",
		strdup("--fix takes the CPUs out of watchdog_cpumask"));
}

struct groups {
	struct cpuset none, performance, fixable, stuck;
};

/* A row for each governor that the CPUs have. */
static void add_governors(struct judging *judging, const struct cpuset *cpus,
	enum check_state state, const char *meaning, const char *remedy)
{
	const struct cpu_power *power = judging->facts->power;
	struct cpuset left = *cpus;

	for (int first; (first = cpuset_next(&left, 0)) >= 0;) {
		struct cpuset same = {};

		cpuset_for_each (cpu, &left)
			if (!strcmp(power[cpu].governor, power[first].governor))
				cpuset_add(&same, (unsigned int)cpu);
		add_row(judging, &governor, &same, state, strdup(power[first].governor),
			meaning, remedy ? strdup(remedy) : NULL);
		cpuset_andnot(&left, &same);
	}
}

static void judge_governor(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	struct groups groups = {};

	cpuset_for_each (cpu, &judging->reserved->cpus) {
		const struct cpu_power *power =
			(size_t)cpu < facts->n_power ? &facts->power[cpu] : NULL;
		struct cpuset *group = &groups.stuck;

		if (!power || !*power->governor)
			group = &groups.none;
		else if (!strcmp(power->governor, "performance"))
			group = &groups.performance;
		else if (power->offers_performance)
			group = &groups.fixable;
		cpuset_add(group, (unsigned int)cpu);
	}
	add_row(judging, &governor, &groups.none, CHECK_NOT_APPLICABLE,
		strdup("no cpufreq"), "The kernel does not set this CPU's frequency.",
		NULL);
	add_governors(judging, &groups.performance, CHECK_OK,
		"The CPU is asked for its highest frequency at all times.", NULL);
	add_governors(judging, &groups.fixable, CHECK_FIXABLE,
		"The frequency follows the load, late.",
		"--fix sets the governor performance");
	add_governors(judging, &groups.stuck, CHECK_WARNING,
		"The frequency follows the load, and the driver offers no `performance`.",
		"see which governors scaling_available_governors offers");
}

static void judge_idle(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	struct cpuset left = judging->reserved->cpus;

	for (int first; (first = cpuset_next(&left, 0)) >= 0;) {
		static const struct cpu_power nothing;
		const struct cpu_power *power =
			(size_t)first < facts->n_power ? &facts->power[first] : &nothing;
		struct cpuset same = {};
		bool deep = power->idle_latency_us > IDLE_LATENCY_US;

		cpuset_for_each (cpu, &left) {
			const struct cpu_power *other = (size_t)cpu < facts->n_power
								? &facts->power[cpu]
								: &nothing;

			if (!strcmp(other->idle_name, power->idle_name) &&
				other->idle_latency_us == power->idle_latency_us)
				cpuset_add(&same, (unsigned int)cpu);
		}
		cpuset_andnot(&left, &same);
		if (!*power->idle_name)
			add_row(judging, &idle, &same, CHECK_NOT_APPLICABLE,
				strdup("no cpuidle"),
				"The kernel chooses no idle state for this CPU.", NULL);
		else
			add_row(judging, &idle, &same, deep ? CHECK_WARNING : CHECK_OK,
				text_of("down to %s, %" PRIu64 " us to wake",
					power->idle_name, power->idle_latency_us),
				deep ? "A vCPU that was idle runs that much later."
				     : "A vCPU that was idle runs at once.",
				deep ? text_of("where latency matters more than power: "
					       "write %d to "
					       "power/pm_qos_resume_latency_us of the "
					       "CPU",
					       IDLE_LATENCY_US)
				     : NULL);
	}
}

static void judge_sched_ext(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;

	if (add_unless_known(judging, &sched_ext, facts->sched_ext.state,
		    "The kernel has no sched_ext."))
		return;
	if (!strcmp(facts->sched_ext.text, "disabled"))
		add_plain(judging, &sched_ext, CHECK_OK, "disabled",
			"The kernel's own scheduler decides.", NULL);
	else
		add_row(judging, &sched_ext, &judging->reserved->cpus, CHECK_WARNING,
			text_of("%s: %s", facts->sched_ext.text,
				facts->sched_ext_ops.state == FACT_KNOWN
					? facts->sched_ext_ops.text
					: "?"),
			"A scheduler in BPF decides when tasks run, vCPUs among them.",
			strdup("end the program that loaded it"));
}

static void judge_memory_policy(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	bool on;

	if (!add_unless_known(judging, &numa, facts->numa_balancing.state,
		    "The kernel has no NUMA balancing.")) {
		on = strcmp(facts->numa_balancing.text, "0") && facts->n_nodes > 1;
		add_plain(judging, &numa, on ? CHECK_WARNING : CHECK_OK,
			facts->numa_balancing.text,
			on ? "Pages are unmapped to see who uses them: page faults in "
			     "guests, and moved pages."
			   : "Nobody unmaps guests' pages to see who uses them.",
			on ? "where all VMs are placed: sysctl kernel.numa_balancing=0"
			   : NULL);
	}
	if (!add_unless_known(judging, &thp, facts->thp.state,
		    "The kernel has no transparent huge pages.")) {
		on = !strstr(facts->thp.text, "[never]");
		add_plain(judging, &thp, on ? CHECK_WARNING : CHECK_OK, facts->thp.text,
			on ? "khugepaged may remap guests' memory, which interrupts "
			     "all their CPUs."
			   : "khugepaged does nothing.",
			on ? "memory of VMs from hugetlbfs is left alone" : NULL);
	}
	if (!add_unless_known(
		    judging, &ksm, facts->ksm.state, "The kernel has no KSM.")) {
		on = !strcmp(facts->ksm.text, "1");
		add_plain(judging, &ksm, on ? CHECK_WARNING : CHECK_OK, facts->ksm.text,
			on ? "ksmd compares and merges guests' pages: page faults, and "
			     "interrupts to all their CPUs."
			   : "Nobody merges guests' pages.",
			on ? "echo 0 >" FILE_KSM " where memory suffices, or QEMU with "
			     "-machine mem-merge=off"
			   : NULL);
	}
}

static struct cpuset cpus_of_node(const struct judging *judging, unsigned int node)
{
	struct cpuset cpus = {};

	cpuset_for_each (cpu, &judging->reserved->cpus)
		if (judging->topology->places[cpu].node == node)
			cpuset_add(&cpus, (unsigned int)cpu);
	return cpus;
}

static void judge_nodes(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;

	if (!facts->n_nodes)
		add_plain(judging, &memory, CHECK_NOT_APPLICABLE, "no nodes",
			"The kernel was built without NUMA.", NULL);
	for (size_t i = 0; i < facts->n_nodes; i++) {
		const struct node_memory *node = &facts->nodes[i];
		struct cpuset cpus = cpus_of_node(judging, node->node);

		add_row(judging, &memory, &cpus,
			node->total_kib ? CHECK_OK : CHECK_WARNING,
			text_of("node %u: %" PRIu64 " of %" PRIu64
				" MiB free, huge pages %" PRIu64 " of %" PRIu64 " free",
				node->node, node->free_kib / 1024, node->total_kib / 1024,
				node->huge_free, node->huge_total),
			node->total_kib ? "There is memory beside these CPUs."
					: "These CPUs have no memory beside them.",
			node->total_kib ? NULL
					: strdup("give VMs CPUs of a node with memory"));
	}
}

void judge_host(struct judging *judging)
{
	judge_watchdog(judging);
	judge_governor(judging);
	judge_idle(judging);
	judge_sched_ext(judging);
	judge_memory_policy(judging);
	judge_nodes(judging);
}
