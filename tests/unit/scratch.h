/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A folder for the files of a program's tests: made before the first, removed after the
 * last. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/remove_tree.h"

static char scratch[] = "/tmp/cpuwarden-test-XXXXXX";

static inline int make_scratch(void **state)
{
	(void)state;
	return mkdtemp(scratch) && !chmod(scratch, 0755) ? 0 : -1;
}

static inline int remove_scratch(void **state)
{
	(void)state;
	return chdir("/") || remove_tree(scratch) ? -1 : 0;
}
