/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* For tests with folders of their own. */
#include <ftw.h>
#include <stdio.h>

static inline int remove_one_(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

/* A folder with all that is in it. Not 0: something remains. */
static inline int remove_tree(const char *path)
{
	return nftw(path, remove_one_, 8, FTW_DEPTH | FTW_PHYS);
}
