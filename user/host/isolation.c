// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/host/isolation_files.h"
#include "user/model/bootline.h"
#include "user/model/cpulist.h"
#include "user/model/cpumask.h"

enum {
	LIST_MAX = 65536,
	SCHEDSTAT_MAX = 64 * 1024 * 1024, /* up to 20 KiB a CPU */
	NAMED_DOMAINS = 17,		  /* version from which on domains have names */
};

static int read_set(int root, const char *path,
	int (*parse)(const char *text, struct cpuset *ret_set),
	struct fact_cpus *ret_cpus)
{
	cleanup_free char *text = NULL;
	struct fact_cpus cpus = {};
	int r = file_read_all_at(root, path + 1, LIST_MAX, &text);

	/* nohz_full of 6.12 and before where none was asked for: a mask that is not
	 * there, with spaces for as many as there are CPUs. */
	if (!r && !strcmp(text + strspn(text, " "), "(null)"))
		cpus.state = FACT_KNOWN;
	else if (!r && !parse(text, &cpus.cpus))
		cpus.state = FACT_KNOWN;
	else if (r == -ENOENT)
		cpus.state = FACT_ABSENT;
	*ret_cpus = cpus;
	return r;
}

void read_list(int root, const char *path, struct fact_cpus *ret_cpus)
{
	read_set(root, path, cpulist_parse_kernel, ret_cpus);
}

static void read_mask(int root, const char *path, struct fact_cpus *ret_cpus)
{
	read_set(root, path, cpumask_parse, ret_cpus);
}

void read_text(int root, const char *path, struct fact_text *ret_text)
{
	struct fact_text text = {};
	ssize_t n = file_read_at(root, path + 1, text.text, sizeof(text.text));

	if (n >= 0)
		text.state = FACT_KNOWN;
	else if (n == -ENOENT)
		text.state = FACT_ABSENT;
	*ret_text = text;
}

DIR *open_folder(int root, const char *path)
{
	int fd = openat(root, path + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

int numbered(const char *name, const char *prefix, uint64_t max, uint64_t *ret_number)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len))
		return -EINVAL;
	return parse_u64(name + len, max, ret_number);
}

static void read_bootline(int root, struct host_facts *facts)
{
	cleanup_free char *line = NULL;

	if (file_read_all_at(root, &FILE_CMDLINE[1], LIST_MAX, &line))
		return;
	bootline_rcu_nocbs(line, &facts->rcu_nocbs);
	bootline_managed_irq(line, &facts->managed_irq);
}

/* `domainN MASK ...`, or `domainN NAME MASK ...`. */
static int parse_domain(char *line, bool named, struct cpuset *ret_span)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);

	word = word ? strtok_r(NULL, " ", &save) : NULL;
	if (named && word)
		word = strtok_r(NULL, " ", &save);
	return word ? cpumask_parse(word, ret_span) : -EINVAL;
}

/* Documentation/scheduler/sched-stats.rst: each CPU's line, then those of its domains. */
static int parse_schedstat(char *text, struct cpuset *spans, size_t n_spans)
{
	uint64_t version = 0, cpu = CPUSET_CPUS;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		struct cpuset span;
		const char *end;

		if (!strncmp(line, "version ", 8)) {
			if (parse_u64(line + 8, 1000, &version))
				return -EINVAL;
		} else if (!strncmp(line, "cpu", 3)) {
			if (parse_u64_prefix(line + 3, CPUSET_CPUS - 1, &end, &cpu))
				return -EINVAL;
		} else if (!strncmp(line, "domain", 6)) {
			if (cpu >= n_spans ||
				parse_domain(line, version >= NAMED_DOMAINS, &span))
				return -EINVAL;
			cpuset_or(&spans[cpu], &span);
		}
	}
	return version ? 0 : -EINVAL;
}

static int read_domains(int root, struct host_facts *facts)
{
	cleanup_free struct cpuset *spans = NULL;
	cleanup_free char *text = NULL;
	struct fact_cpus possible;
	size_t n = 0;
	int r;

	read_list(root, FILE_CPUS "/possible", &possible);
	cpuset_for_each (cpu, &possible.cpus)
		n = (size_t)cpu + 1;
	r = file_read_all_at(root, &FILE_SCHEDSTAT[1], SCHEDSTAT_MAX, &text);
	if (r) {
		facts->domains = r == -ENOENT ? FACT_ABSENT : FACT_UNREAD;
		return r == -ENOMEM ? r : 0;
	}
	spans = calloc(n ? n : 1, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	if (parse_schedstat(text, spans, n))
		return 0;
	facts->domains = FACT_KNOWN;
	facts->spans = take_ptr(spans);
	facts->n_spans = n;
	return 0;
}

static bool exists(int root, const char *path)
{
	return !faccessat(root, path + 1, F_OK, 0);
}

/*
 * From 6.9 on active CPUs pull the timers of idle ones. The kernels that leave isolated
 * CPUs out have renamed a tracepoint of theirs with that change.
 */
static enum timer_pull read_timer_pull(int root)
{
	if (!exists(root, FILE_TRACE_EVENTS "/timer"))
		return PULL_UNKNOWN;
	if (!exists(root, FILE_TRACE_EVENTS "/timer_migration"))
		return PULL_IN_DOMAIN;
	if (exists(root, FILE_TRACE_EVENTS "/timer_migration/tmigr_cpu_unavailable"))
		return PULL_NOT_ISOLATED;
	return PULL_ALL;
}

int host_facts_read_at(
	const char *path, struct host_facts *ret_facts, struct problem *problem)
{
	struct host_facts facts = {};
	cleanup_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (root < 0)
		return problem_set(
			problem, -errno, "cannot open %s: %s", path, strerror(errno));
	read_list(root, FILE_ISOLATED, &facts.isolated);
	read_list(root, FILE_NOHZ_FULL, &facts.nohz_full);
	read_bootline(root, &facts);
	read_mask(root, FILE_WORKQUEUES, &facts.workqueues);
	read_mask(root, FILE_WQ_ISOLATED, &facts.workqueues_isolated);
	facts.timer_pull = read_timer_pull(root);
	read_text(root, FILE_TIMER_SYSCTL, &facts.timer_migration);
	read_mask(root, FILE_IRQ_DEFAULT, &facts.irq_default);
	read_irqbalance(root, &facts.irqbalance);
	read_text(root, FILE_WATCHDOG, &facts.watchdog);
	read_text(root, FILE_NMI_WATCHDOG, &facts.nmi_watchdog);
	read_list(root, FILE_WATCHDOG_CPUS, &facts.watchdog_cpus);
	read_text(root, FILE_NUMA_BALANCE, &facts.numa_balancing);
	read_text(root, FILE_THP, &facts.thp);
	read_text(root, FILE_KSM, &facts.ksm);
	read_text(root, FILE_SCHED_EXT, &facts.sched_ext);
	read_text(root, FILE_SCHED_EXT_OPS, &facts.sched_ext_ops);
	r = read_domains(root, &facts);
	if (!r)
		r = read_irqs(root, &facts);
	if (!r)
		r = read_power(root, &facts);
	if (!r)
		r = read_nodes(root, &facts);
	if (r) {
		host_facts_deinit(&facts);
		return problem_nomem(problem);
	}
	*ret_facts = facts;
	return 0;
}

int host_facts_read(struct host_facts *ret_facts, struct problem *problem)
{
	return host_facts_read_at("/", ret_facts, problem);
}
