/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Files that a test reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static inline void write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *file;

	unlink(path); /* to truncate it would make ext4 wait for the disk */
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline void write_file(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}
