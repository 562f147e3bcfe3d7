// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/chronicle.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/daemon/event_file.h"
#include "user/model/past_json.h"
#include "user/observer/observer.h"
#include "user/store/event_log.h"
#include "user/store/history.h"

#define USEC_A_SECOND 1000000ULL

enum {
	FILE_BYTES = 2 << 20, /* and as much in each of those that it is rotated to */
	FULL_SECONDS = 60, /* between two entries, full ones and brief ones, at least */
	BRIEF_SECONDS = 1,
	/* Fewer are taken where they are large: five files are half an hour or more. */
	BYTES_A_SECOND = EVENT_LOG_OLD * FILE_BYTES / 1800,
};

struct chronicle {
	sd_event *event;
	sd_event_source *timer; /* for a violation that came too soon */
	struct event_file *file;
	uint64_t next_full, next_brief; /* CLOCK_MONOTONIC us: not before */
};

static uint64_t now_usec(const struct chronicle *chronicle)
{
	uint64_t now = 0;

	(void)sd_event_now(chronicle->event, CLOCK_MONOTONIC, &now);
	return now;
}

static uint64_t pause_after(size_t bytes, unsigned int least_seconds)
{
	uint64_t usec = bytes * USEC_A_SECOND / BYTES_A_SECOND;

	return usec > least_seconds * USEC_A_SECOND ? usec
						    : least_seconds * USEC_A_SECOND;
}

/* Runs that are still on are left out: they are of whoever asks while they are. */
static int take(bool full, struct past *ret_past)
{
	struct observer *observer;
	struct counters counters;
	int r = observer_open_to_read(OBSERVER_DIR, &observer, NULL);

	if (r)
		return r;
	r = observer_read_mapped(observer, &counters);
	observer_close(observer);
	if (r)
		return r;
	r = past_take(&counters, full, ret_past);
	counters_deinit(&counters);
	/* What was counted while it was read may be in it: it is of after that. */
	if (!r)
		ret_past->time = clock_now_ns();
	return r;
}

/* What cannot be read is not known: a gap, in which the entry before it holds. */
static void write_entry(struct chronicle *chronicle, bool full)
{
	uint64_t now = now_usec(chronicle);
	struct past past;
	struct json_object *json;
	size_t bytes;

	if (take(full, &past))
		return;
	json = event_new("counted", 0);
	if (json)
		past_to_json(&past, json);
	bytes = json ? strlen(json_object_to_json_string_ext(json,
			       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE))
		     : 0;
	past_deinit(&past);
	event_file_write(chronicle->file, json);
	chronicle->next_brief = now + pause_after(bytes, BRIEF_SECONDS);
	if (full)
		chronicle->next_full = now + pause_after(bytes, FULL_SECONDS);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source, (void)usec;
	write_entry(data, false);
	return 0;
}

int chronicle_new(sd_event *event, const char *run_dir, struct chronicle **ret_chronicle,
	struct problem *problem)
{
	struct chronicle *chronicle = calloc(1, sizeof(*chronicle));
	char path[PATH_MAX];
	int r;

	if (!chronicle)
		return problem_nomem(problem);
	chronicle->event = event;
	history_path(run_dir, path);
	r = event_file_open(path, FILE_BYTES, &chronicle->file, problem);
	if (!r) {
		r = sd_event_add_time(event, &chronicle->timer, CLOCK_MONOTONIC, 0, 1000,
			on_timer, chronicle);
		if (r >= 0)
			r = sd_event_source_set_enabled(chronicle->timer, SD_EVENT_OFF);
		if (r < 0)
			problem_set(problem, r, "cannot make a timer: %s", strerror(-r));
	}
	if (r < 0) {
		chronicle_free(chronicle);
		return r;
	}
	*ret_chronicle = chronicle;
	return 0;
}

void chronicle_free(struct chronicle *chronicle)
{
	if (!chronicle)
		return;
	sd_event_source_disable_unref(chronicle->timer);
	event_file_close(chronicle->file);
	free(chronicle);
}

void chronicle_note_pass(struct chronicle *chronicle)
{
	if (now_usec(chronicle) >= chronicle->next_full)
		write_entry(chronicle, true);
}

void chronicle_note_violation(struct chronicle *chronicle)
{
	int enabled = SD_EVENT_OFF;

	if (now_usec(chronicle) >= chronicle->next_brief) {
		write_entry(chronicle, false);
		return;
	}
	(void)sd_event_source_get_enabled(chronicle->timer, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	(void)sd_event_source_set_time(chronicle->timer, chronicle->next_brief);
	(void)sd_event_source_set_enabled(chronicle->timer, SD_EVENT_ONESHOT);
}
