// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/write_file.h"
#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/base/problem.h"
#include "user/base/text.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))

/* The tests of files share a directory of their own, and each cleans up after itself. */
static char dir[] = "/tmp/cpuwarden-base-XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int leave(void **state)
{
	(void)state;
	return chdir("/") || rmdir(dir);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int error;
		uint64_t value;
	} rows[] = {
		{"0", 0, 0, 0},
		{"1", 0, -ERANGE, 0},
		{"7", 7, 0, 7},
		{"8", 7, -ERANGE, 0},
		{"007", 7, 0, 7},
		{"10", 9, -ERANGE, 0},
		{"10", 10, 0, 10},
		{"99", 100, 0, 99},
		{"100", 99, -ERANGE, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"18446744073709551620", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
		{"", 9, -EINVAL, 0},
		{" 1", 9, -EINVAL, 0},
		{"1 ", 9, -EINVAL, 0},
		{"+1", 9, -EINVAL, 0},
		{"-1", 9, -EINVAL, 0},
		{"0x1", 9, -EINVAL, 0},
		{"1e1", 99, -EINVAL, 0},
		{"x", 9, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		uint64_t value = 42;

		assert_int_equal(
			parse_u64(rows[i].text, rows[i].max, &value), rows[i].error);
		assert_int_equal(value, rows[i].error ? 42 : rows[i].value);
	}
}

static void test_number_prefix_tells_where_it_ends(void **state)
{
	const char *text = "12-34", *end = NULL;
	uint64_t value;

	(void)state;
	assert_int_equal(parse_u64_prefix(text, 99, &end, &value), 0);
	assert_int_equal(value, 12);
	assert_ptr_equal(end, text + 2);
	assert_int_equal(parse_u64_prefix("-34", 99, &end, &value), -EINVAL);
	assert_int_equal(parse_u64_prefix("100,", 99, &end, &value), -ERANGE);
	assert_ptr_equal(end, text + 2);
}

static void test_problem_is_one_printable_sentence(void **state)
{
	struct problem problem;

	(void)state;
	assert_int_equal(problem_set(&problem, -EPERM, "%s is %d", "x", 1), -EPERM);
	assert_string_equal(problem.text, "x is 1");
	assert_int_equal(problem_set(&problem, -EIO, "a\033[31m\n\x7f\tz\xc3\xa9"), -EIO);
	assert_string_equal(problem.text, "a?[31m???z\xc3\xa9");
	assert_int_equal(problem_nomem(&problem), -ENOMEM);
	assert_string_equal(problem.text, "out of memory");
}

static void test_problem_prefix(void **state)
{
	struct problem problem;

	(void)state;
	problem_set(&problem, -EINVAL, "it is bad");
	assert_int_equal(problem_prefix(&problem, -EINVAL, "%s:%d", "f\n", 3), -EINVAL);
	assert_string_equal(problem.text, "f?:3: it is bad");
}

static void test_problem_is_cut_not_overrun(void **state)
{
	struct {
		struct problem problem;
		char guard[8];
	} it = {.guard = "guard"};
	char text[2 * PROBLEM_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	problem_set(&it.problem, -EINVAL, "%s", text);
	assert_int_equal(strlen(it.problem.text), PROBLEM_SIZE - 1);
	problem_prefix(&it.problem, -EINVAL, "where");
	assert_int_equal(strlen(it.problem.text), PROBLEM_SIZE - 1);
	assert_int_equal(strncmp(it.problem.text, "where: xxx", 10), 0);
	problem_prefix(&it.problem, -EINVAL, "%s", text);
	assert_int_equal(strlen(it.problem.text), PROBLEM_SIZE - 1);
	assert_string_equal(it.guard, "guard");
}

static void test_problem_may_be_null(void **state)
{
	(void)state;
	assert_int_equal(problem_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(problem_prefix(NULL, -EIO, "x"), -EIO);
	assert_int_equal(problem_nomem(NULL), -ENOMEM);
}

static void test_array_grows_by_zeroed_elements(void **state)
{
	struct element {
		int n;
		char rest[60];
	} *items = NULL;
	size_t n_items = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct element *item = array_push(&items, &n_items);

		assert_non_null(item);
		assert_ptr_equal(item, &items[i]);
		for (size_t j = 0; j < sizeof(item->rest); j++)
			assert_int_equal(item->rest[j], 0);
		memset(item, 0xff, sizeof(*item));
		item->n = i;
	}
	assert_int_equal(n_items, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(items[i].n, i);
	free(items);
}

static void test_taken_values_outlive_their_scope(void **state)
{
	char *kept;
	int fd;

	(void)state;
	{
		cleanup_free char *text = strdup("x");
		cleanup_close int open_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		kept = take_ptr(text);
		assert_null(text);
		fd = take_fd(&open_fd);
		assert_int_equal(open_fd, -1);
	}
	assert_string_equal(kept, "x");
	free(kept);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	{
		cleanup_close int open_fd = fd;

		errno = EDOM;
		(void)open_fd;
	}
	assert_int_equal(errno, EDOM);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_file_read_takes_one_newline_off(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {{"", ""}, {"\n", ""}, {"a", "a"}, {"a\n", "a"}, {"a\n\n", "a\n"},
		{"1234567", "1234567"}};
	char buf[8];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		write_bytes("f", rows[i].text, strlen(rows[i].text));
		assert_int_equal(file_read_at(AT_FDCWD, "f", buf, sizeof(buf)),
			strlen(rows[i].expected));
		assert_string_equal(buf, rows[i].expected);
	}
	unlink("f");
}

static void test_file_read_is_bounded(void **state)
{
	char buf[9] = "xxxxxxxx";

	(void)state;
	write_bytes("f", "12345678", 8);
	assert_int_equal(file_read_at(AT_FDCWD, "f", buf, 8), -EFBIG);
	assert_int_equal(buf[8], '\0');
	assert_int_equal(file_read_at(AT_FDCWD, "f", buf, 9), 8);
	assert_string_equal(buf, "12345678");
	unlink("f");
}

static void test_file_read_of_nul_bytes(void **state)
{
	char buf[16];

	(void)state;
	write_bytes("f", "a\0b\n", 4);
	assert_int_equal(file_read_at(AT_FDCWD, "f", buf, sizeof(buf)), -EBADMSG);
	assert_int_equal(file_read_raw_at(AT_FDCWD, "f", buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "a\0b\n", 5);
	unlink("f");
}

static void test_file_read_of_what_is_no_file(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(file_read_at(AT_FDCWD, "none", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(file_read_at(AT_FDCWD, "/", buf, sizeof(buf)), -EISDIR);
	assert_int_equal(symlink("/dev/null", "link"), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "link", buf, sizeof(buf)), -ELOOP);
	unlink("link");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "fifo", buf, sizeof(buf)), 0);
	unlink("fifo");
}

static void test_file_read_all_finds_room(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
	char bytes[100000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		cleanup_free char *text = NULL;

		write_bytes("f", bytes, sizes[i]);
		assert_int_equal(file_read_all_at(AT_FDCWD, "f", sizes[i], &text), 0);
		assert_int_equal(strlen(text), sizes[i]);
		if (!sizes[i])
			continue;
		assert_int_equal(
			file_read_all_at(AT_FDCWD, "f", sizes[i] - 1, &text), -EFBIG);
	}
	unlink("f");
}

static void test_file_replace_is_whole(void **state)
{
	struct stat st;
	char buf[16];

	(void)state;
	assert_int_equal(file_replace_at(AT_FDCWD, "f", "one\n"), 0);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	write_bytes("f.new", "left behind", 11);
	assert_int_equal(file_replace_at(AT_FDCWD, "f", "two\n"), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "f", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "two");
	assert_int_equal(access("f.new", F_OK), -1);
	assert_int_equal(file_replace_at(AT_FDCWD, "none/f", "x"), -ENOENT);
	unlink("f");
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_replace_at(AT_FDCWD, "d", "x"), -EISDIR);
	assert_int_equal(access("d.new", F_OK), -1);
	rmdir("d");
}

static void test_make_dirs(void **state)
{
	struct stat st;
	char path[64];

	(void)state;
	assert_int_equal(file_make_dirs("a/b//c/", 0700), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(file_make_dirs("a/b/c", 0700), 0);
	snprintf(path, sizeof(path), "%s/a/d", dir);
	assert_int_equal(file_make_dirs(path, 0700), 0);
	write_bytes("a/f", "", 0);
	assert_int_equal(file_make_dirs("a/f/x", 0700), -ENOTDIR);
	assert_int_equal(file_make_dirs("", 0700), -ENAMETOOLONG);
	unlink("a/f");
	assert_int_equal(rmdir("a/b/c") || rmdir("a/b") || rmdir("a/d") || rmdir("a"), 0);
}

static void test_words(void **state)
{
	(void)state;
	assert_true(has_word("cpuset", "cpuset"));
	assert_true(has_word("cpu cpuset io", "cpuset"));
	assert_true(has_word("cpusets mycpuset cpuset", "cpuset"));
	assert_false(has_word("cpusets mycpuset cpuset.cpus", "cpuset"));
	assert_false(has_word("", "cpuset"));
}

static void test_a_text_is_replaced(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(text_replace(&text, "one"), 0);
	assert_string_equal(text, "one");
	/* Also by a part of itself. */
	assert_int_equal(text_replace(&text, text + 1), 0);
	assert_string_equal(text, "ne");
	free(text);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds; /* 0: none */
	} rows[] = {{"30", 30}, {"30s", 30}, {"5m", 300}, {"2h", 7200}, {"1d", 86400},
		{"106751d", 106751ull * 86400}, {"106752d", 0}, {"1000000d", 0},
		{"0s", 0}, {"", 0}, {"s", 0}, {"1w", 0}, {"-1s", 0}, {"1 s", 0},
		{"1s ", 0}, {"1h30m", 0}};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		uint64_t ns = 0;
		int r = parse_duration(rows[i].text, &ns);

		assert_int_equal(r, rows[i].seconds ? 0 : -EINVAL);
		assert_true(ns == rows[i].seconds * 1000000000);
	}
}

static void test_escapes(void **state)
{
	char buf[32];

	(void)state;
	text_escape("a\x1b[31m\n\x7f\xc2\x9b~ \\", buf, sizeof(buf));
	assert_string_equal(buf, "a\\x1b[31m\\x0a\\x7f\\xc2\\x9b~ \\");
	text_escape("ab\x1b", buf, 6);
	assert_string_equal(buf, "ab");
	text_escape("ab\x1b", buf, 7);
	assert_string_equal(buf, "ab\\x1b");
	text_escape("abc", buf, 1);
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_number_prefix_tells_where_it_ends),
		cmocka_unit_test(test_problem_is_one_printable_sentence),
		cmocka_unit_test(test_problem_prefix),
		cmocka_unit_test(test_problem_is_cut_not_overrun),
		cmocka_unit_test(test_problem_may_be_null),
		cmocka_unit_test(test_array_grows_by_zeroed_elements),
		cmocka_unit_test(test_taken_values_outlive_their_scope),
		cmocka_unit_test(test_file_read_takes_one_newline_off),
		cmocka_unit_test(test_file_read_is_bounded),
		cmocka_unit_test(test_file_read_of_nul_bytes),
		cmocka_unit_test(test_file_read_of_what_is_no_file),
		cmocka_unit_test(test_file_read_all_finds_room),
		cmocka_unit_test(test_file_replace_is_whole),
		cmocka_unit_test(test_make_dirs),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_text_is_replaced),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
