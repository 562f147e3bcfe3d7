/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A folder for the files of a program's tests: made before the first, removed after the
 * last. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[] = "/tmp/cpuwarden-test-XXXXXX";

static inline int make_scratch(void **state)
{
	(void)state;
	return mkdtemp(scratch) && !chmod(scratch, 0755) ? 0 : -1;
}

static inline int remove_scratch(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return chdir("/") || system(command) ? -1 : 0;
}
