// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroups/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/files.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

enum { LIST_MAX = 1024 * 1024, ATTEMPTS = 5 };

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

/* Each line of `cgroup.threads` as read into another group. One that has ended is passed
 * over. */
static int move_all(const struct hierarchy *hierarchy, const char *path, char *threads)
{
	char *rest = threads, *tid;
	int r = 0;

	while (!r && (tid = strsep(&rest, "\n"))) {
		if (*tid)
			r = group_write(hierarchy, path, "cgroup.threads", tid);
		r = r == -ESRCH ? 0 : r;
	}
	return r;
}

int group_clear_cpus(const struct hierarchy *hierarchy, const char *path)
{
	cleanup_free char *above = strdup(path);
	int r = group_write(hierarchy, path, "cpuset.cpus", "\n");

	if (!above)
		return -ENOMEM;
	/* Again where a thread was born meanwhile. */
	for (int i = 0; i < ATTEMPTS && r == -ENOSPC && path_to_parent(above); i++) {
		cleanup_close int dir = group_open(hierarchy->root, path);
		cleanup_free char *threads = NULL, *back = NULL;
		int returned;

		if (dir < 0)
			return dir;
		r = file_read_all_at(dir, "cgroup.threads", LIST_MAX, &threads);
		if (!r)
			back = strdup(threads);
		if (r || !back)
			return r ? r : -ENOMEM;
		r = move_all(hierarchy, above, threads);
		if (!r)
			r = group_write(hierarchy, path, "cpuset.cpus", "\n");
		returned = move_all(hierarchy, path, back);
		strcpy(above, path);
		if (returned && (!r || r == -ENOSPC))
			r = returned;
	}
	return r;
}
