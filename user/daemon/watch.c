// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/watch.h"

#include <errno.h>
#include <libudev.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/array.h"

enum {
	FOLDER = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
		 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
	ARRIVALS = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF,
	FILE_CHANGED = IN_MODIFY,
};

enum { TRIES = 8 /* to find a path that is being made */ };

struct watched {
	char *path;    /* owned */
	char *awaited; /* owned; the one name in it that matters, or NULL: all do */
	struct watch *watch;
	sd_event_source *source;
	bool wanted;  /* since watch_begin() */
	bool gone;    /* the kernel watches it no more */
	dev_t device; /* what stood at that path when it was begun */
	ino_t inode;
};

struct watch {
	sd_event *event;
	watch_fn *changed;
	void *data;
	struct udev *udev;
	struct udev_monitor *monitor;
	sd_event_source *cpus;
	struct watched **items; /* ascending by path */
	size_t n_items;
};

static int on_file(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct watched *watched = data;

	(void)source;
	if (watched->awaited && event->len && strcmp(event->name, watched->awaited) != 0)
		return 0;
	if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
		watched->gone = true;
	watched->watch->changed(watched->path, watched->watch->data);
	return 0;
}

static int on_cpu(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct watch *watch = data;
	struct udev_device *device;
	bool any = false;

	(void)source, (void)fd, (void)events;
	while ((device = udev_monitor_receive_device(watch->monitor))) {
		any = true;
		udev_device_unref(device);
	}
	if (any)
		watch->changed("a CPU", watch->data);
	return 0;
}

/* Of the kernel itself: there need not be a udevd. */
static int watch_cpus(struct watch *watch)
{
	int r;

	watch->udev = udev_new();
	if (watch->udev)
		watch->monitor = udev_monitor_new_from_netlink(watch->udev, "kernel");
	if (!watch->monitor)
		return errno ? -errno : -ENOMEM;
	r = udev_monitor_filter_add_match_subsystem_devtype(watch->monitor, "cpu", NULL);
	if (r >= 0)
		r = udev_monitor_enable_receiving(watch->monitor);
	if (r < 0)
		return r;
	return sd_event_add_io(watch->event, &watch->cpus,
		udev_monitor_get_fd(watch->monitor), EPOLLIN, on_cpu, watch);
}

int watch_new(sd_event *event, watch_fn *changed, void *data, struct watch **ret_watch,
	struct problem *problem)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return problem_nomem(problem);
	watch->event = event;
	watch->changed = changed;
	watch->data = data;
	r = watch_cpus(watch);
	if (r < 0) {
		watch_free(watch);
		return problem_set(problem, r,
			"cannot watch for CPUs that come and go: %s", strerror(-r));
	}
	*ret_watch = watch;
	return 0;
}

static void free_watched(struct watched *watched)
{
	sd_event_source_disable_unref(watched->source);
	free(watched->path);
	free(watched->awaited);
	free(watched);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->n_items; i++)
		free_watched(watch->items[i]);
	free(watch->items);
	sd_event_source_disable_unref(watch->cpus);
	udev_monitor_unref(watch->monitor);
	udev_unref(watch->udev);
	free(watch);
}

void watch_begin(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_items; i++)
		watch->items[i]->wanted = false;
}

/* Where the first is whose path is not before that one: they are ordered by it. */
static size_t place_of(const struct watch *watch, const char *path)
{
	size_t first = 0, end = watch->n_items;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(watch->items[middle]->path, path) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static int put(struct watch *watch, size_t place, struct watched *watched)
{
	size_t n = watch->n_items;

	if (!array_push(&watch->items, &watch->n_items))
		return -ENOMEM;
	memmove(&watch->items[place + 1], &watch->items[place],
		(n - place) * sizeof(*watch->items));
	watch->items[place] = watched;
	return 0;
}

static bool awaits(const struct watched *watched, const char *awaited)
{
	if (!awaited || !watched->awaited)
		return !awaited && !watched->awaited;
	return !strcmp(watched->awaited, awaited);
}

/* Something else may have come to stand there, as what is mounted over it: of that the
 * kernel does not tell. */
static bool is_at_its_path(const struct watched *watched)
{
	struct stat now;

	return !stat(watched->path, &now) && now.st_dev == watched->device &&
	       now.st_ino == watched->inode;
}

static int start(
	struct watched *watched, const char *path, const char *awaited, uint32_t mask)
{
	struct stat now;

	watched->path = strdup(path);
	watched->awaited = awaited ? strdup(awaited) : NULL;
	if (!watched->path || (awaited && !watched->awaited))
		return -ENOMEM;
	if (stat(path, &now) < 0)
		return -errno;
	watched->device = now.st_dev;
	watched->inode = now.st_ino;
	return sd_event_add_inotify(
		watched->watch->event, &watched->source, path, mask, on_file, watched);
}

static int add(struct watch *watch, const char *path, const char *awaited, uint32_t mask)
{
	size_t place = place_of(watch, path);
	struct watched *watched;
	int r;

	while (place < watch->n_items && !strcmp(watch->items[place]->path, path)) {
		watched = watch->items[place++];
		if (watched->gone || !awaits(watched, awaited))
			continue;
		watched->gone = !is_at_its_path(watched);
		if (watched->gone)
			continue;
		watched->wanted = true;
		return 0;
	}
	watched = calloc(1, sizeof(*watched));
	if (!watched)
		return -ENOMEM;
	watched->watch = watch;
	watched->wanted = true;
	r = start(watched, path, awaited, mask);
	if (r >= 0)
		r = put(watch, place, watched);
	if (r < 0)
		free_watched(watched);
	return r < 0 ? r : 0;
}

int watch_file(struct watch *watch, const char *path)
{
	int r = add(watch, path, NULL, FILE_CHANGED);

	/* It has gone meanwhile, which somebody else tells. */
	return r == -ENOENT ? 0 : r;
}

/* 1: what it would have waited for has come meanwhile. */
static int add_nearest(struct watch *watch, const char *path, uint32_t mask)
{
	char above[PATH_MAX], *slash = NULL;
	int r = add(watch, path, NULL, mask);

	if (snprintf(above, sizeof(above), "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	while (r == -ENOENT && (slash = strrchr(above, '/'))) {
		*slash = '\0';
		r = add(watch, *above ? above : "/", slash + 1, FOLDER);
	}
	if (r || !slash)
		return r;
	*slash = '/';
	return !access(above, F_OK);
}

static int add_folder(struct watch *watch, const char *path, uint32_t mask)
{
	int r = 1;

	for (int i = 0; r > 0 && i < TRIES; i++)
		r = add_nearest(watch, path, mask);
	return r;
}

int watch_folder(struct watch *watch, const char *path)
{
	return add_folder(watch, path, FOLDER);
}

int watch_arrivals(struct watch *watch, const char *path)
{
	return add_folder(watch, path, ARRIVALS);
}

void watch_end(struct watch *watch)
{
	size_t kept = 0;

	for (size_t i = 0; i < watch->n_items; i++) {
		struct watched *watched = watch->items[i];

		if (watched->wanted && !watched->gone)
			watch->items[kept++] = watched;
		else
			free_watched(watched);
	}
	watch->n_items = kept;
}
