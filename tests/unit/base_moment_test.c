// SPDX-License-Identifier: GPL-2.0-or-later
/* In a zone with summer time, east of UTC: what is local has to differ from what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "user/base/moment.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))
#define S 1000000000ll

/* 2026-11-21 11:30:15.5 in this zone, as `date` has it. */
static const int64_t now = 1795257015 * S + S / 2;

static int enter(void **state)
{
	(void)state;
	/* Without files of zones. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

static void test_rfc3339(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-21T10:30:15Z", 1795257015 * S},
		{"2026-11-21t10:30:15z", 1795257015 * S},
		{"2026-11-21 10:30:15Z", 1795257015 * S},
		{"2026-11-21T10:30:15.500000Z", 1795257015 * S + S / 2},
		{"2026-11-21T10:30:15.1234567891Z", 1795257015 * S + 123456789},
		{"2026-11-21T11:30:15+01:00", 1795257015 * S},
		{"2026-11-21T05:00:15-05:30", 1795257015 * S},
		{"2024-02-29T00:00:00Z", 1709164800 * S},
		{"2000-02-29T00:00:00Z", 951782400 * S},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int64_t ns = -1;

		if (moment_parse_rfc3339(rows[i].text, &ns) || ns != rows[i].ns)
			fail_msg("%s: %lld", rows[i].text, (long long)ns);
		assert_int_equal(moment_parse(rows[i].text, now, &ns), 0);
		assert_true(ns == rows[i].ns);
	}
}

static void test_no_rfc3339(void **state)
{
	static const char *const rows[] = {"", "2026-11-21T10:30:15", "2026-11-21T10:30Z",
		"2026-11-21", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-11-00T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T10:60:00Z",
		"2026-11-21T10:00:61Z", "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00Zx",
		"2026-11-21T10:00:00Z ", "2026-11-21T10:00:00+1:00",
		"2026-11-21T10:00:00+0100", "2026-11-21T10:00:00+24:00",
		"2026-11-21T10:00:00+01:60", "2026-11-21X10:00:00Z",
		"1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "02026-11-21T10:00:00Z",
		"26-11-21T10:00:00Z", "2026-1-21T10:00:00Z", " 2026-11-21T10:00:00Z"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int64_t ns = -1;

		if (moment_parse_rfc3339(rows[i], &ns) != -EINVAL || ns != -1)
			fail_msg("'%s' is taken", rows[i]);
	}
}

static void test_local(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} rows[] = {
		{"2026-11-21 11:30:15", 1795257015}, {"2026-11-21T11:30:15", 1795257015},
		{"2026-11-21 11:30", 1795257000},
		{"2026-11-21", 1795257015 - 11 * 3600 - 30 * 60 - 15},
		{"11:30", 1795257000},
		{"23:30:15", 1795257015 + 12 * 3600}, /* still today */
		{"00:00", 1795257015 - 11 * 3600 - 30 * 60 - 15},
		{"2026-07-01 12:00", 1782900000}, /* two hours east of UTC then */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int64_t ns = -1;

		if (moment_parse(rows[i].text, now, &ns) || ns != rows[i].s * S)
			fail_msg("%s: %lld", rows[i].text, (long long)ns);
	}
}

static void test_words(void **state)
{
	const int64_t midnight = (1795257015 - 11 * 3600 - 30 * 60 - 15) * S;
	int64_t ns;

	(void)state;
	assert_int_equal(moment_parse("now", now, &ns), 0);
	assert_true(ns == now);
	assert_int_equal(moment_parse("today", now, &ns), 0);
	assert_true(ns == midnight);
	assert_int_equal(moment_parse("yesterday", now, &ns), 0);
	assert_true(ns == midnight - 24 * 3600 * S);
	assert_int_equal(moment_parse("5m", now, &ns), 0);
	assert_true(ns == now - 300 * S);
	assert_int_equal(moment_parse("106751d", now, &ns), 0);
	assert_true(ns < 0);
}

/* The day after summer time has ended is one of 24 hours, and began 25 hours after the
 * one before. */
static void test_a_long_day(void **state)
{
	const int64_t monday = 1792969200 * S; /* 2026-10-26 00:00 */
	int64_t ns;

	(void)state;
	assert_int_equal(moment_parse("2026-10-26", now, &ns), 0);
	assert_true(ns == monday);
	assert_int_equal(moment_parse("yesterday", monday + 3600 * S, &ns), 0);
	assert_true(ns == monday - 25 * 3600 * S);
}

static void test_none(void **state)
{
	static const char *const rows[] = {"", " ", "tomorrow", "Now", "5", "5w", "-5m",
		"24:00", "10:60", "10:00:60", "1:00", "10", "10:", "10:00:", "10:00x",
		"2026-11-21 ", "2026-11-21 10", "2026-11-21 10:00x", "2026-02-30",
		"2026-11-21 10:00:00.", "21.11.2026", "2026/11/21", "\n"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int64_t ns = -1;
		/* Seconds, as with check --window. */
		bool number = !strcmp(rows[i], "5") || !strcmp(rows[i], "10");

		if (moment_parse(rows[i], now, &ns) != (number ? 0 : -EINVAL))
			fail_msg("'%s'", rows[i]);
	}
}

static void test_format(void **state)
{
	char text[MOMENT_SIZE];

	(void)state;
	moment_format(now + 999999, text, sizeof(text));
	assert_string_equal(text, "2026-11-21 11:30:15.500");
	moment_format(-S / 4, text, sizeof(text));
	assert_string_equal(text, "1970-01-01 00:59:59.750");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339),
		cmocka_unit_test(test_no_rfc3339),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_long_day),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
