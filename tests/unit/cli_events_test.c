// SPDX-License-Identifier: GPL-2.0-or-later
/* The program itself, as `events`, beside the real writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <json-c/json.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "tests/unit/write_file.h"
#include "user/daemon/event_file.h"

enum { SECONDS = 20, ARGS = 12 };

#define LINE(time, rest) "{\"time\":\"2026-11-21T" time "Z\"," rest "}\n"
#define STARTED(time, vm) LINE(time, "\"type\":\"started\",\"vm\":\"" vm "\",\"pid\":7")

static char program[PATH_MAX], path[128], older[140];
static char out[1 << 20], err[4096];
static struct event_file *file;
static struct problem problem;

static int enter_program(void **state)
{
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 64);
	char *folder;

	if (len < 0 || make_scratch(state))
		return -1;
	program[len] = '\0';
	folder = dirname(dirname(dirname(program)));
	memmove(program, folder, strlen(folder) + 1);
	strcat(program, "/cpuwarden");
	snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
	snprintf(older, sizeof(older), "%s.1", path);
	setenv("TZ", "UTC", 1);
	return access(program, X_OK);
}

static int leave(void **state)
{
	(void)state;
	event_file_close(file);
	file = NULL;
	for (int i = 0; i <= 4; i++) {
		char name[160];

		snprintf(name, sizeof(name), i ? "%s.%d" : "%s", path, i);
		unlink(name);
	}
	return 0;
}

/* Its output and errors go to these. Arguments end with NULL. */
static pid_t start(int out_fd, int err_fd, const char *const *args)
{
	const char *argv[ARGS + 4] = {program, "events", "--events", path};
	pid_t pid;

	for (size_t i = 0; args[i]; i++) {
		assert_true(i < ARGS - 1);
		argv[4 + i] = args[i];
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	/* What hangs must not. */
	alarm(SECONDS);
	execv(program, (char *const *)argv);
	_exit(127);
}

/* Its exit status; 128 and more: a signal. */
static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_file(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
}

static int run(const char *const *args)
{
	int fds[2] = {memfd_create("out", MFD_CLOEXEC), memfd_create("err", MFD_CLOEXEC)};
	int status = wait_for(start(fds[0], fds[1], args));

	read_file(fds[0], out, sizeof(out));
	read_file(fds[1], err, sizeof(err));
	close(fds[0]);
	close(fds[1]);
	return status;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void test_text(void **state)
{
	(void)state;
	write_file(older, STARTED("10:00:00.1234", "web1"));
	write_file(path,
		LINE("10:00:01",
			"\"type\":\"violation\",\"vm\":\"web1\",\"class\":\"foreign\","
			"\"cause\":\"user\",\"cpu\":2,\"vcpu\":null,\"pid\":360,\"tid\":360,"
			"\"comm\":\"\\u001b[31mx\",\"cgroup_id\":0,\"ns\":2700000")
			LINE("10:00:02", "\"type\":\"recovered\",\"vm\":null"));
	assert_int_equal(RUN(), 0);
	assert_string_equal(out,
		"2026-11-21 10:00:00.123 started    web1     is there (pid 7)\n"
		"2026-11-21 10:00:01.000 violation  web1     \\x1b[31mx (pid 360) ran on CPU 2 "
		"for 2.7 ms: foreign by user\n"
		"2026-11-21 10:00:02.000 recovered  -        the host is as it should be "
		"again\n");
	assert_string_equal(err, "");
}

static void test_selection(void **state)
{
	(void)state;
	write_file(path, STARTED("10:00:00", "a") STARTED("11:00:00", "b")
				 LINE("12:00:00", "\"type\":\"ended\",\"vm\":\"a\""));
	assert_int_equal(RUN("--since", "2026-11-21T11:00:00Z", "--vm", "b"), 0);
	assert_non_null(strstr(out, "11:00:00.000 started    b"));
	assert_int_equal(strlen(strchr(out, '\n')), 1);
	assert_int_equal(RUN("--class", "ended,drift", "--vm", "b", "--vm", "a"), 0);
	assert_non_null(strstr(out, "12:00:00.000 ended"));
	assert_int_equal(strlen(strchr(out, '\n')), 1);
	assert_int_equal(RUN("--until", "2026-11-21 10:30"), 0);
	assert_non_null(strstr(out, "10:00:00.000 started"));
	assert_int_equal(strlen(strchr(out, '\n')), 1);
	assert_int_equal(RUN("--vm", "c"), 0);
	assert_string_equal(out, "");
}

static void test_usage(void **state)
{
	(void)state;
	write_file(path, "");
	assert_int_equal(RUN("--since", "soon"), 64);
	assert_non_null(strstr(err, "--since takes 2026-11-21T10:00:00Z"));
	assert_int_equal(RUN("--until", "a\033[31m"), 64);
	assert_non_null(strstr(err, "--until takes"));
	assert_null(strchr(err, '\033'));
	assert_int_equal(RUN("--class", "drift,x"), 64);
	assert_non_null(strstr(err, "'x' is no class of events; there are violation, "));
	assert_int_equal(RUN("web1"), 64);
	assert_int_equal(RUN("--window", "5m"), 64);
	assert_string_equal(out, "");
}

static void test_no_file(void **state)
{
	(void)state;
	assert_int_equal(RUN(), 1);
	assert_non_null(strstr(err, path));
	assert_non_null(strstr(err, "the daemon writes it"));
	assert_int_equal(RUN("-f"), 1);
	assert_int_equal(RUN("--json"), 1);
	assert_string_equal(out, "");
}

static void test_broken_lines(void **state)
{
	(void)state;
	write_file(path, "x\n" STARTED("10:00:00", "a") "{}\n");
	assert_int_equal(RUN(), 0);
	assert_non_null(strstr(out, "started"));
	assert_non_null(strstr(err, "2 lines of "));
	assert_non_null(strstr(err, " could not be read\n"));
}

static void test_json(void **state)
{
	struct json_object *json, *list;

	(void)state;
	write_file(path, "x\n" STARTED("10:00:00", "a") STARTED("11:00:00", "\xff")
				 STARTED("12:00:00", "c"));
	assert_int_equal(RUN("--json", "--until", "2026-11-21T11:30:00Z"), 0);
	json = json_tokener_parse(out);
	assert_string_equal(
		json_object_get_string(json_object_object_get(json, "schema")),
		"cpuwarden.events/1");
	assert_int_equal(json_object_get_int(json_object_object_get(json, "skipped")), 1);
	list = json_object_object_get(json, "events");
	assert_int_equal(json_object_array_length(list), 2);
	assert_non_null(strstr(out, "\"vm\":\"\\ufffd\",\"pid\":7}"));
	json_object_put(json);

	assert_int_equal(RUN("--json", "--since", "now"), 0);
	assert_string_equal(
		out, "{\"schema\":\"cpuwarden.events/1\",\"events\":[],\"skipped\":1}\n");
}

/* A line of a running one, in time. */
static void expect_line(FILE *from, const char *part)
{
	struct pollfd fd = {.fd = fileno(from), .events = POLLIN};
	char line[4096];

	/* The stream has no buffer. */
	assert_int_equal(poll(&fd, 1, SECONDS * 1000), 1);
	assert_non_null(fgets(line, sizeof(line), from));
	if (!strstr(line, part))
		fail_msg("no '%s' in %s", part, line);
}

static FILE *start_pipe(pid_t *ret_pid, const char *const *args)
{
	FILE *from;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*ret_pid = start(fds[1], STDERR_FILENO, args);
	close(fds[1]);
	from = fdopen(fds[0], "r");
	assert_non_null(from);
	setvbuf(from, NULL, _IONBF, 0);
	return from;
}

#define START(pid, ...) start_pipe(pid, (const char *const[]){__VA_ARGS__, NULL})

static void write_event(int number)
{
	struct json_object *event = event_new("ended", 0);
	char vm[16];

	snprintf(vm, sizeof(vm), "vm%d.", number);
	json_object_object_add(event, "vm", json_object_new_string(vm));
	event_file_write(file, event);
}

static void expect_event(FILE *from, int number)
{
	char part[16];

	snprintf(part, sizeof(part), " vm%d. ", number);
	expect_line(from, part);
}

/* The last ten, then each as it comes, over many rotations. */
static void test_follow(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};
	FILE *from;
	pid_t pid;

	(void)state;
	for (int with = 0; with < 2; with++) {
		assert_int_equal(event_file_open(path, 400, &file, &problem), 0);
		for (int i = 0; i < 25; i++)
			write_event(i);
		from = START(&pid, "-f");
		for (int i = 15; i < 25; i++)
			expect_event(from, i);
		for (int i = 25; i < 60; i++) {
			write_event(i);
			expect_event(from, i);
		}
		assert_int_equal(kill(pid, signals[with]), 0);
		assert_int_equal(wait_for(pid), 0);
		assert_int_equal(fgetc(from), EOF);
		fclose(from);
		leave(NULL);
	}
}

static void test_follow_since(void **state)
{
	FILE *from;
	pid_t pid;

	(void)state;
	assert_int_equal(event_file_open(path, 1 << 20, &file, &problem), 0);
	for (int i = 0; i < 25; i++)
		write_event(i);
	from = START(&pid, "--follow", "--since", "1h");
	for (int i = 0; i < 25; i++)
		expect_event(from, i);
	kill(pid, SIGTERM);
	assert_int_equal(wait_for(pid), 0);
	fclose(from);
	/* Until then, and no signal. */
	from = START(&pid, "--follow", "--until", "now");
	for (int i = 15; i < 25; i++)
		expect_event(from, i);
	assert_int_equal(wait_for(pid), 0);
	fclose(from);
}

static void test_follow_json(void **state)
{
	FILE *from;
	pid_t pid;

	(void)state;
	assert_int_equal(event_file_open(path, 1 << 20, &file, &problem), 0);
	write_event(0);
	from = START(&pid, "-f", "--json", "--vm", "vm1.", "--vm", "vm3.");
	for (int i = 1; i < 4; i++)
		write_event(i);
	expect_line(from, ",\"type\":\"ended\",\"vm\":\"vm1.\"}\n");
	expect_line(from, ",\"type\":\"ended\",\"vm\":\"vm3.\"}\n");
	kill(pid, SIGTERM);
	assert_int_equal(wait_for(pid), 0);
	fclose(from);
}

/* It ends at once, and not at the next event. */
static void test_a_closed_pipe(void **state)
{
	FILE *from;
	pid_t pid;

	(void)state;
	assert_int_equal(event_file_open(path, 1 << 20, &file, &problem), 0);
	write_event(0);
	from = START(&pid, "-f");
	expect_event(from, 0);
	fclose(from);
	assert_int_equal(wait_for(pid), 0);
	/* More than a pipe holds. */
	for (int i = 1; i < 2000; i++)
		write_event(i);
	from = START(&pid, "--since", "1h");
	expect_event(from, 0);
	fclose(from);
	assert_int_equal(wait_for(pid), 0);
}

/* Nobody reads: a signal ends the write that waits. */
static void test_a_full_pipe(void **state)
{
	FILE *from;
	pid_t pid;

	(void)state;
	assert_int_equal(event_file_open(path, 1 << 20, &file, &problem), 0);
	for (int i = 0; i < 4000; i++)
		write_event(i);
	from = START(&pid, "-f", "--since", "1h");
	expect_event(from, 0);
	usleep(200000);
	kill(pid, SIGTERM);
	assert_int_equal(wait_for(pid), 0);
	fclose(from);
}

static void test_a_full_disk(void **state)
{
	const char *const args[] = {NULL};
	int fds[2] = {open("/dev/full", O_WRONLY | O_CLOEXEC),
		memfd_create("err", MFD_CLOEXEC)};

	(void)state;
	write_file(path, STARTED("10:00:00", "a"));
	assert_int_equal(wait_for(start(fds[0], fds[1], args)), 1);
	read_file(fds[1], err, sizeof(err));
	assert_non_null(strstr(err, "cannot write: No space left on device"));
	close(fds[0]);
	close(fds[1]);
}

/* What is printed on a terminal. */
static void run_on_terminal(void)
{
	const char *const args[] = {NULL};
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), fd;
	ssize_t n;

	assert_true(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
	fd = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(wait_for(start(fd, STDERR_FILENO, args)), 0);
	n = read(terminal, out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	close(fd);
	close(terminal);
}

static void test_colors(void **state)
{
	(void)state;
	write_file(path, LINE("10:00:00", "\"type\":\"drift\",\"text\":\"x\""));
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	run_on_terminal();
	assert_non_null(strstr(out, " \033[33mdrift     \033[0m - "));
	setenv("NO_COLOR", "1", 1);
	run_on_terminal();
	assert_null(strchr(out, '\033'));
	unsetenv("NO_COLOR");
	assert_int_equal(RUN(), 0);
	assert_null(strchr(out, '\033'));
}

/* Whatever the files hold, it takes memory for a few lines. */
static void test_bounded_memory(void **state)
{
	static char part[1 << 16];
	struct rusage usage;
	FILE *to;

	(void)state;
	memset(part, '{', sizeof(part));
	to = fopen(path, "w");
	assert_non_null(to);
	for (int i = 0; i < 1024; i++) {
		fwrite(part, sizeof(part), 1, to);
		if (i % 2)
			fputs("\n" STARTED("10:00:00", "a"), to);
	}
	assert_int_equal(fclose(to), 0);
	assert_int_equal(RUN("--json"), 0);
	assert_non_null(strstr(out, "\"skipped\":512}"));
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
#ifndef __SANITIZE_ADDRESS__
	assert_in_range(usage.ru_maxrss, 1, 24 * 1024);
#endif
}

#define events_test(f) cmocka_unit_test_teardown(f, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		events_test(test_text),
		events_test(test_selection),
		events_test(test_usage),
		events_test(test_no_file),
		events_test(test_broken_lines),
		events_test(test_json),
		events_test(test_follow),
		events_test(test_follow_since),
		events_test(test_follow_json),
		events_test(test_a_closed_pipe),
		events_test(test_a_full_pipe),
		events_test(test_a_full_disk),
		events_test(test_colors),
		events_test(test_bounded_memory),
	};

	return cmocka_run_group_tests(tests, enter_program, remove_scratch);
}
