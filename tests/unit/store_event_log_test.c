// SPDX-License-Identifier: GPL-2.0-or-later
/* Beside the real writer (user/daemon/event_file.c), which rotates the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "tests/unit/write_file.h"
#include "user/base/file.h"
#include "user/daemon/event_file.h"
#include "user/store/event_log.h"

static char folder[128], path[160];
static struct event_file *file;
static struct event_log *log_;
static struct problem problem;

static int enter(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%s/log", scratch);
	snprintf(path, sizeof(path), "%s/events.jsonl", folder);
	return mkdir(folder, 0755);
}

static int leave(void **state)
{
	(void)state;
	event_file_close(file);
	file = NULL;
	event_log_close(log_);
	log_ = NULL;
	return access(folder, F_OK) ? 0 : remove_tree(folder);
}

/* A file of the log by its number; 0: the newest. */
static const char *name(int number)
{
	static char text[sizeof(path) + 16];

	snprintf(text, sizeof(text), number ? "%s.%d" : "%s", path, number);
	return text;
}

static void open_log(bool follow)
{
	assert_int_equal(event_log_open(path, follow, &log_, &problem), 0);
}

/* NULL: no more. */
static const char *next_line(void)
{
	const char *line;
	size_t len;
	int r = event_log_next(log_, &line, &len, &problem);

	assert_true(r >= 0);
	if (r)
		return NULL;
	assert_int_equal(strlen(line), len);
	return line;
}

static void expect(const char *line)
{
	const char *found = next_line();

	if (!found || !line)
		assert_true(!found && !line);
	else
		assert_string_equal(found, line);
}

/* Is there something to be woken for? Then it is awake. */
static bool is_woken(void)
{
	struct pollfd fd = {.fd = event_log_fd(log_), .events = POLLIN};

	if (poll(&fd, 1, 0) != 1)
		return false;
	assert_int_equal(event_log_wake(log_, &problem), 0);
	return true;
}

static void append(const char *to, const char *text)
{
	int fd = open(to, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_order(void **state)
{
	(void)state;
	write_file(name(4), "a\nb\n");
	write_file(name(2), "c\n");
	write_file(name(1), "");
	write_file(name(0), "d\ne\n");
	write_file(name(5), "no\n");
	open_log(false);
	for (const char *const *line =
			(const char *const[]){"a", "b", "c", "d", "e", NULL};
		*line; line++)
		expect(*line);
	expect(NULL);
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 0);
}

static void test_only_an_older_one(void **state)
{
	(void)state;
	write_file(name(3), "a\n");
	open_log(false);
	expect("a");
	expect(NULL);
}

static void test_none(void **state)
{
	(void)state;
	for (int follow = 0; follow < 2; follow++) {
		assert_int_equal(event_log_open(path, follow, &log_, &problem), -ENOENT);
		assert_non_null(strstr(problem.text, path));
	}
	assert_int_equal(rmdir(folder), 0);
	for (int follow = 0; follow < 2; follow++) {
		assert_int_equal(event_log_open(path, follow, &log_, &problem), -ENOENT);
		assert_non_null(strstr(problem.text, path));
	}
	log_ = NULL;
}

static void test_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(event_log_open(path, false, &log_, &problem), -EINVAL);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(event_log_open(path, false, &log_, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "no regular file"));
	log_ = NULL;
}

/* Lines of bytes, and one of so many. */
static void write_long(size_t size, const char *before, const char *after)
{
	FILE *to = fopen(path, "w");

	assert_non_null(to);
	fputs(before, to);
	for (size_t i = 0; i < size; i++)
		fputc('x', to);
	fputs(after, to);
	assert_int_equal(fclose(to), 0);
}

static void test_long_lines(void **state)
{
	(void)state;
	write_long(EVENT_LINE_MAX, "a\n", "\nb\n");
	open_log(false);
	expect("a");
	assert_int_equal(strlen(next_line()), EVENT_LINE_MAX);
	expect("b");
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 0);
	event_log_close(log_);

	write_long(EVENT_LINE_MAX + 1, "a\n", "\nb\n");
	open_log(false);
	expect("a");
	expect("b");
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 1);
	event_log_close(log_);

	/* The longest is one of many buffers, and the last. */
	write_long(10 * EVENT_LINE_MAX + 7, "a\n", "");
	open_log(false);
	expect("a");
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 1);
}

static void test_a_line_without_its_end(void **state)
{
	(void)state;
	write_file(name(1), "a\nhalf");
	write_file(name(0), "b\nhalf");
	open_log(false);
	expect("a");
	expect("b");
	/* It may be all that is missing. */
	expect("half");
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 1);
}

static void write_event(int number)
{
	struct json_object *event = event_new("test", 0);

	json_object_object_add(event, "number", json_object_new_int(number));
	event_file_write(file, event);
}

static void expect_number(int number)
{
	const char *line = next_line(),
		   *found = line ? strstr(line, "\"number\":") : NULL;

	if (!found || atoi(found + strlen("\"number\":")) != number)
		fail_msg("not %d: %s", number, line ? line : "none");
}

static void test_what_the_writer_has_rotated(void **state)
{
	int first = 0;
	const char *line;

	(void)state;
	assert_int_equal(event_file_open(path, 300, &file, &problem), 0);
	for (int i = 0; i < 40; i++)
		write_event(i);
	assert_int_equal(access(name(4), F_OK), 0);
	open_log(false);
	line = next_line();
	assert_non_null(line);
	first = atoi(strstr(line, "\"number\":") + strlen("\"number\":"));
	assert_in_range(first, 15, 35);
	for (int i = first + 1; i < 40; i++)
		expect_number(i);
	expect(NULL);
}

/* Each line is there once: read at once, or after so many were written, whether that
 * made no new file, one, or several. */
static void test_follow(void **state)
{
	(void)state;
	for (int step = 1; step <= 15; step++) {
		int read = 0;

		assert_int_equal(event_file_open(path, 300, &file, &problem), 0);
		write_event(0);
		open_log(true);
		expect_number(read++);
		expect(NULL);
		is_woken();
		assert_false(is_woken());
		for (int i = 1; i < 60; i++) {
			write_event(i);
			if (i % step && i != 59)
				continue;
			assert_true(is_woken());
			while (read <= i)
				expect_number(read++);
			expect(NULL);
		}
		assert_int_equal(event_log_skipped(log_), 0);
		assert_int_equal(access(name(4), F_OK), 0);
		leave(NULL);
		assert_int_equal(mkdir(folder, 0755), 0);
	}
}

/* While another process writes and rotates; more lines than all files could hold. It
 * waits for the reader only before it has five files full of what that has not read: such
 * a reader has lost lines. */
static void test_follow_a_busy_writer(void **state)
{
	enum { EVENTS = 20000, AHEAD = 1500, BYTES = 40000 /* of some 500 events */ };
	volatile int *read = mmap(NULL, sizeof(*read), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	(void)state;
	assert_true(read != MAP_FAILED);
	assert_int_equal(event_file_open(path, BYTES, &file, &problem), 0);
	open_log(true);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(60);
		for (int i = 0; i < EVENTS; i++) {
			while (i - *read > AHEAD)
				usleep(100);
			write_event(i);
		}
		_exit(0);
	}
	while (*read < EVENTS) {
		struct pollfd fd = {.fd = event_log_fd(log_), .events = POLLIN};
		const char *line;

		assert_int_equal(poll(&fd, 1, 30000), 1);
		assert_int_equal(event_log_wake(log_, &problem), 0);
		while ((line = next_line())) {
			int found = atoi(strstr(line, "\"number\":") + 9);

			if (found != *read)
				fail_msg("%d in the place of %d", found, *read);
			(*read)++;
		}
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(event_log_skipped(log_), 0);
	munmap((void *)read, sizeof(*read));
}

/* What is written to a file after it was renamed is read, too. */
static void test_follow_between_two_names(void **state)
{
	char older[sizeof(path) + 16];

	(void)state;
	snprintf(older, sizeof(older), "%s.1", path);
	write_file(path, "a\n");
	open_log(true);
	expect("a");
	assert_int_equal(rename(path, older), 0);
	expect(NULL);
	append(older, "b\n");
	assert_true(is_woken());
	expect("b");
	append(older, "c\n");
	write_file(path, "d\n");
	append(path, "e\n");
	assert_true(is_woken());
	expect("c");
	expect("d");
	expect("e");
	expect(NULL);
	while (is_woken())
		;
	append(path, "f\n");
	assert_true(is_woken());
	expect("f");
	expect(NULL);
}

static void test_follow_only_older_ones(void **state)
{
	(void)state;
	write_file(name(1), "a\n");
	open_log(true);
	expect("a");
	expect(NULL);
	assert_false(is_woken());
	write_file(name(0), "b\n");
	assert_true(is_woken());
	expect("b");
	expect(NULL);
}

static void test_follow_a_removed_file(void **state)
{
	(void)state;
	write_file(name(2), "old\n");
	assert_int_equal(event_file_open(path, 1 << 20, &file, &problem), 0);
	write_event(0);
	open_log(true);
	expect("old");
	expect_number(0);
	assert_int_equal(unlink(path), 0);
	expect(NULL);
	write_event(1);
	assert_true(is_woken());
	expect_number(1);
	expect(NULL);
}

static void test_follow_over_truncation(void **state)
{
	(void)state;
	assert_int_equal(event_file_open(path, 1 << 20, &file, &problem), 0);
	for (int i = 0; i < 5; i++)
		write_event(i);
	open_log(true);
	for (int i = 0; i < 5; i++)
		expect_number(i);
	expect(NULL);
	while (is_woken())
		;
	assert_int_equal(truncate(path, 0), 0);
	assert_true(is_woken());
	expect(NULL);
	write_event(5);
	assert_true(is_woken());
	expect_number(5);
	expect(NULL);
	/* Written anew before anybody looked. */
	assert_int_equal(truncate(path, 0), 0);
	append(path, "short\n");
	assert_true(is_woken());
	expect("short");
	expect(NULL);
	assert_int_equal(truncate(path, 0), 0);
	append(path, "longer\n");
	assert_true(is_woken());
	expect("longer");
	expect(NULL);
}

/* The writer takes back half a line when the disk is full. */
static void test_follow_half_a_line(void **state)
{
	(void)state;
	write_file(name(0), "a\n");
	open_log(true);
	expect("a");
	append(path, "half of");
	expect(NULL);
	append(path, " it\nb");
	expect("half of it");
	expect(NULL);
	assert_int_equal(truncate(path, 2 + 11), 0);
	expect(NULL);
	append(path, "c\n");
	expect("c");
	expect(NULL);
	/* What is left of one at a file's end is told. */
	append(path, "torn");
	expect(NULL);
	assert_int_equal(rename(path, name(1)), 0);
	write_file(path, "d\n");
	expect("d");
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 1);
}

static void test_follow_long_lines(void **state)
{
	static char part[EVENT_LINE_MAX];

	(void)state;
	write_file(name(0), "a\n");
	open_log(true);
	expect("a");
	memset(part, 'x', sizeof(part) - 1);
	for (int i = 0; i < 5; i++) {
		append(path, part);
		expect(NULL);
	}
	append(path, "\nb\n");
	expect("b");
	expect(NULL);
	assert_int_equal(event_log_skipped(log_), 1);
	/* And gone again while it is one. */
	append(path, part);
	append(path, part);
	expect(NULL);
	assert_int_equal(truncate(path, 0), 0);
	expect(NULL);
	append(path, "c\n");
	expect("c");
}

static void test_follow_a_folder_that_goes(void **state)
{
	struct pollfd fd = {.events = POLLIN};
	char away[160];

	(void)state;
	snprintf(away, sizeof(away), "%s/away", scratch);
	write_file(name(0), "a\n");
	open_log(true);
	fd.fd = event_log_fd(log_);
	expect("a");
	assert_int_equal(rename(folder, away), 0);
	expect(NULL);
	assert_int_equal(rename(away, folder), 0);
	append(path, "b\n");
	assert_true(is_woken());
	expect("b");
	assert_int_equal(unlink(path), 0);
	expect(NULL);
	while (is_woken())
		;
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(event_log_wake(log_, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, folder));
}

#define log_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(test_order),
		log_test(test_only_an_older_one),
		log_test(test_none),
		log_test(test_no_file),
		log_test(test_long_lines),
		log_test(test_a_line_without_its_end),
		log_test(test_what_the_writer_has_rotated),
		log_test(test_follow),
		log_test(test_follow_a_busy_writer),
		log_test(test_follow_between_two_names),
		log_test(test_follow_only_older_ones),
		log_test(test_follow_a_removed_file),
		log_test(test_follow_over_truncation),
		log_test(test_follow_half_a_line),
		log_test(test_follow_long_lines),
		log_test(test_follow_a_folder_that_goes),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
