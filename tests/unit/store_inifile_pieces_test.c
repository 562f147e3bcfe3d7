// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What inih is given, seen from its side: this ini_parse_stream() takes the library's
 * place, with a buffer on the heap that is exactly as large as it says.
 */
#include <errno.h>
#include <ini.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/store/inifile.h"

static int buffer_size, n_lines;
static char first_key[64];

int ini_parse_stream(ini_reader reader, void *stream, ini_handler handler, void *user)
{
	/* One byte more than the reader is told, which it must leave alone. */
	cleanup_free char *line = malloc((size_t)buffer_size + 1);

	assert_non_null(line);
	line[buffer_size] = '!';
	n_lines = 0;
	while (reader(line, buffer_size, stream)) {
		size_t len = strnlen(line, (size_t)buffer_size);

		assert_int_equal(line[buffer_size], '!');
		assert_true(len > 0 && len < (size_t)buffer_size);
		assert_int_equal(line[len - 1], '\n');
		assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
		if (!n_lines++)
			assert_int_equal(line[0], '[');
		else if (n_lines == 2)
			snprintf(first_key, sizeof(first_key), "%.*s",
				(int)strcspn(line, " ="), line);
		else
			assert_int_equal(strncmp(line, " |", 2), 0);
	}
	(void)handler;
	(void)user;
	return 0;
}

static int take_section(void *user, const char *section, struct problem *problem)
{
	(void)user;
	(void)problem;
	assert_string_equal(section, "vm");
	return 0;
}

static const struct inifile_ops ops = {.section = take_section};

static int read_line_of(size_t len, struct problem *problem)
{
	char path[] = "/tmp/cpuwarden-inifile-XXXXXX";
	cleanup_fclose FILE *file = NULL;
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	fputs("[vm]\nkey = ", file);
	for (size_t i = 6; i < len; i++)
		fputc('x', file);
	fputs("\n", file);
	fflush(file);
	r = inifile_read(path, &ops, NULL, problem);
	unlink(path);
	return r;
}

static void test_pieces_fit_buffers_of_any_size(void **state)
{
	struct problem problem = {""};

	(void)state;
	for (buffer_size = 56; buffer_size <= 300; buffer_size += 61) {
		for (size_t len = 7; len < 700; len++) {
			size_t room = (size_t)buffer_size - 5;

			assert_int_equal(read_line_of(len, &problem), 0);
			assert_int_equal(n_lines, 1 + (len + room - 1) / room);
			assert_string_equal(first_key, "key");
		}
	}
}

static void test_a_buffer_too_small_for_a_key_is_refused(void **state)
{
	struct problem problem = {""};

	(void)state;
	for (buffer_size = 1; buffer_size < 56; buffer_size++) {
		assert_int_equal(read_line_of(7, &problem), -EMSGSIZE);
		assert_non_null(strstr(problem.text, "inih was built for lines of"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_fit_buffers_of_any_size),
		cmocka_unit_test(test_a_buffer_too_small_for_a_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
