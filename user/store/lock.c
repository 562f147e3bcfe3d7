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

static int open_lock(const char *run_dir, const char *name, char path[PATH_MAX],
	struct problem *problem)
{
	int fd, r;

	if (snprintf(path, PATH_MAX, "%s/%s", run_dir, name) >= PATH_MAX)
		return problem_set(
			problem, -ENAMETOOLONG, "%s: the path is too long", run_dir);
	r = file_make_dirs(run_dir, 0755);
	fd = r ? r : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && !r)
		r = -errno;
	return r ? problem_set(problem, r, "cannot open %s: %s", path, strerror(-r)) : fd;
}

/* 1: somebody else has it. */
static int try_lock(int fd, const char *path, struct problem *problem)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK || errno == EINTR)
		return 1;
	return problem_set(problem, -errno, "cannot lock %s: %s", path, strerror(errno));
}

static void write_holder(int fd)
{
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
}

static void read_holder(const char *path, char holder[32])
{
	if (file_read_at(AT_FDCWD, path, holder, 32) <= 0)
		snprintf(holder, 32, "unknown");
}

int lock_take(
	const char *run_dir, unsigned int seconds, int *ret_fd, struct problem *problem)
{
	const struct timespec pause = {.tv_nsec = 1000000000 / TRIES_A_SECOND};
	char path[PATH_MAX], holder[32];
	cleanup_close int fd = open_lock(run_dir, "lock", path, problem);
	int r;

	if (fd < 0)
		return fd;
	for (unsigned int i = 0; (r = try_lock(fd, path, problem)) == 1; i++) {
		if (i < seconds * TRIES_A_SECOND) {
			nanosleep(&pause, NULL);
			continue;
		}
		read_holder(path, holder);
		return problem_set(problem, -EBUSY,
			"another cpuwarden (pid %s) is changing this host: %s is held",
			holder, path);
	}
	if (r)
		return r;
	write_holder(fd);
	*ret_fd = take_fd(&fd);
	return 0;
}

int lock_take_daemon(const char *run_dir, int *ret_fd, struct problem *problem)
{
	char path[PATH_MAX], holder[32];
	cleanup_close int fd = open_lock(run_dir, "daemon", path, problem);
	int r = fd < 0 ? fd : try_lock(fd, path, problem);

	if (r == 1) {
		read_holder(path, holder);
		return problem_set(problem, -EBUSY,
			"another daemon (pid %s) is at work: %s is held", holder, path);
	}
	if (r)
		return r;
	write_holder(fd);
	*ret_fd = take_fd(&fd);
	return 0;
}

bool lock_daemon_runs(const char *run_dir)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/daemon", run_dir) >= PATH_MAX)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	/* Told in vain is better than placed again at once. */
	return fd < 0 ? errno != ENOENT : try_lock(fd, path, NULL) == 1;
}
