// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/kept_violations.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/store/event_log.h"
#include "user/store/json_file.h"

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

static int take_lines(struct event_log *log, size_t max, struct kept_violations *history,
	struct problem *problem)
{
	const char *line;
	size_t len;
	int r;

	while (!(r = event_log_next(log, &line, &len, problem))) {
		r = take_line(line, history);
		if (r)
			return problem_nomem(problem);
		/* What has no place in the end has none meanwhile. */
		if (history->n_items >= 2 * max)
			drop_oldest(history, max);
	}
	return r < 0 ? r : 0;
}

int kept_violations_read(const char *path, size_t max, struct kept_violations *ret_kept,
	struct problem *problem)
{
	struct kept_violations history = {};
	struct event_log *log;
	int r = event_log_open(path, false, &log, problem);

	if (r)
		return r;
	r = take_lines(log, max, &history, problem);
	history.n_damaged += event_log_skipped(log);
	event_log_close(log);
	if (r) {
		kept_violations_deinit(&history);
		return r;
	}
	drop_oldest(&history, max);
	*ret_kept = history;
	return 0;
}
