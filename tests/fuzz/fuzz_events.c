// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The input is a file of events, and its first bytes a time and a list of classes. Each
 * line is told in printable ASCII, and what is written as JSON is understood again.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/moment.h"
#include "user/store/event_json.h"
#include "user/store/event_log.h"
#include "user/store/json_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_sentence(const struct event *event)
{
	char told[200], when[MOMENT_SIZE];

	event_sentence(event, event->cgroup, told, sizeof(told));
	for (const char *c = told; *c; c++)
		require(*c >= ' ' && *c <= '~');
	moment_format(event->time, when, sizeof(when));
	require(strlen(when) == strlen("2026-11-21 10:00:00.123"));
}

static void check_line(const char *line, size_t len, const struct event_filter *filter)
{
	cleanup_json struct json_object *json = NULL, *json_again = NULL;
	cleanup_free char *text = NULL;
	struct event event, again;

	require(!line[len]);
	if (event_json_parse(line, len, &json, &event))
		return;
	check_sentence(&event);
	(void)event_matches(&event, filter);
	require(!event_json_format(json, &text));
	for (const char *c = text; *c; c++)
		require((unsigned char)*c >= ' ' && *c != 0x7f);
	require(!event_json_parse(text, strlen(text), &json_again, &again));
	require(again.time == event.time && again.pid == event.pid);
}

/* Up to the next zero byte. */
static char *take_text(const uint8_t **data, size_t *size)
{
	char *text = strndup((const char *)*data, *size);
	size_t len = text ? strlen(text) : 0;

	len += len < *size;
	*data += len;
	*size -= len;
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *time = take_text(&data, &size);
	cleanup_free char *kinds = take_text(&data, &size);
	cleanup_close int fd = memfd_create("events", MFD_CLOEXEC);
	struct event_filter filter;
	struct event_log *log;
	char path[64];
	const char *line;
	size_t len;

	if (!time || !kinds || fd < 0)
		return 0;
	event_filter_init(&filter);
	(void)moment_parse(time, 1795257015000000000, &filter.since);
	(void)event_filter_add_kinds(&filter, kinds, NULL);
	require(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(!event_log_open(path, false, &log, NULL));
	while (!event_log_next(log, &line, &len, NULL))
		check_line(line, len, &filter);
	event_log_close(log);
	return 0;
}
