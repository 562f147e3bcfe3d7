// SPDX-License-Identifier: GPL-2.0-or-later
/* What a CPU's partition covers on this kernel. */
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/hostcheck_parts.h"

#define APPLY "`cpuwarden apply`"

static const struct subject partition = {
	"partition", "cpuset.cpus.partition", DOC_CPUSET};
static const struct subject balancing = {
	"load_balancing", FILE_SCHEDSTAT, DOC("scheduler/sched-stats.rst")};
static const struct subject workqueues = {
	"workqueues", FILE_WORKQUEUES, DOC("core-api/workqueue.rst")};
static const struct subject threads = {"kernel_threads",
	"sched_getaffinity() of each kernel thread",
	DOC("admin-guide/kernel-per-CPU-kthreads.rst")};
static const struct subject timers = {"timers",
	FILE_TRACE_EVENTS "/timer_migration, " FILE_NOHZ_FULL ", " FILE_TIMER_SYSCTL,
	DOC("timers/no_hz.rst") ", " DOC_BOOT
				" (nohz_full), include/trace/events/timer_migration.h"};

static void judge_kind(struct judging *judging)
{
	const struct reserved *reserved = judging->reserved;
	struct cpuset none = reserved->cpus;

	cpuset_andnot(&none, &reserved->isolated);
	cpuset_andnot(&none, &reserved->root);
	add_row(judging, &partition, &reserved->isolated, CHECK_OK, strdup("isolated"),
		"No user task but its owner's can run here, and nothing is balanced onto it.",
		NULL);
	add_row(judging, &partition, &reserved->root, CHECK_OK, strdup("root"),
		"No user task but its owner's can run here; they are balanced among "
		"themselves.",
		NULL);
	add_row(judging, &partition, &none, CHECK_WARNING, strdup("none"),
		"Reserved, but in no valid partition: any task may come.", strdup(APPLY));
}

static void judge_balancing(struct judging *judging)
{
	struct cpuset inside = {}, mixed, alone, together;

	if (add_unless_known(judging, &balancing, judging->facts->domains,
		    "The kernel has no scheduler statistics."))
		return;
	cpuset_for_each (cpu, &judging->reserved->cpus)
		if ((size_t)cpu < judging->facts->n_spans &&
			!cpuset_empty(&judging->facts->spans[cpu]))
			cpuset_add(&inside, (unsigned int)cpu);
	mixed = cpus_mixed(judging);
	alone = cpus_not_in(&judging->reserved->cpus, &inside);
	together = cpus_not_in(&inside, &mixed);
	add_row(judging, &balancing, &alone, CHECK_OK, strdup("in no sched domain"),
		"The scheduler moves nothing here by itself.", NULL);
	add_row(judging, &balancing, &together, CHECK_OK,
		strdup("in sched domains of reserved CPUs only"),
		"The scheduler moves tasks between these CPUs, and none from elsewhere.",
		NULL);
	add_row(judging, &balancing, &mixed, CHECK_WARNING,
		strdup("in a sched domain with CPUs that are not reserved"),
		"The scheduler looks here for work to move, and for room.",
		strdup(APPLY));
}

static void judge_workqueues(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	const struct cpuset *cpus = &judging->reserved->cpus;
	cleanup_free char *list = cpulist_format(&facts->workqueues.cpus);
	struct cpuset open, kernels = {}, ours;

	if (add_unless_known(judging, &workqueues, facts->workqueues.state,
		    "The kernel does not show where unbound work is done."))
		return;
	open = cpus_in(cpus, &facts->workqueues.cpus);
	if (facts->workqueues_isolated.state == FACT_KNOWN)
		kernels = cpus_in(cpus, &facts->workqueues_isolated.cpus);
	cpuset_andnot(&kernels, &open);
	ours = cpus_not_in(cpus, &open);
	cpuset_andnot(&ours, &kernels);
	add_row(judging, &workqueues, &kernels, CHECK_OK,
		text_of("unbound work is done on %s", list),
		"The kernel itself keeps unbound work off these CPUs, as they are isolated.",
		NULL);
	add_row(judging, &workqueues, &ours, CHECK_OK,
		text_of("unbound work is done on %s", list),
		"Unbound work has been kept off these CPUs by this file.", NULL);
	add_row(judging, &workqueues, &open, CHECK_WARNING,
		text_of("unbound work is done on %s", list),
		"Work that is bound to no CPU may be done here.", strdup(APPLY));
}

static void judge_threads(struct judging *judging)
{
	const struct fact_cpus *fact = &judging->facts->kernel_threads;
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset open = cpus_in(cpus, &fact->cpus),
		      closed = cpus_not_in(cpus, &fact->cpus);

	if (add_unless_known(judging, &threads, fact->state, ""))
		return;
	add_row(judging, &threads, &closed, CHECK_OK, strdup("none may run here"),
		"Only kernel threads that belong to this CPU run here.", NULL);
	add_row(judging, &threads, &open, CHECK_WARNING, strdup("some may run here"),
		"Kernel threads that could run elsewhere may come.", strdup(APPLY));
}

/* CPUs that no other CPU's timers are drawn to by what the partition does. */
static struct cpuset spared_by_partition(const struct judging *judging)
{
	const struct reserved *reserved = judging->reserved;
	struct cpuset mixed, spared = {};

	switch (judging->facts->timer_pull) {
	case PULL_IN_DOMAIN:
		mixed = cpus_mixed(judging);
		return reserved->would_be ? reserved->cpus
					  : cpus_not_in(&reserved->cpus, &mixed);
	case PULL_NOT_ISOLATED:
		if (reserved->would_be)
			return reserved->cpus;
		spared = reserved->isolated;
		if (judging->facts->isolated.state == FACT_KNOWN)
			cpuset_or(&spared, &judging->facts->isolated.cpus);
		return cpus_in(&spared, &reserved->cpus);
	default:
		return spared;
	}
}

static void judge_timers(struct judging *judging)
{
	const struct host_facts *facts = judging->facts;
	struct cpuset left = judging->reserved->cpus, tickless = {}, spared, all;
	cleanup_free char *list = NULL;
	enum check_state state = CHECK_NEEDS_BOOT;

	if (facts->timer_migration.state == FACT_KNOWN &&
		!strcmp(facts->timer_migration.text, "0")) {
		add_plain(judging, &timers, CHECK_OK, "timers do not migrate",
			"Each timer goes off on the CPU that has set it.", NULL);
		return;
	}
	if (facts->nohz_full.state == FACT_KNOWN)
		tickless = cpus_in(&left, &facts->nohz_full.cpus);
	add_row(judging, &timers, &tickless, CHECK_OK, strdup("in nohz_full"),
		"Other CPUs' timers do not come to CPUs of nohz_full.", NULL);
	cpuset_andnot(&left, &tickless);
	if (facts->timer_pull == PULL_UNKNOWN ||
		(facts->timer_pull == PULL_IN_DOMAIN && facts->domains != FACT_KNOWN &&
			!judging->reserved->would_be)) {
		add_row(judging, &timers, &left, CHECK_UNKNOWN, strdup("cannot be read"),
			"Nothing is known about this.", NULL);
		return;
	}
	spared = spared_by_partition(judging);
	spared = cpus_in(&spared, &left);
	cpuset_andnot(&left, &spared);
	all = left;
	if (facts->nohz_full.state == FACT_KNOWN)
		cpuset_or(&all, &facts->nohz_full.cpus);
	list = cpulist_format(&all);
	add_row(judging, &timers, &spared, CHECK_OK,
		strdup("the partition keeps them off"),
		facts->timer_pull == PULL_IN_DOMAIN
			? "On this kernel timers move only between CPUs that are balanced."
			: "This kernel leaves isolated partitions out of timer migration.",
		NULL);
	/* Then a partition is what is missing. */
	if (facts->timer_pull == PULL_IN_DOMAIN)
		state = CHECK_WARNING;
	add_row(judging, &timers, &left, state, strdup("timers of idle CPUs come here"),
		"A busy CPU handles timers that idle CPUs have set.",
		state == CHECK_WARNING ? strdup(APPLY)
				       : text_of("boot with nohz_full=%s", list));
}

void judge_partition(struct judging *judging)
{
	static const struct subject *const later[] = {
		&partition, &balancing, &workqueues, &threads};

	if (judging->reserved->would_be)
		for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
			add_plain(judging, later[i], CHECK_NOT_APPLICABLE,
				"no partition yet",
				"To be seen once a VM has been placed.", NULL);
	else {
		judge_kind(judging);
		judge_balancing(judging);
		judge_workqueues(judging);
		judge_threads(judging);
	}
	judge_timers(judging);
}
