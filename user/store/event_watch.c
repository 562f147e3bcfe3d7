// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/event_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"

void event_watch_deinit(struct event_watch *watch)
{
	if (watch->notify >= 0)
		close(watch->notify);
	if (watch->folder >= 0)
		close(watch->folder);
	free(watch->path);
	*watch = (struct event_watch){.notify = -1, .folder = -1, .newest = -1};
}

/*
 * The folder says when a file gets a name. That it goes itself, the folder above says:
 * a file of it that is open, though removed, keeps it from saying so.
 */
static int watch_names(struct event_watch *watch)
{
	char above[PATH_MAX];

	watch->folder = open(watch->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	watch->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->folder < 0 || watch->notify < 0 ||
		inotify_add_watch(watch->notify, watch->path, IN_CREATE | IN_MOVED_TO) <
			0)
		return -errno;
	snprintf(above, sizeof(above), "%s/..", watch->path);
	if (inotify_add_watch(watch->notify, above,
		    IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MASK_ADD) < 0 &&
		errno != EACCES)
		return -errno;
	return 0;
}

int event_watch_init(
	struct event_watch *ret_watch, const char *file, struct problem *problem)
{
	struct event_watch watch = {.notify = -1, .folder = -1, .newest = -1};
	cleanup_free char *copy = strdup(file);
	int r;

	watch.path = copy ? strdup(dirname(copy)) : NULL;
	r = watch.path ? watch_names(&watch) : -ENOMEM;
	if (!r) {
		*ret_watch = watch;
		return 0;
	}
	problem_set(problem, r, "cannot watch %s: %s", watch.path ? watch.path : file,
		strerror(-r));
	event_watch_deinit(&watch);
	return r == -ENOENT || r == -ENOTDIR ? 1 : r;
}

int event_watch_newest(struct event_watch *watch, int fd, struct problem *problem)
{
	char link[64];

	if (watch->newest >= 0)
		(void)inotify_rm_watch(watch->notify, watch->newest);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	watch->newest = inotify_add_watch(watch->notify, link, IN_MODIFY);
	if (watch->newest < 0)
		return problem_set(problem, -errno,
			"cannot watch the newest file in %s: %s", watch->path,
			strerror(errno));
	return 0;
}

/* One that is only away may come back; in the place of one that is not, there may be
 * another, of which nothing is heard. */
static bool is_gone(const struct event_watch *watch)
{
	struct stat own, named;

	if (fstat(watch->folder, &own) < 0 || !own.st_nlink)
		return true;
	return !stat(watch->path, &named) &&
	       (named.st_dev != own.st_dev || named.st_ino != own.st_ino);
}

int event_watch_wake(const struct event_watch *watch, struct problem *problem)
{
	char buf[4096];

	/* What it says does not matter: names and sizes are looked at anyway. */
	while (read(watch->notify, buf, sizeof(buf)) > 0)
		;
	return is_gone(watch) ? problem_set(problem, -ENOENT, "the folder %s is gone",
					watch->path)
			      : 0;
}
