// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/daemon/log.h"
#include "user/store/event_log.h"

struct event_file {
	char *path; /* owned */
	int fd;
	uint64_t size, max;
	uint64_t lost, untold; /* lines; untold: not yet by a line of type `lost` */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

struct json_object *event_new(const char *type, uint64_t monotonic_ns)
{
	int64_t ns = now_ns(CLOCK_REALTIME);
	struct json_object *event = json_object_new_object();
	char text[64], seconds[32];
	struct tm tm;
	time_t whole;

	if (!event)
		return NULL;
	if (monotonic_ns)
		ns -= now_ns(CLOCK_MONOTONIC) - (int64_t)monotonic_ns;
	whole = ns / 1000000000;
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", gmtime_r(&whole, &tm));
	snprintf(text, sizeof(text), "%s.%06ldZ", seconds, ns % 1000000000 / 1000);
	json_object_object_add(event, "time", json_object_new_string(text));
	json_object_object_add(event, "type", json_object_new_string(type));
	return event;
}

static int reopen(struct event_file *file)
{
	struct stat st;

	if (file->fd >= 0)
		close(file->fd);
	file->fd = open(
		file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return -errno;
	file->size = (uint64_t)st.st_size;
	return 0;
}

static bool is_removed(const struct event_file *file)
{
	struct stat st;

	return !fstat(file->fd, &st) && !st.st_nlink;
}

/* What cannot be renamed is gone on with. */
static void rotate(struct event_file *file)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (int i = EVENT_LOG_OLD - 1; i >= 0; i--) {
		event_log_name(file->path, i, from);
		event_log_name(file->path, i + 1, to);
		if (rename(from, to) < 0 && errno != ENOENT)
			return;
	}
	reopen(file);
}

int event_file_open(const char *path, uint64_t max_bytes, struct event_file **ret_file,
	struct problem *problem)
{
	struct event_file *file = calloc(1, sizeof(*file));
	cleanup_free char *copy = strdup(path);
	int r = -ENOMEM;

	if (file && copy) {
		*file = (struct event_file){
			.path = strdup(path), .fd = -1, .max = max_bytes};
		r = file->path ? file_make_dirs(dirname(copy), 0755) : -ENOMEM;
	}
	if (!r)
		r = reopen(file);
	/* A disk may fail meanwhile, too: VMs are looked after all the same. */
	if (r == -EROFS || r == -ENOSPC || r == -EDQUOT || r == -EIO) {
		log_say(LOG_WARNING, NULL, "cannot open %s: %s; events are lost", path,
			strerror(-r));
		r = 0;
	}
	if (r) {
		event_file_close(file);
		return problem_set(problem, r, "cannot open %s: %s", path, strerror(-r));
	}
	*ret_file = file;
	return 0;
}

void event_file_close(struct event_file *file)
{
	if (!file)
		return;
	if (file->untold)
		log_say(LOG_WARNING, NULL, "%s: %" PRIu64 " events were lost", file->path,
			file->untold);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}

static bool write_line(struct event_file *file, struct json_object *event)
{
	cleanup_free char *line = NULL;
	ssize_t n;
	int size;

	size = event ? asprintf(&line, "%s\n",
			       json_object_to_json_string_ext(
				       event, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE))
		     : -1;
	if (size < 0) {
		line = NULL;
		return false;
	}
	/* One that could not be opened anew may be by now; and one that somebody has
	 * removed would keep lines for nobody. */
	if (file->fd < 0 || is_removed(file))
		reopen(file);
	else if (file->size && file->size + (uint64_t)size > file->max)
		rotate(file);
	n = file->fd < 0 ? -1 : write(file->fd, line, (size_t)size);
	if (n == size) {
		file->size += (uint64_t)n;
		return true;
	}
	/* Half a line is no object: it is taken back. */
	if (n > 0 && ftruncate(file->fd, (off_t)file->size) < 0)
		reopen(file);
	return false;
}

static void tell_lost(struct event_file *file)
{
	struct json_object *event = event_new("lost", 0);

	if (event)
		json_object_object_add(
			event, "lines", json_object_new_uint64(file->untold));
	if (write_line(file, event))
		file->untold = 0;
	json_object_put(event);
}

void event_file_write(struct event_file *file, struct json_object *event)
{
	if (file->untold)
		tell_lost(file);
	if (file->untold || !write_line(file, event)) {
		if (!file->untold)
			log_say(LOG_WARNING, NULL,
				"%s: it cannot be written, and events are lost",
				file->path);
		file->lost++;
		file->untold++;
	}
	json_object_put(event);
}

uint64_t event_file_lost(const struct event_file *file)
{
	return file->lost;
}
