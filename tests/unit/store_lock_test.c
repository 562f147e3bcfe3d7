// SPDX-License-Identifier: GPL-2.0-or-later
/* One at a time, and never for longer than its process lives. */
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
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "user/base/file.h"
#include "user/store/lock.h"

static char run[64], path[80];
static struct problem problem;

static int enter(void **state)
{
	static unsigned int n;

	(void)state;
	snprintf(run, sizeof(run), "%s/%u", scratch, n++);
	snprintf(path, sizeof(path), "%s/lock", run);
	memset(&problem, 0, sizeof(problem));
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A process that takes the lock, says so, and lives until the end of `hold` is closed. */
static pid_t start_holder(int *ret_hold)
{
	int said[2], hold[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(said, O_CLOEXEC) || pipe2(hold, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd;

		close(hold[1]);
		if (lock_take(run, 0, &fd, NULL) || write(said[1], "x", 1) != 1)
			_exit(1);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	close(said[1]);
	close(hold[0]);
	assert_int_equal(read(said[0], &byte, 1), 1);
	close(said[0]);
	*ret_hold = hold[1];
	return pid;
}

static void test_the_folder_is_made_and_the_holder_named(void **state)
{
	char text[32], expected[32];
	struct stat info;
	int fd;

	(void)state;
	assert_int_equal(lock_take(run, 0, &fd, &problem), 0);
	snprintf(expected, sizeof(expected), "%d", getpid());
	assert_true(file_read_at(AT_FDCWD, path, text, sizeof(text)) > 0);
	assert_string_equal(text, expected);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

static void test_a_second_taker_is_told_who_holds_it(void **state)
{
	char expected[PROBLEM_SIZE];
	int hold, fd = -7, status;
	pid_t pid;

	(void)state;
	pid = start_holder(&hold);
	assert_int_equal(lock_take(run, 0, &fd, &problem), -EBUSY);
	assert_int_equal(fd, -7);
	snprintf(expected, sizeof(expected),
		"another cpuwarden (pid %d) is changing this host: %s is held", pid,
		path);
	assert_string_equal(problem.text, expected);
	close(hold);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(lock_take(run, 0, &fd, &problem), 0);
	close(fd);
}

static void test_a_second_taker_waits_as_long_as_it_was_told(void **state)
{
	double start;
	int hold, fd;
	pid_t pid;

	(void)state;
	pid = start_holder(&hold);
	start = now();
	assert_int_equal(lock_take(run, 1, &fd, &problem), -EBUSY);
	assert_true(now() - start > 0.9);
	close(hold);
	waitpid(pid, NULL, 0);
}

static void test_a_waiting_taker_gets_it_when_it_is_given_up(void **state)
{
	int hold, fd, status;
	double start;
	pid_t holder, closer;

	(void)state;
	holder = start_holder(&hold);
	closer = fork();
	if (!closer) {
		usleep(200000);
		_exit(kill(holder, SIGTERM));
	}
	start = now();
	assert_int_equal(lock_take(run, 20, &fd, &problem), 0);
	assert_true(now() - start < 15);
	close(fd);
	close(hold);
	waitpid(closer, &status, 0);
	waitpid(holder, NULL, 0);
}

static void test_a_killed_holder_holds_nothing(void **state)
{
	int hold, fd;
	pid_t pid;

	(void)state;
	pid = start_holder(&hold);
	assert_int_equal(kill(pid, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	assert_int_equal(lock_take(run, 0, &fd, &problem), 0);
	close(fd);
	close(hold);
}

/* A longer text of an earlier holder must not show through. */
static void test_what_an_earlier_holder_wrote_is_gone(void **state)
{
	char text[64], expected[32];
	int fd;

	(void)state;
	assert_int_equal(file_make_dirs(run, 0755), 0);
	assert_int_equal(file_replace_at(AT_FDCWD, path, "4194304 and more\n"), 0);
	assert_int_equal(lock_take(run, 0, &fd, &problem), 0);
	snprintf(expected, sizeof(expected), "%d", getpid());
	assert_true(file_read_at(AT_FDCWD, path, text, sizeof(text)) > 0);
	assert_string_equal(text, expected);
	close(fd);
}

static void test_a_link_is_not_followed(void **state)
{
	char target[128];
	int fd;

	(void)state;
	snprintf(target, sizeof(target), "%s/target", run);
	assert_int_equal(file_make_dirs(run, 0755), 0);
	assert_int_equal(file_replace_at(AT_FDCWD, target, "precious"), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(lock_take(run, 0, &fd, &problem), -ELOOP);
	assert_non_null(strstr(problem.text, "cannot open"));
	assert_true(file_read_at(AT_FDCWD, target, target, sizeof(target)) == 8);
}

static void test_a_folder_that_cannot_be_made(void **state)
{
	char below[128], longest[5000];
	int fd;

	(void)state;
	assert_int_equal(file_make_dirs(run, 0755), 0);
	assert_int_equal(file_replace_at(AT_FDCWD, path, "a file"), 0);
	snprintf(below, sizeof(below), "%s/below", path);
	assert_int_equal(lock_take(below, 0, &fd, &problem), -ENOTDIR);
	assert_non_null(strstr(problem.text, "cannot open"));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(lock_take(longest, 0, &fd, &problem), -ENAMETOOLONG);
}

/* Who asks leaves nothing behind, and the lock of changes is another. */
static void test_a_daemon_at_a_time(void **state)
{
	char expected[64];
	int fd, second, change;

	(void)state;
	assert_false(lock_daemon_runs(run));
	assert_int_equal(access(run, F_OK), -1);
	assert_int_equal(lock_take_daemon(run, &fd, &problem), 0);
	assert_true(lock_daemon_runs(run));
	assert_int_equal(lock_take(run, 0, &change, &problem), 0);
	close(change);
	assert_int_equal(lock_take_daemon(run, &second, &problem), -EBUSY);
	snprintf(expected, sizeof(expected), "another daemon (pid %d) is at work",
		getpid());
	assert_non_null(strstr(problem.text, expected));
	close(fd);
	assert_false(lock_daemon_runs(run));
}

#define lock_test(f) cmocka_unit_test_setup(f, enter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		lock_test(test_the_folder_is_made_and_the_holder_named),
		lock_test(test_a_second_taker_is_told_who_holds_it),
		lock_test(test_a_second_taker_waits_as_long_as_it_was_told),
		lock_test(test_a_waiting_taker_gets_it_when_it_is_given_up),
		lock_test(test_a_killed_holder_holds_nothing),
		lock_test(test_what_an_earlier_holder_wrote_is_gone),
		lock_test(test_a_link_is_not_followed),
		lock_test(test_a_folder_that_cannot_be_made),
		lock_test(test_a_daemon_at_a_time),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
