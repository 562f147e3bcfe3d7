// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/parse.h"
#include "user/model/past_json.h"
#include "user/store/event_log.h"
#include "user/store/json_file.h"

void history_path(const char *run_dir, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/history.jsonl", run_dir);
}

void history_drop(const char *run_dir)
{
	char path[PATH_MAX], name[PATH_MAX];

	history_path(run_dir, path);
	for (int i = 0; i <= EVENT_LOG_OLD; i++) {
		event_log_name(path, i, name);
		(void)unlink(name);
	}
}

struct search {
	uint64_t start, time;
	bool full;
	char *best_line,
		*line; /* the best so far, and the latest; HISTORY_LINE_MAX bytes */
	uint64_t best, below; /* not those of that time, or later */
};

static bool find_number(const char *line, const char *key, uint64_t *ret)
{
	const char *at = strstr(line, key), *end;

	return at && !parse_u64_prefix(at + strlen(key), UINT64_MAX, &end, ret);
}

/* One that is too long, or still being written, is none. */
static bool is_whole(const char *line)
{
	size_t len = strlen(line);

	return len > 2 && !strcmp(line + len - 2, "}\n");
}

/* Only the one that it comes to is parsed. */
static void look_at(struct search *search)
{
	const char *line = search->line;
	uint64_t time, start;

	if (!is_whole(line) || !find_number(line, "\"time_ns\":", &time) ||
		!find_number(line, "\"observer_start_ns\":", &start) ||
		start != search->start || time > search->time || time < search->best ||
		time >= search->below || (search->full && !strstr(line, "\"vcpus\":")))
		return;
	search->best = time;
	strcpy(search->best_line, line);
}

static int look_into(struct search *search, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r = 0;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r == -ENOENT ? 0 : r;
	}
	while (fgets(search->line, HISTORY_LINE_MAX, file))
		look_at(search);
	if (ferror(file))
		r = -EIO;
	fclose(file);
	return r;
}

/* 1: it is no entry. */
static int parse_line(const char *line, struct past *ret_past)
{
	cleanup_json struct json_object *json = json_tokener_parse(line);
	int r = json ? past_from_json(json, ret_past) : -EINVAL;

	return r == -EINVAL ? 1 : r;
}

int history_find(const char *run_dir, uint64_t start, uint64_t time, bool full,
	struct past *ret_past)
{
	cleanup_free char *best_line = malloc(HISTORY_LINE_MAX);
	cleanup_free char *line = malloc(HISTORY_LINE_MAX);
	struct search search = {.start = start,
		.time = time,
		.full = full,
		.best_line = best_line,
		.line = line};
	char path[PATH_MAX], name[PATH_MAX];
	int r = 1;

	if (!best_line || !line)
		return -ENOMEM;
	history_path(run_dir, path);
	/* From the youngest on. While it is being rotated a file may be seen twice, but
	 * none is missed. */
	for (int i = 0; r > 0 && i <= EVENT_LOG_OLD; i++) {
		event_log_name(path, i, name);
		search.below = UINT64_MAX;
		do {
			*best_line = '\0';
			search.best = 0;
			r = look_into(&search, name);
			if (!r)
				r = *best_line ? parse_line(best_line, ret_past) : 1;
			/* What makes no sense is passed over. */
			search.below = search.best;
		} while (r > 0 && *best_line);
	}
	return r;
}
