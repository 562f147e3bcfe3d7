// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first byte chooses the host, the rest is the list. What is taken must be a set of
 * that host's CPUs that survives being printed; what is refused must have a sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_printed(const struct cpuset *set, const struct cpuset *present)
{
	cleanup_free char *text = cpulist_format(set);
	struct cpuset again;

	require(text);
	require(!cpulist_parse_kernel(text, &again) && cpuset_equal(&again, set));
	require(cpuset_empty(set) || (!cpulist_parse(text, present, &again, NULL) &&
					     cpuset_equal(&again, set)));
}

static void check_list(const char *text, const struct cpuset *present)
{
	struct problem problem = {""};
	struct cpuset set = {{42}};

	if (cpulist_parse(text, present, &set, &problem)) {
		require(*problem.text && set.words[0] == 42);
		return;
	}
	require(!*problem.text && !cpuset_empty(&set) && cpuset_subset(&set, present));
	check_printed(&set, present);
}

/* What the kernel's parser takes is exactly what is printed for the set. */
static void check_kernel_list(const char *list, const struct cpuset *all)
{
	cleanup_free char *text = NULL;
	struct cpuset set;

	if (cpulist_parse_kernel(list, &set))
		return;
	text = cpulist_format(&set);
	require(text && !strcmp(text, list));
	check_printed(&set, all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = {"0-7", "0-8191", "0-3,8-11,64", ""};
	cleanup_free char *text = NULL;
	struct cpuset present, all;

	if (!size)
		return 0;
	require(!cpulist_parse_kernel(hosts[data[0] % 4], &present));
	require(!cpulist_parse_kernel(hosts[1], &all));
	text = strndup((const char *)data + 1, size - 1);
	require(text);
	check_list(text, &present);
	check_kernel_list(text, &all);
	return 0;
}
