// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/kept_violations.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/store/json_file.h"

enum { OLD_FILES = 4, EVENT_LINE_MAX = 64 * 1024, FILE_BYTES_MAX = 64 << 20 };

void kept_violations_deinit(struct kept_violations *history)
{
	free(history->items);
	memset(history, 0, sizeof(*history));
}

static bool take_text(
	struct json_object *json, const char *key, char *to, size_t size, bool may_lack)
{
	struct json_object *found;

	if (!json_object_object_get_ex(json, key, &found) || (!found && !may_lack))
		return false;
	*to = '\0';
	if (found && !json_string(found))
		return false;
	if (found && strlen(json_string(found)) >= size)
		return false;
	if (found)
		strcpy(to, json_string(found));
	return true;
}

static bool take_int(struct json_object *json, const char *key, int least, int *to)
{
	struct json_object *found;
	int64_t number;

	if (!json_object_object_get_ex(json, key, &found))
		return false;
	if (found && !json_object_is_type(found, json_type_int))
		return false;
	number = found ? json_object_get_int64(found) : -1;
	*to = (int)number;
	return number >= least && number <= INT_MAX;
}

static bool is_time(const char *text)
{
	struct tm tm = {};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return end && !strcmp(end, "Z");
}

static bool to_violation(struct json_object *json, struct kept_violation *to)
{
	struct json_object *ns;

	if (!take_text(json, "time", to->time, sizeof(to->time), false) ||
		!is_time(to->time) ||
		!take_text(json, "vm", to->vm, sizeof(to->vm), true) ||
		!take_text(json, "class", to->class, sizeof(to->class), false) ||
		!take_text(json, "cause", to->cause, sizeof(to->cause), true) ||
		!take_text(json, "comm", to->comm, sizeof(to->comm), true) ||
		!take_int(json, "cpu", 0, &to->cpu) ||
		!take_int(json, "vcpu", -1, &to->vcpu) ||
		!take_int(json, "pid", 0, &to->pid) ||
		!take_int(json, "tid", 0, &to->tid))
		return false;
	if (!json_object_object_get_ex(json, "ns", &ns) ||
		!json_object_is_type(ns, json_type_int) || json_object_get_int64(ns) < 0)
		return false;
	to->ns = json_object_get_uint64(ns);
	return true;
}

static int take_violation(struct json_object *json, struct kept_violations *history)
{
	struct kept_violation violation = {}, *item;

	if (!to_violation(json, &violation)) {
		history->n_damaged++;
		return 0;
	}
	item = array_push(&history->items, &history->n_items);
	if (!item)
		return -ENOMEM;
	*item = violation;
	return 0;
}

/* Most lines are of something else, and are not parsed. */
static int take_line(const char *line, struct kept_violations *history)
{
	cleanup_json struct json_object *json = NULL;
	struct json_object *found;
	const char *type = NULL;

	if (!strstr(line, "\"type\":\"violation"))
		return 0;
	json = json_tokener_parse(line);
	if (json_object_object_get_ex(json, "type", &found))
		type = json_string(found);
	if (type && !strcmp(type, "violation"))
		return take_violation(json, history);
	if (type && !strcmp(type, "violations") &&
		json_object_object_get_ex(json, "count", &found))
		history->unheard += json_object_get_uint64(found);
	else
		history->n_damaged++;
	return 0;
}

static void drop_oldest(struct kept_violations *history, size_t max)
{
	size_t n = history->n_items > max ? history->n_items - max : 0;

	if (!n)
		return;
	history->cut = true;
	history->n_items = max;
	memmove(history->items, history->items + n, max * sizeof(*history->items));
}

static int read_lines(FILE *file, size_t max, struct kept_violations *history)
{
	cleanup_free char *line = malloc(EVENT_LINE_MAX);
	bool within = false; /* a line that is too long */
	size_t total = 0;
	int r = line ? 0 : -ENOMEM;

	while (!r && total < FILE_BYTES_MAX && fgets(line, EVENT_LINE_MAX, file)) {
		size_t n = strlen(line);
		bool whole = n && line[n - 1] == '\n';

		total += n;
		if (whole && !within)
			r = take_line(line, history);
		else if (!within)
			history->n_damaged++;
		within = !whole;
		/* What has no place in the end has none meanwhile. */
		if (history->n_items >= 2 * max)
			drop_oldest(history, max);
		if (!n)
			break;
	}
	return r;
}

/* 1: it is not there, or is the one that was read before, rotated away meanwhile. */
static int read_file(const char *path, size_t max, struct stat *latest,
	struct kept_violations *ret_kept)
{
	cleanup_fclose FILE *file = NULL;
	struct kept_violations history = {};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 1 : -errno;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_dev == latest->st_dev && st.st_ino == latest->st_ino)
		return 1;
	*latest = st;
	r = read_lines(file, max, &history);
	if (r) {
		kept_violations_deinit(&history);
		return r;
	}
	*ret_kept = history;
	return 0;
}

/* Older ones go before those that are there. */
static int put_before(struct kept_violations *history, struct kept_violations *older)
{
	size_t n = older->n_items;

	for (size_t i = 0; i < history->n_items; i++) {
		struct kept_violation *item = array_push(&older->items, &older->n_items);

		if (!item) {
			older->n_items = n;
			return -ENOMEM;
		}
		*item = history->items[i];
	}
	older->cut |= history->cut;
	older->unheard += history->unheard;
	older->n_damaged += history->n_damaged;
	kept_violations_deinit(history);
	*history = *older;
	return 0;
}

int kept_violations_read(const char *path, size_t max, struct kept_violations *ret_kept,
	struct problem *problem)
{
	struct kept_violations history = {};
	struct stat latest = {};
	bool found = false;
	int r = 0;

	for (int i = 0; r >= 0 && i <= OLD_FILES && history.n_items <= max; i++) {
		char name[PATH_MAX];
		struct kept_violations older = {};
		int n = snprintf(name, sizeof(name), i ? "%s.%d" : "%s", path, i);

		r = n < PATH_MAX ? read_file(name, max, &latest, &older) : -ENAMETOOLONG;
		if (r)
			continue;
		found = true;
		r = put_before(&history, &older);
		if (r)
			kept_violations_deinit(&older);
	}
	if (r >= 0 && !found)
		r = -ENOENT;
	if (r < 0) {
		kept_violations_deinit(&history);
		return problem_set(problem, r, "cannot read %s: %s", path, strerror(-r));
	}
	drop_oldest(&history, max);
	*ret_kept = history;
	return 0;
}
