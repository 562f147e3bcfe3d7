// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/interrupts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/model/cpuset.h"

/* A number for each of some thousand interrupts and some hundred CPUs. */
enum { TABLE_MAX = 64 * 1024 * 1024 };

struct columns {
	unsigned int *cpus;
	size_t n;
};

static void columns_deinit(struct columns *columns)
{
	free(columns->cpus);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* A number at `at`, which it is moved behind. */
static bool take_number(const char **at, uint64_t max, uint64_t *ret_value)
{
	const char *digit = *at;
	uint64_t value = 0;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		uint64_t next = (uint64_t)(*digit - '0');

		if (value > (max - next) / 10)
			return false;
		value = value * 10 + next;
	}
	if (digit == *at)
		return false;
	*at = digit;
	*ret_value = value;
	return true;
}

/* `CPU0 CPU2`, each once. */
static int parse_head(const char **text, struct columns *columns)
{
	const char *at = *text;

	for (at = skip_blanks(at); *at && *at != '\n'; at = skip_blanks(at)) {
		uint64_t cpu;
		unsigned int *slot;

		if (strncmp(at, "CPU", 3))
			return -EINVAL;
		at += 3;
		if (!take_number(&at, CPUSET_CPUS - 1, &cpu) ||
			(columns->n && columns->cpus[columns->n - 1] >= cpu) ||
			!strchr(" \t\n", *at))
			return -EINVAL;
		slot = array_push(&columns->cpus, &columns->n);
		if (!slot)
			return -ENOMEM;
		*slot = (unsigned int)cpu;
	}
	*text = at;
	return columns->n ? 0 : -EINVAL;
}

static int make_room(struct interrupt_counts *counts, size_t n_cpus)
{
	while (counts->n_cpus < n_cpus)
		if (!array_push(&counts->cpus, &counts->n_cpus))
			return -ENOMEM;
	return 0;
}

static bool is_error(const char *name)
{
	return !strncmp(name, "ERR:", 4) || !strncmp(name, "MIS:", 4) ||
	       !strncmp(name, "MCP:", 4); /* polls for machine checks */
}

/* 1: it is of no CPU. */
static int count_numbers(const char *at, const struct columns *columns)
{
	uint64_t value;

	for (size_t i = 0; i < columns->n; i++) {
		at = skip_blanks(at);
		if (*at < '0' || *at > '9')
			return 1;
		if (!take_number(&at, UINT64_MAX, &value))
			return -EINVAL;
	}
	return 0;
}

static int add_line(const char *line, const struct columns *columns,
	enum interrupt_table table, struct interrupt_counts *counts)
{
	const char *name = skip_blanks(line), *at = name + strcspn(name, ":\n");
	uint64_t value = 0;
	int r;

	if (*at != ':' || is_error(name))
		return 0;
	at++;
	r = count_numbers(at, columns);
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < columns->n; i++) {
		struct cpu_interrupts *cpu = &counts->cpus[columns->cpus[i]];
		uint64_t *sum =
			table == TABLE_INTERRUPTS ? &cpu->interrupts : &cpu->softirqs;

		at = skip_blanks(at);
		if (!take_number(&at, UINT64_MAX, &value) ||
			__builtin_add_overflow(*sum, value, sum))
			return -EINVAL;
	}
	return 0;
}

int interrupts_parse(
	const char *text, enum interrupt_table table, struct interrupt_counts *counts)
{
	CLEANUP(columns_deinit) struct columns columns = {};
	int r = parse_head(&text, &columns);

	if (!r)
		r = make_room(counts, columns.cpus[columns.n - 1] + 1);
	while (!r && (text = strchr(text, '\n'))) {
		text++;
		r = add_line(text, &columns, table, counts);
	}
	return r;
}

static int read_table(int dirfd, const char *name, enum interrupt_table table,
	struct interrupt_counts *counts, struct problem *problem)
{
	cleanup_free char *text = NULL;
	int r = file_read_all_at(dirfd, name, TABLE_MAX, &text);

	if (!r)
		r = interrupts_parse(text, table, counts);
	return r ? problem_set(problem, r, "cannot read /proc/%s: %s", name, strerror(-r))
		 : 0;
}

int interrupts_read(
	int dirfd, struct interrupt_counts *ret_counts, struct problem *problem)
{
	struct interrupt_counts counts = {};
	int r = read_table(dirfd, "interrupts", TABLE_INTERRUPTS, &counts, problem);

	if (!r)
		r = read_table(dirfd, "softirqs", TABLE_SOFTIRQS, &counts, problem);
	if (r)
		interrupt_counts_deinit(&counts);
	else
		*ret_counts = counts;
	return r;
}

int interrupts_here(struct interrupt_counts *ret_counts, struct problem *problem)
{
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return problem_set(problem, -errno, "/proc: %s", strerror(errno));
	return interrupts_read(proc, ret_counts, problem);
}
