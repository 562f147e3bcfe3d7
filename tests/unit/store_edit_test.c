// SPDX-License-Identifier: GPL-2.0-or-later
/* A file of a VM, edited: what is changed, and that nothing else is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/store/edit.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))

static void expect(const char *text, const char *section, const char *key,
	const char *value, const char *expected)
{
	const struct edit edit = {section, key, value};
	cleanup_free char *after = NULL;
	struct problem problem = {""};
	size_t size;

	if (edit_text("a.conf", text, strlen(text), &edit, &after, &size, &problem))
		fail_msg("%s", problem.text);
	assert_string_equal(after, expected);
	assert_int_equal(size, strlen(expected));
}

static void refuse(
	const char *text, size_t size, const struct edit *edit, const char *expected)
{
	struct problem problem = {""};
	char *after = NULL;

	assert_int_equal(
		edit_text("a.conf", text, size, edit, &after, &size, &problem), -EINVAL);
	assert_null(after);
	assert_string_equal(problem.text, expected);
}

struct example {
	const char *before, *key, *value, *after;
};

static void expect_all(const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(examples[i].before, "vcpupin", examples[i].key, examples[i].value,
			examples[i].after);
}

static void test_a_value_changes_where_it_stands(void **state)
{
	static const struct example examples[] = {
		{"[vcpupin]\n0 = 4\n", "0", "5", "[vcpupin]\n0 = 5\n"},
		{"[vcpupin]\n0 = 4\n", "0", "4", "[vcpupin]\n0 = 4\n"},
		{"[vcpupin]\n0=4", "0", "5-6", "[vcpupin]\n0=5-6"},
		{"[vcpupin]\r\n\t0\t=\t4\t\r\n", "0", "5",
			"[vcpupin]\r\n\t0\t=\t5\t\r\n"},
		{"[vcpupin]\n0 = 4 ; hot\n", "0", "5", "[vcpupin]\n0 = 5 ; hot\n"},
		{"[vcpupin]\n0 = 4;5 ;; hot\n", "0", "5", "[vcpupin]\n0 = 5 ;; hot\n"},
		{"[vcpupin]\n0 = 4 # 5\n", "0", "5", "[vcpupin]\n0 = 5\n"},
		{"[vcpupin]\n0 =\n", "0", "5", "[vcpupin]\n0 = 5\n"},
		{"[vcpupin]\n0=\t;x\n", "0", "5", "[vcpupin]\n0= 5\t;x\n"},
		{"[vcpupin]\n0=;x\n", "0", "5", "[vcpupin]\n0=5\n"},
		{"[vcpupin]\n0 = a=b:c\n", "0", "5", "[vcpupin]\n0 = 5\n"},
		{"[vcpupin]\n# 0 = 3\n;0 = 2\n0 = 1\n", "0", "5",
			"[vcpupin]\n# 0 = 3\n;0 = 2\n0 = 5\n"},
		{"[iothreadpin]\n0 = 3\n[vcpupin]\n10 = 2\n0 = 1\n", "0", "5",
			"[iothreadpin]\n0 = 3\n[vcpupin]\n10 = 2\n0 = 5\n"},
		{"[vcpupin]\n1 = 2\n[vm]\n[vcpupin]\n0 = 1\n", "0", "5",
			"[vcpupin]\n1 = 2\n[vm]\n[vcpupin]\n0 = 5\n"},
	};

	(void)state;
	expect_all(examples, N_ELEMENTS(examples));
}

/* The reader takes 00 for 0: a second one would be an error. */
static void test_zeros_before_a_number_make_no_other_key(void **state)
{
	static const struct example examples[] = {
		{"[vcpupin]\n00 = 4\n", "0", "5", "[vcpupin]\n00 = 5\n"},
		{"[vcpupin]\n01 = 4\n", "1", NULL, ""},
		{"[vcpupin]\n10 = 4\n", "1", "5", "[vcpupin]\n10 = 4\n1 = 5\n"},
		{"[vcpupin]\nx = 4\n", "0", "5", "[vcpupin]\nx = 4\n0 = 5\n"},
	};

	(void)state;
	expect_all(examples, N_ELEMENTS(examples));
	expect("[vm]\n0x = 1\n", "vm", "x", "2", "[vm]\n0x = 1\nx = 2\n");
}

static void test_a_new_key_follows_the_last(void **state)
{
	static const struct example examples[] = {
		{"", "0", "5", "[vcpupin]\n0 = 5\n"},
		{"\xef\xbb\xbf", "0", "5", "\xef\xbb\xbf[vcpupin]\n0 = 5\n"},
		{"[vm]\n", "0", "5", "[vm]\n[vcpupin]\n0 = 5\n"},
		{"[vm]", "0", "5", "[vm]\n[vcpupin]\n0 = 5\n"},
		{"[vm]\r\n\r\n# x", "0", "5",
			"[vm]\r\n\r\n# x\r\n[vcpupin]\r\n0 = 5\r\n"},
		{"[vcpupin]\n", "0", "5", "[vcpupin]\n0 = 5\n"},
		{"[vcpupin] ; x", "0", "5", "[vcpupin] ; x\n0 = 5\n"},
		{"\xef\xbb\xbf[vcpupin]\n[vm]", "0", "5",
			"\xef\xbb\xbf[vcpupin]\n0 = 5\n[vm]"},
		{"[vcpupin]\n1 = 2\n\n# end\n[vm]\n", "0", "5",
			"[vcpupin]\n1 = 2\n0 = 5\n\n# end\n[vm]\n"},
		{"[vcpupin]\n1 = 2\n[vm]\n[vcpupin]\n# x\n", "0", "5",
			"[vcpupin]\n1 = 2\n0 = 5\n[vm]\n[vcpupin]\n# x\n"},
		{"[vcpupin]\r\n1 = 2\n[vm]\r\n", "0", "5",
			"[vcpupin]\r\n1 = 2\n0 = 5\n[vm]\r\n"},
		{"[ vcpupin ]\n", "0", "5", "[ vcpupin ]\n[vcpupin]\n0 = 5\n"},
		{"# [vcpupin]\n", "0", "5", "# [vcpupin]\n[vcpupin]\n0 = 5\n"},
	};

	(void)state;
	expect_all(examples, N_ELEMENTS(examples));
}

/* Its comment is the operator's, and stays. */
static void test_a_key_goes(void **state)
{
	static const struct example examples[] = {
		{"[vcpupin]\n0 = 4\n1 = 5\n", "0", NULL, "[vcpupin]\n1 = 5\n"},
		{"[vcpupin]\n0 = 4\n1 = 5", "1", NULL, "[vcpupin]\n0 = 4\n"},
		{"[vcpupin]\n  0 = 4 ; hot\r\n1 = 5\n", "0", NULL,
			"[vcpupin]\n  ; hot\r\n1 = 5\n"},
		{"[vcpupin]\n1 = 5\n", "0", NULL, "[vcpupin]\n1 = 5\n"},
		{"[vm]\n0 = 5\n", "0", NULL, "[vm]\n0 = 5\n"},
		{"", "0", NULL, ""},
	};

	(void)state;
	expect_all(examples, N_ELEMENTS(examples));
}

static void test_a_section_goes_with_its_last_key(void **state)
{
	static const struct example examples[] = {
		{"[vcpupin]\n0 = 4\n", "0", NULL, ""},
		{"[vm]\n[vcpupin]\n0 = 4\n[emulatorpin]\n", "0", NULL,
			"[vm]\n[emulatorpin]\n"},
		{"[vm]\n\n[vcpupin]\n\n0 = 4\n\n[emulatorpin]\n", "0", NULL,
			"[vm]\n\n\n\n[emulatorpin]\n"},
		{"\xef\xbb\xbf[vcpupin]\n0 = 4\n", "0", NULL, "\xef\xbb\xbf"},
		/* Another section of that name is another matter. */
		{"[vcpupin]\n1 = 2\n[vcpupin]\n0 = 4\n", "0", NULL, "[vcpupin]\n1 = 2\n"},
		{"[vcpupin]\n[vcpupin]\n0 = 4\n", "0", NULL, "[vcpupin]\n"},
		/* Comments in it, or that speak of it, keep it. */
		{"[vcpupin] ; x\n0 = 4\n", "0", NULL, "[vcpupin] ; x\n"},
		{"[vcpupin]\n0 = 4 ; x\n", "0", NULL, "[vcpupin]\n; x\n"},
		{"[vcpupin]\n0 = 4\n# x\n", "0", NULL, "[vcpupin]\n# x\n"},
		{"[vcpupin]\n# x\n0 = 4\n", "0", NULL, "[vcpupin]\n# x\n"},
		{"# x\n[vcpupin]\n0 = 4\n", "0", NULL, "# x\n[vcpupin]\n"},
		{"# x\n\n[vcpupin]\n0 = 4\n", "0", NULL, "# x\n\n"},
	};

	(void)state;
	expect_all(examples, N_ELEMENTS(examples));
}

static void test_set_and_taken_away_is_as_before(void **state)
{
	static const char *const texts[] = {"", "[vm]\npolicy = dedicated\n",
		"# a\r\n[vm]\r\n\r\n", "[vcpupin]\n1 = 2 ; x\n\n[vm]\n"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		const struct edit edit = {"vcpupin", "0", "4"};
		cleanup_free char *after = NULL;
		size_t size;

		assert_int_equal(edit_text("a.conf", texts[i], strlen(texts[i]), &edit,
					 &after, &size, NULL),
			0);
		expect(after, "vcpupin", "0", NULL, texts[i]);
	}
}

static void test_refusals(void **state)
{
	const struct edit edit = {"vcpupin", "0", "4"};
	char long_value[64 * 1024 + 1] = "";

	(void)state;
	refuse("[vcpupin]\n0 = 1\nx\n", 18, &edit,
		"a.conf:3: 'x' is neither a section nor KEY = VALUE");
	refuse("[vcpupin]\n0 = \0\n", 16, &edit,
		"a.conf:2: a NUL byte: only text is allowed");
	refuse("[vcpupin]\n0 = 1\n00 = 1\n", 23, &edit,
		"a.conf: 0 is given twice in [vcpupin]");
	memset(long_value, '1', sizeof(long_value) - 1);
	refuse("[vcpupin]\n", 10, &(struct edit){"vcpupin", "0", long_value},
		"a.conf:2: a line has at most 65536 bytes");
}

static void test_what_would_be_read_as_something_else(void **state)
{
	static const struct edit edits[] = {
		{"vcpupin", "0", ""},
		{"vcpupin", "0", " 1"},
		{"vcpupin", "0", "1 "},
		{"vcpupin", "0", "1 ;x"},
		{"vcpupin", "0", "1\n2 = 3"},
		{"vcpupin", "0", "\xff"},
		{"vcpupin", "", "1"},
		{"vcpupin", "a=b", "1"},
		{"vcpupin", "a:b", "1"},
		{"vcpupin", "[0", "1"},
		{"vcpupin", "#0", "1"},
		{"vcpupin", ";0", "1"},
		{"vcpupin", "0 1", "1"},
		{"", "0", "1"},
		{"vm]", "0", "1"},
		{"v\nm", "0", "1"},
		{"a-section-with-a-name-that-is-longer-than-inih-takes", "0", "1"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(edits); i++) {
		struct problem problem = {""};
		char *after = NULL;
		size_t size;

		assert_int_equal(
			edit_text("a.conf", "", 0, &edits[i], &after, &size, &problem),
			-EINVAL);
		assert_null(after);
		assert_non_null(strstr(problem.text, "cannot be set to"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_value_changes_where_it_stands),
		cmocka_unit_test(test_zeros_before_a_number_make_no_other_key),
		cmocka_unit_test(test_a_new_key_follows_the_last),
		cmocka_unit_test(test_a_key_goes),
		cmocka_unit_test(test_a_section_goes_with_its_last_key),
		cmocka_unit_test(test_set_and_taken_away_is_as_before),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_would_be_read_as_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
