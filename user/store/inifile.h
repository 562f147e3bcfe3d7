/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One INI file, read strictly: `[SECTION]`, `KEY = VALUE`, full-line comments after `#`
 * or `;`, comments after white space and `;`. Nothing is skipped, cut or guessed at. A
 * line has at most 64 KiB, a file 1 MiB.
 */
#include <stddef.h>

#include "user/base/problem.h"

enum {
	INIFILE_NAME_MAX = 49, /* bytes of a section's name, and of a key with the white
				* space after it: inih cuts longer ones */
};

/* White space within a line, as isspace() in the C locale and so inih take it. */
#define INIFILE_SPACES " \t\r\v\f"

/*
 * Told in the file's order; texts are valid during the call only. Returning a negative
 * errno with a sentence ends the reading; FILE:LINE is put before the sentence. NULL: any
 * will do.
 */
struct inifile_ops {
	int (*section)(void *user, const char *section, struct problem *problem);
	int (*entry)(void *user, unsigned int line, const char *section, const char *key,
		const char *value, struct problem *problem);
};

/* 0; 1: no such file; a negative errno with a sentence `FILE[:LINE]: ...`. */
int inifile_read(const char *path, const struct inifile_ops *ops, void *user,
	struct problem *problem);

/* As inifile_read(), of the bytes that such a file has or is to have. */
int inifile_parse(const char *path, const char *text, size_t size,
	const struct inifile_ops *ops, void *user, struct problem *problem);

/* The bytes as they are, and a NUL after them. As inifile_read(); the caller frees. */
int inifile_load(
	const char *path, char **ret_text, size_t *ret_size, struct problem *problem);
