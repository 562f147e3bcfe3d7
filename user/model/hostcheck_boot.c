// SPDX-License-Identifier: GPL-2.0-or-later
/* What only the kernel's command line gives. */
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/hostcheck_parts.h"

static const struct subject isolcpus = {
	"isolcpus", FILE_ISOLATED, DOC_BOOT " (isolcpus)"};
static const struct subject nohz_full = {"nohz_full", FILE_NOHZ_FULL,
	DOC("timers/no_hz.rst") ", " DOC_BOOT " (nohz_full)"};
static const struct subject rcu_nocbs = {
	"rcu_nocbs", FILE_CMDLINE ", " FILE_NOHZ_FULL, DOC_BOOT " (rcu_nocbs)"};

static void judge_isolcpus(struct judging *judging)
{
	const struct fact_cpus *fact = &judging->facts->isolated;
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset clash = cpus_in(cpus, &fact->cpus),
		      free_of = cpus_not_in(cpus, &fact->cpus);
	cleanup_free char *list = cpulist_format(&clash);

	if (add_unless_known(judging, &isolcpus, fact->state,
		    "The kernel does not show which CPUs were isolated at boot."))
		return;
	add_row(judging, &isolcpus, &free_of, CHECK_OK, strdup("not isolated at boot"),
		"Nothing stands in the way of partitions.", NULL);
	add_row(judging, &isolcpus, &clash, CHECK_NEEDS_BOOT, strdup("isolated at boot"),
		"Newer kernels refuse partitions of these CPUs, 6.1 has died of one; a "
		"partition does the same as isolcpus=, and can be undone.",
		text_of("boot without %s in isolcpus= (isolcpus=managed_irq, may stay)",
			list));
}

/* Rows for a flag that takes a list: CPUs that are in it, and those that should be. */
static void judge_flag(struct judging *judging, const struct subject *subject,
	const char *flag, const struct cpuset *covered, const char *good, const char *bad)
{
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset in = cpus_in(cpus, covered), out = cpus_not_in(cpus, covered),
		      all = *covered;
	cleanup_free char *list = NULL;

	cpuset_or(&all, cpus);
	list = cpulist_format(&all);
	add_row(judging, subject, &in, CHECK_OK, strdup("set"), good, NULL);
	add_row(judging, subject, &out, CHECK_NEEDS_BOOT, strdup("not set"), bad,
		text_of("boot with %s=%s", flag, list));
}

void judge_boot(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	struct cpuset offloaded = facts->rcu_nocbs.cpus;

	judge_isolcpus(judging);
	if (!add_unless_known(judging, &nohz_full, facts->nohz_full.state,
		    "The kernel was built without CONFIG_NO_HZ_FULL."))
		judge_flag(judging, &nohz_full, "nohz_full", &facts->nohz_full.cpus,
			"The tick stops while one task alone is ready to run.",
			"The tick interrupts the CPU 100 to 1000 times a second while it "
			"computes.");
	if (facts->rcu_nocbs.state == FACT_UNREAD) {
		add_unless_known(judging, &rcu_nocbs, FACT_UNREAD, NULL);
		return;
	}
	if (facts->nohz_full.state == FACT_KNOWN)
		cpuset_or(&offloaded, &facts->nohz_full.cpus);
	judge_flag(judging, &rcu_nocbs, "rcu_nocbs", &offloaded,
		"RCU callbacks of this CPU are called by threads that may run elsewhere.",
		"RCU callbacks of this CPU are called on it, in softirq context.");
}
