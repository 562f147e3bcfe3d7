/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One key of an INI file changed and nothing else: comments, order, blank lines, line
 * endings and whatever else is there stay byte for byte. Pure. The grammar is
 * inifile.h's.
 */
#include <stddef.h>

#include "user/base/problem.h"

struct edit {
	const char *section, *key; /* a number is one key, however many zeros lead it */
	const char *value;	   /* printable, without ';'; NULL: the key goes */
};

/*
 * A key that is there gets its value where it stands; a new one follows the section's
 * last, a new section the file's last line. Of a line that goes its comment stays, and a
 * section goes with its last key, unless there is a comment in it or right above it.
 * To take away what is not there changes nothing.
 *
 * `path` is for sentences. -EINVAL: the text is none that inifile_parse() takes, or has
 * the key twice, or the result would be none. The caller frees *ret_text, which has a NUL
 * after its *ret_size bytes.
 */
int edit_text(const char *path, const char *text, size_t size, const struct edit *edit,
	char **ret_text, size_t *ret_size, struct problem *problem);
