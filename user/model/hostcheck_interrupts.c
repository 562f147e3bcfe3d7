// SPDX-License-Identifier: GPL-2.0-or-later
/* Interrupts, and who routes them. */
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/hostcheck_parts.h"

enum { NAMED_MAX = 6 };

static const struct subject irq = {"irq", FILE_IRQS "/*/smp_affinity_list", DOC_IRQ};
static const struct subject managed = {"managed_irq",
	FILE_IRQS "/*/effective_affinity_list, " FILE_CMDLINE,
	DOC_BOOT " (isolcpus=managed_irq)"};
static const struct subject newcomers = {
	"default_smp_affinity", FILE_IRQ_DEFAULT, DOC_IRQ};
static const struct subject balancer = {"irqbalance",
	"/proc/PID/environ of irqbalance, /etc/default/irqbalance, "
	"/etc/sysconfig/irqbalance",
	"irqbalance(1)"};

/* Where an interrupt may come: one that can be moved wherever it is allowed to. */
static const struct cpuset *reach(const struct irq *one)
{
	return one->fixed ? &one->effective : &one->allowed;
}

/* Of those CPUs, the ones that such interrupts reach. */
static struct cpuset reached_by(
	const struct judging *judging, const struct cpuset *cpus, bool fixed)
{
	const struct host_facts *facts = judging->facts;
	struct cpuset reached = {};

	for (size_t i = 0; i < facts->n_irqs; i++)
		if (facts->irqs[i].fixed == fixed)
			cpuset_or(&reached, reach(&facts->irqs[i]));
	return cpus_in(&reached, cpus);
}

/* `3 interrupts: 24 (eth0), 25 (eth0), …`; only the first few have names. */
static char *name_irqs(
	const struct judging *judging, const struct cpuset *cpus, bool fixed)
{
	const struct host_facts *facts = judging->facts;
	char names[NAMED_MAX * (FACT_SIZE + 16)] = "";
	size_t n = 0, used = 0;

	for (size_t i = 0; i < facts->n_irqs; i++) {
		const struct irq *one = &facts->irqs[i];

		if (one->fixed != fixed || !cpuset_intersects(reach(one), cpus))
			continue;
		if (n++ < NAMED_MAX)
			used += (size_t)snprintf(names + used, sizeof(names) - used,
				"%s%u (%s)", n > 1 ? ", " : "", one->number,
				one->actions);
	}
	return text_of("%zu interrupt%s: %s%s", n, n == 1 ? "" : "s", names,
		n > NAMED_MAX ? " and more" : "");
}

static void judge_movable(struct judging *judging)
{
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset reached = reached_by(judging, cpus, false),
		      spared = cpus_not_in(cpus, &reached);

	add_row(judging, &irq, &spared, CHECK_OK, strdup("none"),
		"No interrupt that could be elsewhere is allowed here.", NULL);
	add_row(judging, &irq, &reached, CHECK_FIXABLE,
		name_irqs(judging, &reached, false),
		"These interrupts are allowed here; each interrupts the vCPU.",
		strdup("--fix takes the CPUs out of smp_affinity_list"));
}

static void judge_managed(struct judging *judging)
{
	const struct fact_cpus *flag = &judging->facts->managed_irq;
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset reached = reached_by(judging, cpus, true),
		      spared = cpus_not_in(cpus, &reached), covered = {}, open,
		      all = *cpus;
	cleanup_free char *list = NULL;

	add_row(judging, &managed, &spared, CHECK_OK, strdup("none"),
		"No interrupt that nobody may move comes here.", NULL);
	if (flag->state == FACT_UNREAD) {
		add_row(judging, &managed, &reached, CHECK_UNKNOWN,
			name_irqs(judging, &reached, true),
			"The command line's isolcpus= was not understood.", NULL);
		return;
	}
	if (flag->state == FACT_KNOWN) {
		covered = cpus_in(&reached, &flag->cpus);
		cpuset_or(&all, &flag->cpus);
	}
	list = cpulist_format(&all);
	open = cpus_not_in(&reached, &covered);
	add_row(judging, &managed, &covered, CHECK_OK, name_irqs(judging, &covered, true),
		"The kernel prefers other CPUs; what is left serves a queue of this CPU "
		"alone, and comes only for I/O that it has begun itself.",
		NULL);
	add_row(judging, &managed, &open, CHECK_NEEDS_BOOT,
		name_irqs(judging, &open, true),
		"The kernel or the driver routes these itself, and lets nobody move them.",
		text_of("boot with isolcpus=managed_irq,%s", list));
}

static void judge_newcomers(struct judging *judging)
{
	const struct fact_cpus *fact = &judging->facts->irq_default;
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset open = cpus_in(cpus, &fact->cpus),
		      closed = cpus_not_in(cpus, &fact->cpus);
	cleanup_free char *list = cpulist_format(&fact->cpus);

	if (add_unless_known(judging, &newcomers, fact->state,
		    "Interrupts of this machine have no affinity."))
		return;
	add_row(judging, &newcomers, &closed, CHECK_OK, text_of("%s", list),
		"Interrupts of new devices go elsewhere.", NULL);
	add_row(judging, &newcomers, &open, CHECK_FIXABLE, text_of("%s", list),
		"Interrupts of new devices may be routed here.",
		strdup("--fix takes the CPUs out of default_smp_affinity"));
}

/* What it spares where nobody has told it: setup_banned_cpus() of irqbalance. */
static struct cpuset default_ban(const struct host_facts *facts)
{
	struct cpuset ban = {};

	if (facts->isolated.state == FACT_KNOWN)
		cpuset_or(&ban, &facts->isolated.cpus);
	if (facts->nohz_full.state == FACT_KNOWN)
		cpuset_or(&ban, &facts->nohz_full.cpus);
	return ban;
}

static void judge_balancer(struct judging *judging)
{
	const struct irqbalance *daemon = &judging->facts->irqbalance;
	const struct cpuset *cpus = &judging->reserved->cpus;
	struct cpuset ban = daemon->banned.cpus, spared, open, all;
	cleanup_free char *banned = NULL, *list = NULL;
	bool configured;

	if (!daemon->running) {
		add_plain(judging, &balancer, CHECK_OK, "not running",
			"Nobody routes interrupts anew.", NULL);
		return;
	}
	if (daemon->banned.state == FACT_UNREAD) {
		add_unless_known(judging, &balancer, FACT_UNREAD, NULL);
		return;
	}
	if (daemon->banned.state == FACT_ABSENT)
		ban = default_ban(judging->facts);
	banned = cpulist_format(&ban);
	spared = cpus_in(cpus, &ban);
	open = cpus_not_in(cpus, &ban);
	all = ban;
	cpuset_or(&all, cpus);
	list = cpulist_format(&all);
	configured = daemon->configured.state == FACT_KNOWN &&
		     cpuset_subset(cpus, &daemon->configured.cpus);
	add_row(judging, &balancer, &spared, CHECK_OK,
		text_of("running, spares %s", banned),
		"irqbalance routes interrupts elsewhere.", NULL);
	add_row(judging, &balancer, &open, CHECK_WARNING,
		text_of("running, spares %s", banned && *banned ? banned : "none"),
		"irqbalance knows nothing of partitions and routes interrupts here.",
		configured ? strdup("restart irqbalance: its file spares these CPUs")
			   : text_of("IRQBALANCE_BANNED_CPULIST=%s in "
				     "/etc/default/irqbalance, and restart it",
				     list));
}

void judge_interrupts(struct judging *judging)
{
	if (!add_unless_known(judging, &irq, judging->facts->irqs_state,
		    "The kernel does not show interrupts."))
		judge_movable(judging);
	if (!add_unless_known(judging, &managed, judging->facts->irqs_state,
		    "The kernel does not show interrupts."))
		judge_managed(judging);
	judge_newcomers(judging);
	judge_balancer(judging);
}
