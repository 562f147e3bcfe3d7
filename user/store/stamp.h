/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Whether configuration, runtime intent and records are as they were: who changes one of
 * them makes a file, or puts another in its place, and both change its folder.
 */
#include <stdbool.h>
#include <sys/stat.h>

enum { STAMP_PLACES = 6 };

struct stamp {
	struct timespec changed[STAMP_PLACES]; /* zero: it is not there */
	ino_t inodes[STAMP_PLACES];
};

/* Of the folders that hold them (`etc` may be NULL), normally /etc/cpuwarden and
 * /run/cpuwarden. */
void stamp_take(const char *etc, const char *run, struct stamp *ret_stamp);

bool stamp_equal(const struct stamp *a, const struct stamp *b);
