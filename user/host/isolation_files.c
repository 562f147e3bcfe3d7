// SPDX-License-Identifier: GPL-2.0-or-later
/* The facts that are spread over many files: interrupts, power, nodes, irqbalance. */
#include "user/host/isolation_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/base/text.h"
#include "user/model/cpulist.h"
#include "user/model/cpumask.h"
#include "user/model/topology.h"

enum { IDLE_STATES_MAX = 16, GOVERNORS_SIZE = 1024, ENVIRONMENT_MAX = 256 * 1024 };

/* 1: nobody has asked for it, or it has gone. */
static int read_irq(int root, unsigned int number, struct irq *ret_irq)
{
	struct irq irq = {.number = number};
	struct fact_cpus allowed, effective;
	struct fact_text actions;
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/kernel/irq/%u/actions", number);
	read_text(root, path, &actions);
	if (actions.state == FACT_UNREAD) /* shared by many */
		snprintf(actions.text, sizeof(actions.text), "shared");
	if (!*actions.text)
		return 1;
	snprintf(irq.actions, sizeof(irq.actions), "%s", actions.text);
	snprintf(path, sizeof(path), FILE_IRQS "/%u/smp_affinity_list", number);
	read_list(root, path, &allowed);
	/* Since 6.8 or so nobody may write where the kernel would refuse it. */
	irq.fixed = !fstatat(root, path + 1, &st, 0) && !(st.st_mode & S_IWUSR);
	snprintf(path, sizeof(path), FILE_IRQS "/%u/effective_affinity_list", number);
	read_list(root, path, &effective);
	if (allowed.state != FACT_KNOWN)
		return 1;
	irq.allowed = allowed.cpus;
	irq.effective = effective.state == FACT_KNOWN ? effective.cpus : allowed.cpus;
	*ret_irq = irq;
	return 0;
}

static int compare_irqs(const void *a, const void *b)
{
	const struct irq *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

int read_irqs(int root, struct host_facts *facts)
{
	cleanup_closedir DIR *dir = open_folder(root, FILE_IRQS);
	const struct dirent *entry;
	uint64_t number;

	if (!dir) {
		facts->irqs_state = errno == ENOENT ? FACT_ABSENT : FACT_UNREAD;
		return 0;
	}
	while ((entry = readdir(dir))) {
		struct irq irq, *slot;

		if (numbered(entry->d_name, "", UINT32_MAX, &number) ||
			read_irq(root, (unsigned int)number, &irq))
			continue;
		slot = array_push(&facts->irqs, &facts->n_irqs);
		if (!slot)
			return -ENOMEM;
		*slot = irq;
	}
	if (facts->n_irqs)
		qsort(facts->irqs, facts->n_irqs, sizeof(*facts->irqs), compare_irqs);
	facts->irqs_state = FACT_KNOWN;
	return 0;
}

static void read_governor(int root, int cpu, struct cpu_power *power)
{
	char path[96], offered[GOVERNORS_SIZE];
	struct fact_text governor;

	snprintf(path, sizeof(path), FILE_CPUS "/cpu%d/cpufreq/scaling_governor", cpu);
	read_text(root, path, &governor);
	if (governor.state == FACT_KNOWN)
		memcpy(power->governor, governor.text, sizeof(power->governor));
	snprintf(path, sizeof(path),
		FILE_CPUS "/cpu%d/cpufreq/scaling_available_governors", cpu);
	power->offers_performance =
		file_read_at(root, path + 1, offered, sizeof(offered)) >= 0 &&
		has_word(offered, "performance");
}

static uint64_t read_number(int root, const char *path, uint64_t otherwise)
{
	struct fact_text text;
	uint64_t number;

	read_text(root, path, &text);
	return text.state == FACT_KNOWN && !parse_u64(text.text, UINT64_MAX, &number)
		       ? number
		       : otherwise;
}

/* What the CPU's users tolerate: "n/a" is nothing, 0 is anything. */
static uint64_t read_latency_limit(int root, int cpu)
{
	struct fact_text text;
	char path[96];
	uint64_t limit;

	snprintf(path, sizeof(path), FILE_CPUS "/cpu%d/power/pm_qos_resume_latency_us",
		cpu);
	read_text(root, path, &text);
	if (text.state == FACT_KNOWN && !strcmp(text.text, "n/a"))
		return 0;
	if (text.state != FACT_KNOWN || parse_u64(text.text, UINT64_MAX, &limit) ||
		!limit)
		return UINT64_MAX;
	return limit;
}

static void read_idle(int root, int cpu, struct cpu_power *power)
{
	uint64_t limit = read_latency_limit(root, cpu);

	for (int state = 0; state < IDLE_STATES_MAX; state++) {
		struct fact_text name;
		char path[96];
		uint64_t latency;
		int n = snprintf(path, sizeof(path), FILE_CPUS "/cpu%d/cpuidle/state%d/",
			cpu, state);

		snprintf(path + n, sizeof(path) - (size_t)n, "name");
		read_text(root, path, &name);
		if (name.state != FACT_KNOWN)
			return;
		snprintf(path + n, sizeof(path) - (size_t)n, "latency");
		latency = read_number(root, path, 0);
		snprintf(path + n, sizeof(path) - (size_t)n, "disable");
		if (read_number(root, path, 0) || latency > limit ||
			(*power->idle_name && latency < power->idle_latency_us))
			continue;
		memcpy(power->idle_name, name.text, sizeof(power->idle_name));
		power->idle_latency_us = latency;
	}
}

int read_power(int root, struct host_facts *facts)
{
	struct fact_cpus online;
	size_t n = 0;

	read_list(root, FILE_CPUS "/online", &online);
	cpuset_for_each (cpu, &online.cpus)
		n = (size_t)cpu + 1;
	facts->power = calloc(n ? n : 1, sizeof(*facts->power));
	if (!facts->power)
		return -ENOMEM;
	facts->n_power = n;
	cpuset_for_each (cpu, &online.cpus) {
		read_governor(root, cpu, &facts->power[cpu]);
		read_idle(root, cpu, &facts->power[cpu]);
	}
	return 0;
}

/* The number after KEY in a line like `Node 0 MemFree:  123 kB`. */
static uint64_t meminfo_value(const char *text, const char *key)
{
	const char *at = strstr(text, key), *end;
	uint64_t value;

	if (!at)
		return 0;
	at += strlen(key);
	at += strspn(at, " ");
	return parse_u64_prefix(at, UINT64_MAX, &end, &value) ? 0 : value;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct node_memory *left = a, *right = b;

	return left->node < right->node ? -1 : left->node > right->node;
}

int read_nodes(int root, struct host_facts *facts)
{
	cleanup_closedir DIR *dir = open_folder(root, FILE_NODES);
	const struct dirent *entry;
	uint64_t number;

	while (dir && (entry = readdir(dir))) {
		struct node_memory *node;
		char path[96], text[8192];

		if (numbered(entry->d_name, "node", NODES_MAX - 1, &number))
			continue;
		snprintf(path, sizeof(path), FILE_NODES "/node%u/meminfo",
			(unsigned int)number);
		if (file_read_at(root, path + 1, text, sizeof(text)) < 0)
			continue;
		node = array_push(&facts->nodes, &facts->n_nodes);
		if (!node)
			return -ENOMEM;
		node->node = (unsigned int)number;
		node->total_kib = meminfo_value(text, "MemTotal:");
		node->free_kib = meminfo_value(text, "MemFree:");
		node->huge_total = meminfo_value(text, "HugePages_Total:");
		node->huge_free = meminfo_value(text, "HugePages_Free:");
	}
	if (facts->n_nodes)
		qsort(facts->nodes, facts->n_nodes, sizeof(*facts->nodes), compare_nodes);
	return 0;
}

/* A `KEY=LIST` or `KEY=MASK` of irqbalance(1); quotes as a shell has them. */
static void parse_banned(const char *entry, struct fact_cpus *banned)
{
	static const char list_key[] = "IRQBALANCE_BANNED_CPULIST=",
			  mask_key[] = "IRQBALANCE_BANNED_CPUS=";
	bool list = !strncmp(entry, list_key, sizeof(list_key) - 1);
	char value[4096];
	struct cpuset any;
	size_t len;

	if (!list && strncmp(entry, mask_key, sizeof(mask_key) - 1))
		return;
	entry += list ? sizeof(list_key) - 1 : sizeof(mask_key) - 1;
	entry += strspn(entry, "\"'");
	len = strcspn(entry, "\"'\n \t");
	if (!len || (!list && banned->state == FACT_KNOWN))
		return; /* the list goes first */
	memset(&any, 0xff, sizeof(any));
	snprintf(value, sizeof(value), "%.*s", (int)(len < INT_MAX ? len : 0), entry);
	if (list ? cpulist_parse(value, &any, &banned->cpus, NULL)
		 : cpumask_parse(value, &banned->cpus))
		banned->state = FACT_UNREAD;
	else
		banned->state = FACT_KNOWN;
}

static void read_environment(int root, const char *pid, struct fact_cpus *ret_banned)
{
	cleanup_free char *text = malloc(ENVIRONMENT_MAX);
	struct fact_cpus banned = {.state = FACT_ABSENT};
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "proc/%s/environ", pid);
	n = text ? file_read_raw_at(root, path, text, ENVIRONMENT_MAX) : -ENOMEM;
	if (n < 0) {
		*ret_banned = (struct fact_cpus){};
		return;
	}
	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		parse_banned(at, &banned);
	*ret_banned = banned;
}

static void read_configured(int root, struct fact_cpus *ret_configured)
{
	static const char *const files[] = {
		"etc/default/irqbalance", "etc/sysconfig/irqbalance"};
	struct fact_cpus configured = {.state = FACT_ABSENT};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char text[16384], *save = NULL;

		if (file_read_at(root, files[i], text, sizeof(text)) < 0)
			continue;
		for (char *line = strtok_r(text, "\n", &save); line;
			line = strtok_r(NULL, "\n", &save)) {
			line += strspn(line, " \t");
			if (!strncmp(line, "export ", 7))
				line += 7;
			parse_banned(line, &configured);
		}
	}
	*ret_configured = configured;
}

void read_irqbalance(int root, struct irqbalance *ret_irqbalance)
{
	struct irqbalance irqbalance = {.banned.state = FACT_ABSENT};
	cleanup_closedir DIR *dir = open_folder(root, "/proc");
	const struct dirent *entry;
	uint64_t pid;

	read_configured(root, &irqbalance.configured);
	while (dir && !irqbalance.running && (entry = readdir(dir))) {
		char path[PATH_MAX], comm[32];

		if (numbered(entry->d_name, "", INT_MAX, &pid))
			continue;
		snprintf(path, sizeof(path), "proc/%s/comm", entry->d_name);
		if (file_read_at(root, path, comm, sizeof(comm)) < 0 ||
			strcmp(comm, "irqbalance"))
			continue;
		irqbalance.running = true;
		read_environment(root, entry->d_name, &irqbalance.banned);
	}
	*ret_irqbalance = irqbalance;
}
