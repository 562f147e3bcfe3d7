// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/mend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/text.h"
#include "user/model/cpulist.h"
#include "user/model/cpumask.h"

void mend_deinit(struct mend *mend)
{
	free(mend->found);
	free(mend->written);
	free(mend->earlier);
	memset(mend, 0, sizeof(*mend));
}

void mends_deinit(struct mends *mends)
{
	for (size_t i = 0; i < mends->n_items; i++)
		mend_deinit(&mends->items[i]);
	free(mends->items);
	memset(mends, 0, sizeof(*mends));
}

struct mend *mends_find(const struct mends *mends, const char *path)
{
	for (size_t i = 0; i < mends->n_items; i++)
		if (!strcmp(mends->items[i].path, path))
			return &mends->items[i];
	return NULL;
}

bool mend_wrote(const struct mend *mend, const char *value)
{
	return !strcmp(mend->written, value) ||
	       (mend->earlier && !strcmp(mend->earlier, value));
}

/* One setting as it is, and what would be right if nobody had ever changed it but once.
 */
struct setting {
	char path[MEND_PATH_SIZE];
	enum mend_format format;
	const char *now;
	/* The value that should follow from one that was found. NULL: no memory. */
	char *(*wanted)(const char *found, const struct setting *setting);
	const struct cpuset *reserved, *online;
	bool applies; /* else it is to be as it was found */
};

static char *wanted_cpus(const char *found, const struct setting *setting)
{
	struct cpuset cpus;

	if (!setting->applies || cpulist_parse_kernel(found, &cpus) ||
		!cpuset_intersects(&cpus, setting->reserved))
		return strdup(found);
	cpus = cpuset_away(&cpus, setting->reserved, setting->online);
	return cpuset_empty(&cpus) ? strdup(found) : cpulist_format(&cpus);
}

static char *wanted_governor(const char *found, const struct setting *setting)
{
	return strdup(setting->applies ? "performance" : found);
}

static int add(struct mends *mends, const struct setting *setting, const char *wanted)
{
	struct mend mend = {.format = setting->format}, *slot = NULL;

	snprintf(mend.path, sizeof(mend.path), "%s", setting->path);
	if (!text_replace(&mend.found, setting->now) &&
		!text_replace(&mend.written, wanted))
		slot = array_push(&mends->items, &mends->n_items);
	if (!slot) {
		mend_deinit(&mend);
		return -ENOMEM;
	}
	*slot = mend;
	return 0;
}

/* As update(), of a setting that is not in the record. */
static int begin(struct mends *mends, const struct setting *setting)
{
	cleanup_free char *wanted = setting->wanted(setting->now, setting);

	if (!wanted)
		return -ENOMEM;
	return strcmp(wanted, setting->now) ? add(mends, setting, wanted) : 1;
}

/* 1: nothing is to be changed. */
static int update(struct mends *mends, const struct setting *setting)
{
	struct mend *mend = mends_find(mends, setting->path);
	cleanup_free char *wanted = NULL;
	bool ours, foreign;

	if (!mend)
		return begin(mends, setting);
	ours = mend_wrote(mend, setting->now);
	foreign = !ours && strcmp(mend->found, setting->now);
	wanted = setting->wanted(foreign ? setting->now : mend->found, setting);
	if (!wanted)
		return -ENOMEM;
	/* What somebody has set, and does no harm, is his. */
	if (!strcmp(wanted, foreign ? setting->now : mend->written))
		return 1;
	if (foreign && text_replace(&mend->found, setting->now))
		return -ENOMEM;
	free(mend->earlier);
	mend->earlier = ours ? strdup(setting->now) : NULL;
	mend->refused = false;
	return (ours && !mend->earlier) || text_replace(&mend->written, wanted) ? -ENOMEM
										: 0;
}

struct updating {
	struct mends *mends;
	struct setting setting; /* the template */
	bool changed;
	int error;
};

static void take(struct updating *updating, const struct setting *setting)
{
	int r = updating->error ? updating->error : update(updating->mends, setting);

	if (r < 0)
		updating->error = r;
	updating->changed |= r == 0;
}

static void take_cpus(struct updating *updating, const char *path,
	enum mend_format format, const struct cpuset *now, bool applies)
{
	cleanup_free char *list = cpulist_format(now);
	struct setting setting = updating->setting;

	snprintf(setting.path, sizeof(setting.path), "%s", path);
	setting.format = format;
	setting.now = list;
	setting.wanted = wanted_cpus;
	setting.applies = applies;
	if (list)
		take(updating, &setting);
	else
		updating->error = -ENOMEM;
}

static void take_governors(struct updating *updating, const struct host_facts *facts)
{
	for (size_t cpu = 0; cpu < facts->n_power; cpu++) {
		const struct cpu_power *power = &facts->power[cpu];
		struct setting setting = updating->setting;

		if (!*power->governor)
			continue;
		snprintf(setting.path, sizeof(setting.path),
			FILE_CPUS "/cpu%zu/cpufreq/scaling_governor", cpu);
		setting.format = MEND_WORD;
		setting.now = power->governor;
		setting.wanted = wanted_governor;
		setting.applies = power->offers_performance &&
				  cpuset_has(setting.reserved, (unsigned int)cpu);
		take(updating, &setting);
	}
}

int mends_update(struct mends *mends, const struct host_facts *facts,
	const struct reserved *reserved, const struct cpuset *online)
{
	struct updating updating = {.mends = mends,
		.setting = {.reserved = &reserved->cpus, .online = online}};
	bool watches =
		facts->watchdog.state == FACT_KNOWN && strcmp(facts->watchdog.text, "0");
	char path[MEND_PATH_SIZE];

	for (size_t i = 0; i < facts->n_irqs; i++) {
		const struct irq *irq = &facts->irqs[i];

		snprintf(path, sizeof(path), FILE_IRQS "/%u/smp_affinity_list",
			irq->number);
		if (!irq->fixed)
			take_cpus(&updating, path, MEND_LIST, &irq->allowed, true);
	}
	if (facts->irq_default.state == FACT_KNOWN)
		take_cpus(&updating, FILE_IRQ_DEFAULT, MEND_MASK,
			&facts->irq_default.cpus, true);
	if (facts->watchdog_cpus.state == FACT_KNOWN)
		take_cpus(&updating, FILE_WATCHDOG_CPUS, MEND_LIST,
			&facts->watchdog_cpus.cpus, watches);
	take_governors(&updating, facts);
	return updating.error ? updating.error : !updating.changed;
}

void mends_mark_fixed(const struct mends *mends, struct host_facts *facts)
{
	for (size_t i = 0; i < facts->n_irqs; i++) {
		char path[MEND_PATH_SIZE];
		const struct mend *mend;

		snprintf(path, sizeof(path), FILE_IRQS "/%u/smp_affinity_list",
			facts->irqs[i].number);
		mend = mends_find(mends, path);
		facts->irqs[i].fixed |= mend && mend->refused;
	}
}

int mend_parse(enum mend_format format, const char *text, char **ret_value)
{
	struct cpuset cpus;
	char *value;
	int r = 0;

	if (format == MEND_LIST)
		r = cpulist_parse_kernel(text, &cpus);
	else if (format == MEND_MASK)
		r = cpumask_parse(text, &cpus);
	if (r)
		return r;
	value = format == MEND_WORD ? strdup(text) : cpulist_format(&cpus);
	if (!value)
		return -ENOMEM;
	*ret_value = value;
	return 0;
}

char *mend_format_value(enum mend_format format, const char *value)
{
	struct cpuset cpus;

	if (format != MEND_MASK)
		return strdup(value);
	return cpulist_parse_kernel(value, &cpus) ? NULL : cpumask_format(&cpus);
}

bool mend_path_valid(const char *path)
{
	static const char *const below[] = {FILE_IRQS "/", FILE_CPUS "/cpu"};

	if (strlen(path) >= MEND_PATH_SIZE || strstr(path, ".."))
		return false;
	if (!strcmp(path, FILE_WATCHDOG_CPUS))
		return true;
	for (size_t i = 0; i < sizeof(below) / sizeof(*below); i++)
		if (!strncmp(path, below[i], strlen(below[i])))
			return true;
	return false;
}

const char *mend_format_name(enum mend_format format)
{
	static const char *const names[] = {
		[MEND_LIST] = "list", [MEND_MASK] = "mask", [MEND_WORD] = "word"};

	return names[format];
}
