// SPDX-License-Identifier: GPL-2.0-or-later
/* What a daemon has kept of violations, over files that it has rotated away. */
#include "tests/unit/build_host.h"
#include "tests/unit/scratch.h"

#include <errno.h>

#include "user/store/kept_violations.h"

static char path[80];
static struct kept_violations history;
static struct problem problem;

static int enter(void **state)
{
	static unsigned int n;

	(void)state;
	snprintf(path, sizeof(path), "%s/%u.jsonl", scratch, n++);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	kept_violations_deinit(&history);
	return 0;
}

static void put_line(FILE *to, unsigned int second)
{
	fprintf(to,
		"{\"time\":\"2026-01-01T00:00:%02u.000123Z\",\"type\":\"violation\",\"vm\":\"web1\","
		"\"class\":\"foreign\",\"cause\":\"user\",\"cpu\":4,\"vcpu\":null,\"pid\":7,"
		"\"tid\":8,\"comm\":\"a\\\"b\",\"cgroup_id\":9,\"ns\":12345}\n",
		second);
}

static void put_file(const char *suffix, unsigned int from, unsigned int to)
{
	char name[96];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	file = must(fopen(name, "w"));
	for (unsigned int i = from; i < to; i++)
		put_line(file, i);
	fclose(file);
}

static void expect(size_t n, const char *first, const char *last, bool cut)
{
	kept_violations_deinit(&history);
	assert_int_equal(kept_violations_read(path, 10, &history, &problem), 0);
	assert_int_equal(history.n_items, n);
	assert_string_equal(history.items[0].time, first);
	assert_string_equal(history.items[n - 1].time, last);
	assert_int_equal(history.cut, cut);
}

static void test_none(void **state)
{
	(void)state;
	assert_int_equal(kept_violations_read(path, 10, &history, &problem), -ENOENT);
	put_file("", 0, 0);
	assert_int_equal(kept_violations_read(path, 10, &history, &problem), 0);
	assert_int_equal(history.n_items, 0);
}

static void test_one(void **state)
{
	(void)state;
	put_file("", 1, 2);
	expect(1, "2026-01-01T00:00:01.000123Z", "2026-01-01T00:00:01.000123Z", false);
	assert_string_equal(history.items[0].vm, "web1");
	assert_string_equal(history.items[0].class, "foreign");
	assert_string_equal(history.items[0].cause, "user");
	assert_string_equal(history.items[0].comm, "a\"b");
	assert_int_equal(history.items[0].cpu, 4);
	assert_int_equal(history.items[0].vcpu, -1);
	assert_int_equal(history.items[0].pid, 7);
	assert_int_equal(history.items[0].tid, 8);
	assert_int_equal(history.items[0].ns, 12345);
}

static void test_the_latest_over_files(void **state)
{
	(void)state;
	put_file(".2", 0, 4);
	put_file(".1", 4, 8);
	put_file("", 8, 10);
	expect(10, "2026-01-01T00:00:00.000123Z", "2026-01-01T00:00:09.000123Z", false);
	put_file("", 8, 11);
	expect(10, "2026-01-01T00:00:01.000123Z", "2026-01-01T00:00:10.000123Z", true);
	put_file("", 10, 55);
	expect(10, "2026-01-01T00:00:45.000123Z", "2026-01-01T00:00:54.000123Z", true);
	/* One is not there while files are rotated. */
	assert_int_equal(remove(path), 0);
	expect(8, "2026-01-01T00:00:00.000123Z", "2026-01-01T00:00:07.000123Z", false);
}

static void test_what_is_no_violation(void **state)
{
	static const char others[] =
		"{\"type\":\"violations\",\"count\":12,\"reason\":\"x\"}\n"
		"{\"type\":\"started\",\"vm\":\"web1\"}\n"
		"\n\xff\xfe\n"
		"{\"type\":\"violation\"}\n"
		"{\"type\":\"violation\n"
		"{\"time\":\"yesterday\",\"type\":\"violation\",\"vm\":\"web1\",\"class\":\"foreign\","
		"\"cause\":\"user\",\"cpu\":4,\"vcpu\":1,\"pid\":7,\"tid\":8,\"comm\":\"x\",\"ns\":1}\n";
	FILE *file = must(fopen(path, "w"));

	(void)state;
	fputs(others, file);
	for (int i = 0; i < 70000; i++)
		fputc('x', file);
	fputc('\n', file);
	put_line(file, 5);
	fputs("{\"type\":\"violation\"", file);
	fclose(file);
	expect(1, "2026-01-01T00:00:05.000123Z", "2026-01-01T00:00:05.000123Z", false);
	assert_int_equal(history.unheard, 12);
	assert_int_equal(history.n_damaged, 5);
}

static void test_what_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	assert_true(kept_violations_read(path, 10, &history, &problem) < 0);
	enter(state);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(kept_violations_read(path, 10, &history, &problem), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, enter, leave),
		cmocka_unit_test_setup_teardown(test_one, enter, leave),
		cmocka_unit_test_setup_teardown(test_the_latest_over_files, enter, leave),
		cmocka_unit_test_setup_teardown(test_what_is_no_violation, enter, leave),
		cmocka_unit_test_setup_teardown(test_what_is_no_file, enter, leave),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
