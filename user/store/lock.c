// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

enum { TRIES_A_SECOND = 20 };

int lock_take(
	const char *run_dir, unsigned int seconds, int *ret_fd, struct problem *problem)
{
	const struct timespec pause = {.tv_nsec = 1000000000 / TRIES_A_SECOND};
	cleanup_close int fd = -1;
	char path[PATH_MAX], holder[32];
	int r;

	if (snprintf(path, sizeof(path), "%s/lock", run_dir) >= PATH_MAX)
		return problem_set(
			problem, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	r = file_make_dirs(run_dir, 0755);
	if (!r) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		r = fd < 0 ? -errno : 0;
	}
	if (r)
		return problem_set(problem, r, "cannot open %s: %s", path, strerror(-r));
	for (unsigned int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return problem_set(problem, -errno, "cannot lock %s: %s", path,
				strerror(errno));
		if (i < seconds * TRIES_A_SECOND) {
			nanosleep(&pause, NULL);
			continue;
		}
		if (file_read_at(AT_FDCWD, path, holder, sizeof(holder)) <= 0)
			snprintf(holder, sizeof(holder), "unknown");
		return problem_set(problem, -EBUSY,
			"another cpuwarden (pid %s) is changing this host: %s is held",
			holder, path);
	}
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
	*ret_fd = take_fd(&fd);
	return 0;
}
