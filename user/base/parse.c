// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/parse.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

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

#define NS_A_SECOND UINT64_C(1000000000)

struct time_unit {
	const char *suffix;
	uint64_t ns;
};

static int parse_time(const char *text, const struct time_unit *units, uint64_t *ret_ns)
{
	const char *end;
	uint64_t value;

	if (parse_u64_prefix(text, 1000000, &end, &value) || !value)
		return -EINVAL;
	for (; units->suffix; units++) {
		if (strcmp(end, units->suffix) != 0)
			continue;
		/* Of 292 years at most: whoever reckons with it may do so with signs. */
		if (value > INT64_MAX / units->ns)
			return -EINVAL;
		*ret_ns = value * units->ns;
		return 0;
	}
	return -EINVAL;
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct time_unit units[] = {{"", NS_A_SECOND}, {"s", NS_A_SECOND},
		{"m", 60 * NS_A_SECOND}, {"h", 3600 * NS_A_SECOND},
		{"d", 86400 * NS_A_SECOND}, {}};

	return parse_time(text, units, ret_ns);
}

int parse_short_duration(const char *text, uint64_t *ret_ns)
{
	static const struct time_unit units[] = {
		{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", NS_A_SECOND}, {}};

	return parse_time(text, units, ret_ns);
}

int parse_percent(const char *text, uint64_t *ret_ppm)
{
	enum { PLACES = 4 };
	uint64_t whole, part = 0, ppm;
	const char *end, *point;

	if (parse_u64_prefix(text, 100, &end, &whole))
		return -EINVAL;
	if (*end == '.') {
		point = end;
		if (parse_u64_prefix(point + 1, 9999, &end, &part) ||
			end - point > PLACES + 1)
			return -EINVAL;
		for (ptrdiff_t i = end - point; i <= PLACES; i++)
			part *= 10;
	}
	ppm = whole * 10000 + part;
	if ((*end && strcmp(end, "%") != 0) || !ppm || ppm > 1000000)
		return -EINVAL;
	*ret_ppm = ppm;
	return 0;
}

int parse_delay(const char *text, unsigned int *ret_ms)
{
	uint64_t seconds, tenths = 0, ms;
	const char *end;

	if (parse_u64_prefix(text, 3600, &end, &seconds) ||
		(*end == '.' && parse_u64_prefix(end + 1, 9, &end, &tenths)) || *end)
		return -EINVAL;
	ms = seconds * 1000 + tenths * 100;
	if (ms < 100 || ms > 3600 * 1000)
		return -EINVAL;
	*ret_ms = (unsigned int)ms;
	return 0;
}
