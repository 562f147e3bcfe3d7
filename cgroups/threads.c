// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroups/threads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cgroups/files.h"

static int move(const struct hierarchy *hierarchy, const char *path, const char *file,
	pid_t id, struct problem *problem)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", id);
	r = group_write(hierarchy, path, file, text);
	if (r)
		return problem_set(problem, r, "cannot move %d into /%s (%s): %s", id,
			path, file, strerror(-r));
	return 0;
}

int process_move(const struct hierarchy *hierarchy, const char *path, pid_t pid,
	struct problem *problem)
{
	return move(hierarchy, path, "cgroup.procs", pid, problem);
}

int thread_move(const struct hierarchy *hierarchy, const char *path, pid_t tid,
	struct problem *problem)
{
	return move(hierarchy, path, "cgroup.threads", tid, problem);
}
