// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/event_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/moment.h"
#include "user/store/json_file.h"

enum { DEPTH = 8 }; /* ours are flat */

/* NULL also where a zero byte would hide the rest of it. */
static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *value;
	const char *text;

	if (!json_object_object_get_ex(json, key, &value))
		return NULL;
	text = json_string(value);
	return text && strlen(text) == (size_t)json_object_get_string_len(value) ? text
										 : NULL;
}

static int64_t number_of(struct json_object *json, const char *key)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(json, key, &value) ||
		!json_object_is_type(value, json_type_int))
		return -1;
	number = json_object_get_int64(value);
	return number < 0 ? -1 : number;
}

static bool flag_of(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) &&
	       json_object_is_type(value, json_type_boolean) &&
	       json_object_get_boolean(value);
}

/* Nothing but spaces may follow the object. */
static int parse_object(const char *line, size_t len, struct json_object **ret_json)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	cleanup_json struct json_object *json = NULL;
	enum json_tokener_error error;
	size_t end;

	if (!tokener)
		return -ENOMEM;
	/* Not JSON_TOKENER_STRICT: with it json-c 0.18 refuses all but ASCII. */
	json = json_tokener_parse_ex(tokener, line, (int)len);
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	end += strspn(line + end, " \t\r");
	if (error != json_tokener_success || end != len ||
		!json_object_is_type(json, json_type_object))
		return -EBADMSG;
	*ret_json = take_ptr(json);
	return 0;
}

int event_json_parse(const char *line, size_t len, struct json_object **ret_json,
	struct event *ret_event)
{
	cleanup_json struct json_object *json = NULL;
	struct event event = {};
	const char *time;
	int64_t group;
	int r;

	r = parse_object(line, len, &json);
	if (r)
		return r;
	time = text_of(json, "time");
	event.type = text_of(json, "type");
	if (!time || moment_parse_rfc3339(time, &event.time) || !event.type ||
		!*event.type)
		return -EBADMSG;
	event.vm = text_of(json, "vm");
	event.class = text_of(json, "class");
	event.cause = text_of(json, "cause");
	event.comm = text_of(json, "comm");
	event.kind = text_of(json, "kind");
	event.step = text_of(json, "step");
	event.cgroup = text_of(json, "cgroup");
	event.text = text_of(json, "text");
	event.reason = text_of(json, "reason");
	event.pid = number_of(json, "pid");
	event.tid = number_of(json, "tid");
	event.cpu = number_of(json, "cpu");
	event.vcpu = number_of(json, "vcpu");
	event.ns = number_of(json, "ns");
	event.count = number_of(json, "count");
	event.lines = number_of(json, "lines");
	event.refused = flag_of(json, "refused");
	group = number_of(json, "cgroup_id");
	event.cgroup_id = group > 0 ? (uint64_t)group : 0;
	*ret_event = event;
	*ret_json = take_ptr(json);
	return 0;
}

/* How many bytes of UTF-8 are one character here; 0: none. */
static size_t utf8_length(const unsigned char *at)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;
	size_t len;

	if (*at < 0x80)
		return 1;
	len = *at >= 0xf0 && *at < 0xf8 ? 4 : *at >= 0xe0 ? 3 : 2;
	if (*at < 0xc0 || *at >= 0xf8)
		return 0;
	code = *at & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	return code < least[len] || code > 0x10ffff || (code >> 11) == 0x1b ? 0 : len;
}

int event_json_format(struct json_object *json, char **ret_text)
{
	const char *from = json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	const unsigned char *at = (const unsigned char *)from;
	char *text = from ? malloc(6 * strlen(from) + 1) : NULL, *to = text;

	if (!text)
		return -ENOMEM;
	while (*at) {
		size_t len = utf8_length(at);
		/* Terminals take U+0080 to U+009F for orders, too. */
		bool control = *at == 0x7f || (len == 2 && *at == 0xc2 && at[1] < 0xa0);

		if (!len) {
			to = stpcpy(to, "\\ufffd");
			at++;
		} else if (control) {
			to += sprintf(to, "\\u%04x", len == 1 ? 0x7f : at[1]);
			at += len;
		} else {
			to = mempcpy(to, at, len);
			at += len;
		}
	}
	*to = '\0';
	*ret_text = text;
	return 0;
}
