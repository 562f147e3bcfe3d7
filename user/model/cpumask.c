// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/cpumask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int cpumask_parse(const char *text, struct cpuset *ret_set)
{
	struct cpuset set = {};
	unsigned int bit = 0;

	if (!*text)
		return -EINVAL;
	for (size_t i = strlen(text); i-- > 0;) {
		int digit = hex_digit(text[i]);

		if (text[i] == ',' && bit && bit % 32 == 0)
			continue;
		if (digit < 0 || bit >= CPUSET_CPUS)
			return -EINVAL;
		for (unsigned int j = 0; j < 4; j++)
			if (digit >> j & 1)
				cpuset_add(&set, bit + j);
		bit += 4;
	}
	*ret_set = set;
	return 0;
}

char *cpumask_format(const struct cpuset *set)
{
	enum { WORDS = CPUSET_CPUS / 32, WIDTH = 9 };
	char *text = malloc(WORDS * WIDTH + 1), *at = text;
	bool started = false;

	if (!text)
		return NULL;
	for (size_t i = WORDS; i-- > 0;) {
		uint32_t word = (uint32_t)(set->words[i / 2] >> (i % 2 * 32));

		if (!started && !word && i)
			continue;
		at += sprintf(at, started ? ",%08x" : "%x", word);
		started = true;
	}
	return text;
}
