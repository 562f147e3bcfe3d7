// SPDX-License-Identifier: GPL-2.0-or-later
/* user/daemon/event_file.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "user/daemon/event_file.h"

static char path[128];
static struct event_file *file;
static struct problem problem;

static int enter(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/log/events.jsonl", scratch);
	return 0;
}

static int leave(void **state)
{
	char folder[128];

	(void)state;
	event_file_close(file);
	file = NULL;
	snprintf(folder, sizeof(folder), "%s/log", scratch);
	return access(folder, F_OK) ? 0 : remove_tree(folder);
}

static void open_file(uint64_t max)
{
	assert_int_equal(event_file_open(path, max, &file, &problem), 0);
}

static void write_event(int number)
{
	struct json_object *event = event_new("test", 0);

	json_object_object_add(event, "number", json_object_new_int(number));
	event_file_write(file, event);
}

/* The objects of one of the files, an array. Each line has to be one. */
static struct json_object *read_lines(const char *suffix)
{
	struct json_object *all = json_object_new_array(), *one;
	char name[160], line[1024];
	FILE *from;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	from = fopen(name, "r");
	assert_non_null(from);
	while (fgets(line, sizeof(line), from)) {
		assert_int_equal(line[strlen(line) - 1], '\n');
		one = json_tokener_parse(line);
		assert_non_null(one);
		json_object_array_add(all, one);
	}
	fclose(from);
	return all;
}

static const char *type_of(struct json_object *lines, size_t i)
{
	return json_object_get_string(
		json_object_object_get(json_object_array_get_idx(lines, i), "type"));
}

static void test_lines(void **state)
{
	struct json_object *lines;
	const char *time;

	(void)state;
	open_file(1 << 20);
	write_event(1);
	write_event(2);
	lines = read_lines("");
	assert_int_equal(json_object_array_length(lines), 2);
	assert_string_equal(type_of(lines, 1), "test");
	time = json_object_get_string(
		json_object_object_get(json_object_array_get_idx(lines, 0), "time"));
	/* 2026-01-02T03:04:05.678901Z */
	assert_int_equal(strlen(time), 27);
	assert_int_equal(time[10], 'T');
	assert_int_equal(time[26], 'Z');
	json_object_put(lines);
}

static void test_appends(void **state)
{
	struct json_object *lines;

	(void)state;
	open_file(1 << 20);
	write_event(1);
	event_file_close(file);
	open_file(1 << 20);
	write_event(2);
	lines = read_lines("");
	assert_int_equal(json_object_array_length(lines), 2);
	json_object_put(lines);
}

static void test_rotates(void **state)
{
	struct json_object *lines;
	char name[160];

	(void)state;
	open_file(300);
	for (int i = 0; i < 40; i++)
		write_event(i);
	for (int i = 1; i <= 4; i++) {
		snprintf(name, sizeof(name), ".%d", i);
		lines = read_lines(name);
		assert_true(json_object_array_length(lines) > 1);
		json_object_put(lines);
	}
	snprintf(name, sizeof(name), "%s.5", path);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(event_file_lost(file), 0);
}

/* As on a full disk: nothing more, or half a line. */
static void limit(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk(void **state)
{
	struct json_object *lines;

	(void)state;
	open_file(1 << 20);
	write_event(1);
	limit(100);
	write_event(2);
	write_event(3);
	assert_int_equal(event_file_lost(file), 2);
	lines = read_lines("");
	assert_int_equal(json_object_array_length(lines), 1);
	json_object_put(lines);
	limit(RLIM_INFINITY);
	write_event(4);
	lines = read_lines("");
	assert_int_equal(json_object_array_length(lines), 3);
	assert_string_equal(type_of(lines, 1), "lost");
	assert_int_equal(json_object_get_int(json_object_object_get(
				 json_object_array_get_idx(lines, 1), "lines")),
		2);
	assert_string_equal(type_of(lines, 2), "test");
	json_object_put(lines);
	assert_int_equal(event_file_lost(file), 2);
}

/* Its folder is away at a rotation, and comes back. */
static void test_a_folder_that_goes(void **state)
{
	char folder[128], away[128];
	struct json_object *lines;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/log", scratch);
	snprintf(away, sizeof(away), "%s/away", scratch);
	open_file(100);
	write_event(1);
	assert_int_equal(rename(folder, away), 0);
	write_event(2);
	write_event(3);
	assert_int_equal(event_file_lost(file), 2);
	assert_int_equal(rename(away, folder), 0);
	write_event(4);
	lines = read_lines(".1");
	assert_string_equal(type_of(lines, 1), "lost");
	json_object_put(lines);
	assert_int_equal(event_file_lost(file), 2);
}

static void test_a_file_that_is_removed(void **state)
{
	struct json_object *lines;

	(void)state;
	open_file(1 << 20);
	write_event(1);
	assert_int_equal(unlink(path), 0);
	write_event(2);
	lines = read_lines("");
	assert_int_equal(json_object_array_length(lines), 1);
	json_object_put(lines);
}

static void test_no_place(void **state)
{
	(void)state;
	assert_true(event_file_open("/proc/x/events", 1, &file, &problem) < 0);
	assert_non_null(strstr(problem.text, "/proc/x/events"));
	file = NULL;
}

#define file_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(test_lines),
		file_test(test_appends),
		file_test(test_rotates),
		file_test(test_a_full_disk),
		file_test(test_a_folder_that_goes),
		file_test(test_a_file_that_is_removed),
		file_test(test_no_place),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
