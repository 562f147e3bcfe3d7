// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/fields.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

int reader_fail(struct reader *reader, const char *where, const char *what)
{
	if (!reader->error)
		reader->error = problem_set(
			reader->problem, -EINVAL, "%.200s: %.200s", where, what);
	return reader->error;
}

struct json_object *member(struct json_object *json, const char *key, enum json_type type)
{
	struct json_object *found;

	if (!json_object_is_type(json, json_type_object) ||
		!json_object_object_get_ex(json, key, &found) ||
		!json_object_is_type(found, type))
		return NULL;
	return found;
}

static bool is_u64(struct json_object *json)
{
	return json_object_is_type(json, json_type_int) &&
	       json_object_get_int64(json) >= 0;
}

uint64_t read_number(struct reader *reader, struct json_object *json, const char *where)
{
	if (!is_u64(json))
		reader_fail(reader, where, "not a number from 0 on");
	return reader->error ? 0 : json_object_get_uint64(json);
}

bool read_bool(struct reader *reader, struct json_object *json, const char *key)
{
	struct json_object *found = member(json, key, json_type_boolean);

	if (!found)
		reader_fail(reader, key, "neither true nor false");
	return found && json_object_get_boolean(found);
}

char *read_string(struct reader *reader, struct json_object *json, const char *key)
{
	struct json_object *found = member(json, key, json_type_string);
	char *text;

	if (!found) {
		if (!json_object_object_get_ex(json, key, &found) || found)
			reader_fail(reader, key, "not a text");
		return NULL;
	}
	text = strdup(json_object_get_string(found));
	if (!text && !reader->error)
		reader->error = problem_nomem(reader->problem);
	return text;
}

/* How many bytes a character of UTF-8 has that may be shown; 0: it is none. */
static size_t shown_length(const unsigned char *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
	uint32_t code = n == 1 ? *c : *c & (0x7fu >> n);

	if (!n || *c > 0xf4 || *c < 0x20 || *c == 0x7f)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c[i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if ((code >= 0x80 && code <= 0x9f) || (code >= 0x200e && code <= 0x200f) ||
		(code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return 0;
	return n;
}

void text_clean(char *text)
{
	for (char *c = text; *c;) {
		size_t n = shown_length((const unsigned char *)c);

		if (!n)
			*c = '?';
		c += n ? n : 1;
	}
}

struct json_object *json_text(const char *text)
{
	cleanup_free char *copy = text ? strdup(text) : NULL;

	if (!copy)
		return NULL;
	text_clean(copy);
	return json_object_new_string(copy);
}

static size_t count_words(const struct field *field)
{
	size_t n = 0;

	while (field->words[n])
		n++;
	return n;
}

static struct json_object *write_text(const struct field *field, const char *at)
{
	cleanup_free char *copy = strndup(at, field->size);

	return json_text(copy);
}

static struct json_object *write_field(const struct field *field, const void *from)
{
	const char *at = (const char *)from + field->offset;
	const unsigned int *word = (const void *)at;

	switch (field->type) {
	case FIELD_INT:
		return json_object_new_int(*(const int *)(const void *)at);
	case FIELD_UINT:
		return json_object_new_int64(*word);
	case FIELD_BOOL:
		return json_object_new_boolean(*(const bool *)at);
	case FIELD_TEXT:
		return write_text(field, at);
	case FIELD_INDEX:
		return *(const size_t *)(const void *)at == SIZE_MAX
			       ? NULL
			       : json_object_new_uint64(
					 *(const size_t *)(const void *)at);
	case FIELD_WORD:
		return *word < count_words(field)
			       ? json_object_new_string(field->words[*word])
			       : NULL;
	default:
		return json_object_new_uint64(*(const uint64_t *)(const void *)at);
	}
}

static bool read_word(
	const struct field *field, struct json_object *json, unsigned int *ret_word)
{
	unsigned int n = (unsigned int)count_words(field);

	if (json && !json_object_is_type(json, json_type_string))
		return false;
	for (*ret_word = 0; json && *ret_word < n; (*ret_word)++)
		if (!strcmp(field->words[*ret_word], json_object_get_string(json)))
			return true;
	*ret_word = n;
	return !json;
}

static bool read_text(const struct field *field, struct json_object *json, char *to)
{
	if (!json_object_is_type(json, json_type_string) ||
		(size_t)json_object_get_string_len(json) >= field->size)
		return false;
	memcpy(to, json_object_get_string(json),
		(size_t)json_object_get_string_len(json));
	return true;
}

static bool read_field(const struct field *field, struct json_object *json, void *into)
{
	char *to = (char *)into + field->offset;
	int64_t number = json_object_is_type(json, json_type_int)
				 ? json_object_get_int64(json)
				 : INT64_MIN;

	switch (field->type) {
	case FIELD_INT:
		*(int *)(void *)to = (int)number;
		return number >= INT_MIN && number <= INT_MAX;
	case FIELD_UINT:
		*(unsigned int *)(void *)to = (unsigned int)number;
		return number >= 0 && number <= UINT_MAX;
	case FIELD_BOOL:
		*(bool *)to = json_object_get_boolean(json);
		return json_object_is_type(json, json_type_boolean);
	case FIELD_TEXT:
		return read_text(field, json, to);
	case FIELD_INDEX:
		*(size_t *)(void *)to = json ? (size_t)number : SIZE_MAX;
		return !json || number >= 0;
	case FIELD_WORD:
		return read_word(field, json, (unsigned int *)(void *)to);
	default:
		*(uint64_t *)(void *)to = json_object_get_uint64(json);
		return is_u64(json);
	}
}

void fields_add(struct json_object *json, const struct fields *fields, const void *from)
{
	for (size_t i = 0; i < fields->n; i++)
		json_object_object_add(json, fields->items[i].name,
			write_field(&fields->items[i], from));
}

static void fail_field(struct reader *reader, const char *where, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s is missing or makes no sense", name);
	reader_fail(reader, where, text);
}

void fields_read(struct reader *reader, struct json_object *json,
	const struct fields *fields, const char *where, void *to)
{
	for (size_t i = 0; !reader->error && i < fields->n; i++) {
		struct json_object *found;

		if (!json_object_is_type(json, json_type_object) ||
			!json_object_object_get_ex(json, fields->items[i].name, &found) ||
			!read_field(&fields->items[i], found, to))
			fail_field(reader, where, fields->items[i].name);
	}
}

struct json_object *fields_table(const struct fields *fields, const void *items, size_t n)
{
	struct json_object *table = json_object_new_object(),
			   *columns = json_object_new_array(),
			   *rows = json_object_new_array();

	for (size_t i = 0; i < fields->n; i++)
		json_object_array_add(
			columns, json_object_new_string(fields->items[i].name));
	for (size_t row = 0; row < n; row++) {
		struct json_object *cells = json_object_new_array();

		for (size_t i = 0; i < fields->n; i++)
			json_object_array_add(
				cells, write_field(&fields->items[i],
					       (const char *)items + row * fields->size));
		json_object_array_add(rows, cells);
	}
	json_object_object_add(table, "columns", columns);
	json_object_object_add(table, "rows", rows);
	return table;
}

static bool has_columns(struct json_object *columns, const struct fields *fields)
{
	if (!columns || json_object_array_length(columns) != fields->n)
		return false;
	for (size_t i = 0; i < fields->n; i++) {
		struct json_object *name = json_object_array_get_idx(columns, i);

		if (!json_object_is_type(name, json_type_string) ||
			strcmp(json_object_get_string(name), fields->items[i].name) != 0)
			return false;
	}
	return true;
}

static void read_row(struct reader *reader, struct json_object *cells, const char *where,
	const struct fields *fields, void *to)
{
	if (!json_object_is_type(cells, json_type_array) ||
		json_object_array_length(cells) != fields->n) {
		reader_fail(
			reader, where, "a row does not have the columns of the table");
		return;
	}
	for (size_t i = 0; !reader->error && i < fields->n; i++)
		if (!read_field(
			    &fields->items[i], json_object_array_get_idx(cells, i), to))
			fail_field(reader, where, fields->items[i].name);
}

void fields_read_table(struct reader *reader, struct json_object *json, const char *where,
	const struct fields *fields, void **ret_items, size_t *ret_n)
{
	struct json_object *rows = member(json, "rows", json_type_array);
	size_t n = rows ? json_object_array_length(rows) : 0;
	char *items;

	if (reader->error)
		return;
	if (!rows || !has_columns(member(json, "columns", json_type_array), fields)) {
		reader_fail(reader, where, "not a table of this form");
		return;
	}
	items = calloc(n ? n : 1, fields->size);
	if (!items) {
		reader->error = problem_nomem(reader->problem);
		return;
	}
	for (size_t i = 0; !reader->error && i < n; i++) {
		char row[64];

		snprintf(row, sizeof(row), "%s, row %zu", where, i);
		read_row(reader, json_object_array_get_idx(rows, i), row, fields,
			items + i * fields->size);
	}
	*ret_items = items;
	*ret_n = n;
}
