/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A line of events.jsonl as an event, and as a line that is JSON whoever has written it.
 */
#include <json-c/json.h>

#include "user/model/event.h"

/*
 * The line ends with a zero byte at `len`. -EBADMSG: it is no JSON object with a time and
 * a type. -ENOMEM. Fields that are not what they should be are not told. The texts are
 * the object's, which the caller puts.
 */
int event_json_parse(const char *line, size_t len, struct json_object **ret_json,
	struct event *ret_event);

/*
 * The object on one line, without its end: valid UTF-8 without control characters. Bytes
 * that are no UTF-8, as a task's name may have, become U+FFFD. -ENOMEM. The caller frees.
 */
int event_json_format(struct json_object *json, char **ret_text);
