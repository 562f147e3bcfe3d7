// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/cpulist.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/parse.h"

enum {
	TEXT_MAX = 64 * 1024,
	QUOTED_MAX = 60, /* bytes of an item that a sentence repeats */
	RANGE_MAX = 10,	 /* "8190-8191," */
};

/* One item of the list, still as text: `text` goes on after its end. */
struct item {
	const char *text;
	size_t len;
};

/* CPUs first..last of which the first `used` of every `group` are meant. */
struct region {
	uint64_t first, last, used, group;
};

static int quoted_len(const struct item *item)
{
	return item->len < QUOTED_MAX ? (int)item->len : QUOTED_MAX;
}

static int no_item(const struct item *item, struct problem *problem)
{
	return problem_set(problem, -EINVAL, "'%.*s' is no CPU number, range or stride",
		quoted_len(item), item->text);
}

/* "5", "0-3" or "0-31:2/4". Returns where it ends, NULL if it is none of them. */
static const char *scan_region(const char *text, struct region *ret_region)
{
	struct region region = {.used = 1, .group = 1};

	if (parse_u64_prefix(text, UINT32_MAX, &text, &region.first))
		return NULL;
	region.last = region.first;
	if (*text == '-') {
		if (parse_u64_prefix(text + 1, UINT32_MAX, &text, &region.last))
			return NULL;
		if (*text == ':') {
			if (parse_u64_prefix(text + 1, UINT32_MAX, &text, &region.used))
				return NULL;
			if (*text != '/' || parse_u64_prefix(text + 1, UINT32_MAX, &text,
						    &region.group))
				return NULL;
		}
	}
	*ret_region = region;
	return text;
}

static int no_cpu(uint64_t cpu, const struct cpuset *present, struct problem *problem)
{
	cleanup_free char *cpus = cpulist_format(present);

	if (!cpus)
		return problem_nomem(problem);
	return problem_set(problem, -EINVAL,
		"CPU %llu does not exist: this host has %s%s", (unsigned long long)cpu,
		*cpus ? "CPUs " : "no CPU", cpus);
}

static int add_region(const struct region *region, const struct cpuset *present,
	struct cpuset *set, struct problem *problem)
{
	for (uint64_t start = region->first; start <= region->last;
		start += region->group) {
		uint64_t end = start + region->used - 1;

		if (end > region->last)
			end = region->last;
		for (uint64_t cpu = start; cpu <= end; cpu++) {
			if (cpu >= CPUSET_CPUS || !cpuset_has(present, (unsigned int)cpu))
				return no_cpu(cpu, present, problem);
			cpuset_add(set, (unsigned int)cpu);
		}
	}
	/* A stride may leave its last CPU out, but it is named, so it has to exist. */
	if (region->last >= CPUSET_CPUS ||
		!cpuset_has(present, (unsigned int)region->last))
		return no_cpu(region->last, present, problem);
	return 0;
}

/* Adds what one item, a "^" before it aside, stands for to set. */
static int add_item(const struct item *item, const struct cpuset *present,
	struct cpuset *set, struct problem *problem)
{
	const size_t skip = *item->text == '^';
	const char *text = item->text + skip;
	struct region region;

	if (item->len - skip == 3 && !memcmp(text, "all", 3)) {
		cpuset_or(set, present);
		return 0;
	}
	if (scan_region(text, &region) != item->text + item->len)
		return no_item(item, problem);
	if (region.last < region.first)
		return problem_set(problem, -EINVAL,
			"'%.*s' is a range that ends before it begins", quoted_len(item),
			item->text);
	if (!region.used || region.used > region.group)
		return problem_set(problem, -EINVAL,
			"'%.*s' must use at least one CPU of a group and at most all of them",
			quoted_len(item), item->text);
	return add_region(&region, present, set, problem);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void strip(struct item *item)
{
	while (item->len && is_space(item->text[0])) {
		item->text++;
		item->len--;
	}
	while (item->len && is_space(item->text[item->len - 1]))
		item->len--;
}

int cpulist_parse(const char *text, const struct cpuset *present, struct cpuset *ret_set,
	struct problem *problem)
{
	struct cpuset set = {0}, excluded = {0};
	const struct item whole = {text, strnlen(text, TEXT_MAX + 1)};

	if (whole.len > TEXT_MAX)
		return problem_set(problem, -EINVAL,
			"the CPU list is longer than %d bytes", TEXT_MAX);
	if (text[strspn(text, " \t")] == '\0')
		return problem_set(problem, -EINVAL, "the CPU list is empty");
	for (unsigned int n = 1;; n++) {
		struct item item = {text, strcspn(text, ",")};
		int r;

		text += item.len;
		strip(&item);
		if (!item.len)
			return problem_set(problem, -EINVAL,
				"item %u of the CPU list '%.*s' is empty", n,
				quoted_len(&whole), whole.text);
		r = add_item(
			&item, present, *item.text == '^' ? &excluded : &set, problem);
		if (r)
			return r;
		if (!*text)
			break;
		text++;
	}
	cpuset_andnot(&set, &excluded);
	if (cpuset_empty(&set))
		return problem_set(problem, -EINVAL, "the CPU list '%.*s' leaves no CPU",
			quoted_len(&whole), whole.text);
	*ret_set = set;
	return 0;
}

/* A number as the kernel prints it: without leading zeros. */
static int scan_canonical(const char **text, uint64_t *ret_value)
{
	if (**text == '0' && (*text)[1] >= '0' && (*text)[1] <= '9')
		return -EINVAL;
	return parse_u64_prefix(*text, CPUSET_CPUS - 1, text, ret_value) ? -EINVAL : 0;
}

int cpulist_parse_kernel(const char *text, struct cpuset *ret_set)
{
	struct cpuset set = {0};
	uint64_t lowest =
		0; /* that the next range may begin with: the kernel joins neighbours */

	while (*text) {
		uint64_t first, last;

		if (scan_canonical(&text, &first) || first < lowest)
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (scan_canonical(&text, &last) || last <= first)
				return -EINVAL;
		}
		for (uint64_t cpu = first; cpu <= last; cpu++)
			cpuset_add(&set, (unsigned int)cpu);
		lowest = last + 2;
		if (!*text)
			break;
		if (text[0] != ',' || !text[1])
			return -EINVAL;
		text++;
	}
	*ret_set = set;
	return 0;
}

/* The last CPU of the run of neighbours that begins with `first`. */
static unsigned int run_end(const struct cpuset *set, unsigned int first)
{
	while (cpuset_has(set, first + 1))
		first++;
	return first;
}

char *cpulist_format(const struct cpuset *set)
{
	size_t n_runs = 0, size, len = 0;
	char *text;

	for (int cpu = cpuset_next(set, 0); cpu >= 0;
		cpu = cpuset_next(set, run_end(set, (unsigned int)cpu) + 1))
		n_runs++;
	size = n_runs * RANGE_MAX + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	text[0] = '\0';
	for (int cpu = cpuset_next(set, 0); cpu >= 0;) {
		unsigned int first = (unsigned int)cpu, last = run_end(set, first);

		len += (size_t)snprintf(
			text + len, size - len, len ? ",%u" : "%u", first);
		if (last > first)
			len += (size_t)snprintf(text + len, size - len, "-%u", last);
		cpu = cpuset_next(set, last + 1);
	}
	return text;
}
