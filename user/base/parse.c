// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/parse.h"

#include <errno.h>

int parse_u64_prefix(
	const char *text, uint64_t max, const char **ret_end, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (max - digit) / 10 || digit > max)
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (p == text)
		return -EINVAL;
	*ret_end = p;
	*ret_value = value;
	return 0;
}

int parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	int r;

	r = parse_u64_prefix(text, max, &end, &value);
	if (r)
		return r;
	if (*end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}
