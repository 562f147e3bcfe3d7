// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "user/base/parse.h"

enum {
	FIRST_YEAR = 1970,
	LAST_YEAR = 2261, /* ns since 1970 end in the one after */
	SECOND = 1000000000,
};

/* What was read of a text. */
struct parts {
	struct tm tm;
	int64_t fraction; /* ns */
	bool utc;	  /* offset is known */
	int64_t offset;	  /* s east of UTC */
};

static bool take_char(const char **at, const char *any_of)
{
	if (!**at || !strchr(any_of, **at))
		return false;
	(*at)++;
	return true;
}

static bool take_number(const char **at, size_t digits, int least, int most, int *ret)
{
	int value = 0;

	for (size_t i = 0; i < digits; i++) {
		if ((*at)[i] < '0' || (*at)[i] > '9')
			return false;
		value = value * 10 + (*at)[i] - '0';
	}
	if (value < least || value > most)
		return false;
	*at += digits;
	*ret = value;
	return true;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **at, struct parts *parts)
{
	int year, month, day;

	if (!take_number(at, 4, FIRST_YEAR, LAST_YEAR, &year) || !take_char(at, "-") ||
		!take_number(at, 2, 1, 12, &month) || !take_char(at, "-") ||
		!take_number(at, 2, 1, days_of(year, month), &day))
		return false;
	parts->tm.tm_year = year - 1900;
	parts->tm.tm_mon = month - 1;
	parts->tm.tm_mday = day;
	return true;
}

/* After the point. Digits that are finer than ns count for nothing. */
static bool take_fraction(const char **at, struct parts *parts)
{
	int64_t unit = SECOND / 10;
	const char *begin = *at;
	int digit;

	for (; take_number(at, 1, 0, 9, &digit); unit /= 10)
		parts->fraction += digit * unit;
	return *at > begin;
}

static bool take_clock(const char **at, bool seconds, struct parts *parts)
{
	if (!take_number(at, 2, 0, 23, &parts->tm.tm_hour) || !take_char(at, ":") ||
		!take_number(at, 2, 0, 59, &parts->tm.tm_min))
		return false;
	if (!take_char(at, ":"))
		return !seconds;
	if (!take_number(at, 2, 0, 59, &parts->tm.tm_sec))
		return false;
	return !take_char(at, ".") || take_fraction(at, parts);
}

static bool take_offset(const char **at, struct parts *parts)
{
	bool west = **at == '-';
	int hours, minutes;

	parts->utc = true;
	if (take_char(at, "Zz"))
		return true;
	if (!take_char(at, "+-") || !take_number(at, 2, 0, 23, &hours) ||
		!take_char(at, ":") || !take_number(at, 2, 0, 59, &minutes))
		return false;
	parts->offset = (west ? -60 : 60) * (hours * 60 + minutes);
	return true;
}

static int64_t to_ns(const struct parts *parts)
{
	struct tm tm = parts->tm;

	tm.tm_isdst = -1;
	return (parts->utc ? timegm(&tm) - parts->offset : mktime(&tm)) * SECOND +
	       parts->fraction;
}

int moment_parse_rfc3339(const char *text, int64_t *ret_ns)
{
	struct parts parts = {};

	if (!take_date(&text, &parts) || !take_char(&text, "Tt ") ||
		!take_clock(&text, true, &parts) || !take_offset(&text, &parts) || *text)
		return -EINVAL;
	*ret_ns = to_ns(&parts);
	return 0;
}

/* The day of a moment. */
static void set_day(int64_t ns, struct parts *parts)
{
	time_t seconds = ns / SECOND;
	struct tm tm;

	localtime_r(&seconds, &tm);
	parts->tm.tm_year = tm.tm_year;
	parts->tm.tm_mon = tm.tm_mon;
	parts->tm.tm_mday = tm.tm_mday;
}

/* Local time: a day, a time of today's, or both. */
static int parse_local(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	struct parts parts = {};
	const char *at = text;

	if (!take_date(&at, &parts)) {
		at = text;
		set_day(now_ns, &parts);
		if (!take_clock(&at, false, &parts))
			return -EINVAL;
	} else if (take_char(&at, "Tt ") && !take_clock(&at, false, &parts)) {
		return -EINVAL;
	}
	if (*at)
		return -EINVAL;
	*ret_ns = to_ns(&parts);
	return 0;
}

int moment_parse(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	bool yesterday = !strcmp(text, "yesterday");
	struct parts parts = {};
	uint64_t ago;

	if (!strcmp(text, "now")) {
		*ret_ns = now_ns;
		return 0;
	}
	if (yesterday || !strcmp(text, "today")) {
		set_day(now_ns, &parts);
		parts.tm.tm_mday -= yesterday; /* mktime() knows what that is */
		*ret_ns = to_ns(&parts);
		return 0;
	}
	if (!parse_duration(text, &ago)) {
		*ret_ns = now_ns - (int64_t)ago;
		return 0;
	}
	if (!moment_parse_rfc3339(text, ret_ns))
		return 0;
	return parse_local(text, now_ns, ret_ns);
}

void moment_format(int64_t ns, char *buf, size_t size)
{
	int64_t fraction = ns % SECOND + (ns % SECOND < 0 ? SECOND : 0);
	time_t seconds = (ns - fraction) / SECOND;
	char whole[24] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(whole, sizeof(whole), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf, size, "%s.%03d", whole, (int)(fraction / 1000000));
}
