// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/board.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void expect_text(const struct board *board, const char *expected)
{
	char *text = board_read(board);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static struct board *new_board(void)
{
	struct board *board;

	assert_int_equal(board_new(&board), 0);
	return board;
}

static void test_the_latest_text_is_read(void **state)
{
	struct board *board = new_board();

	(void)state;
	expect_text(board, "");
	board_write(board, "a longer one", 12);
	expect_text(board, "a longer one");
	board_write(board, "short", 5);
	expect_text(board, "short");
	board_free(board);
}

static void test_too_long_a_text_is_none(void **state)
{
	size_t len = (8 << 20) + 1;
	struct board *board = new_board();
	char *text = calloc(1, len);

	(void)state;
	assert_non_null(text);
	board_write(board, "before", 6);
	board_write(board, text, len);
	expect_text(board, "");
	free(text);
	board_free(board);
}

/* What is written after the fork() is read, whole, however often it changes. */
static void test_a_child_reads_whole_texts(void **state)
{
	static char ones[100000], twos[100000];
	struct board *board = new_board();
	int status;
	pid_t child;

	(void)state;
	memset(ones, '1', sizeof(ones));
	memset(twos, '2', sizeof(twos));
	board_write(board, ones, sizeof(ones));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		if (board_only_read(board))
			_exit(2);
		for (int i = 0; i < 300; i++) {
			char *text = board_read(board);

			if (!text ||
				strspn(text, text[0] == '1' ? "1" : "2") != strlen(text))
				_exit(1);
			free(text);
		}
		_exit(0);
	}
	while (!waitpid(child, &status, WNOHANG)) {
		board_write(board, twos, sizeof(twos));
		board_write(board, ones, sizeof(ones));
		usleep(200);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	board_free(board);
}

static void test_who_only_reads_cannot_write(void **state)
{
	struct board *board = new_board();
	int status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		/* A sanitizer would report it, and end otherwise. */
		signal(SIGSEGV, SIG_DFL);
		if (!board_only_read(board))
			board_write(board, "x", 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	board_free(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_latest_text_is_read),
		cmocka_unit_test(test_too_long_a_text_is_none),
		cmocka_unit_test(test_a_child_reads_whole_texts),
		cmocka_unit_test(test_who_only_reads_cannot_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
