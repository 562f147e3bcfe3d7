/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * events.jsonl: one JSON object a line, rotated by size. What cannot be written, as on a
 * full disk, is counted, and told by a line of type `lost` as soon as one can be written
 * again.
 */
#include <json-c/json.h>
#include <stdint.h>

#include "user/base/problem.h"

struct event_file;

/* `path` and, when it has grown to `max_bytes`, path.1 to path.4. Folders are made. The
 * caller owns the file: event_file_close(). */
int event_file_open(const char *path, uint64_t max_bytes, struct event_file **ret_file,
	struct problem *problem);
void event_file_close(struct event_file *file); /* NULL is fine */

/*
 * A new object with `time` (of now, or of a CLOCK_MONOTONIC ns; RFC 3339, UTC) and
 * `type`. NULL: no memory. event_file_write() takes it over, NULL counts as lost.
 */
struct json_object *event_new(const char *type, uint64_t monotonic_ns);
void event_file_write(struct event_file *file, struct json_object *event);

/* Lines that could not be written since it was opened. */
uint64_t event_file_lost(const struct event_file *file);
