/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Structs as rows of JSON tables, and back, from one description of their members: what
 * is written is what is read. A table is {"columns": [...], "rows": [[...], ...]}; every
 * row has all columns, so that a big host's report stays small.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/problem.h"

enum field_type {
	FIELD_U64,
	FIELD_INT,
	FIELD_UINT,
	FIELD_BOOL,
	FIELD_TEXT,  /* an array of `size` bytes */
	FIELD_INDEX, /* a size_t; SIZE_MAX is null */
	FIELD_WORD,  /* an enum, as one of `words`; null is the number of them */
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset, size;
	const char *const *words; /* ends with NULL */
};

struct fields {
	const struct field *items;
	size_t n;
	size_t size; /* of the struct */
};

/*
 * Takes from JSON, which may be anything. The first thing that is not as it has to be is
 * kept: `error` is then negative, `problem` says it, and all that is read is zero.
 */
struct reader {
	struct problem *problem;
	int error;
};

int reader_fail(struct reader *reader, const char *where, const char *what);

/* A member of an object. NULL: there is none, or it is null or of another type. */
struct json_object *member(
	struct json_object *json, const char *key, enum json_type type);

uint64_t read_number(struct reader *reader, struct json_object *json, const char *where);
bool read_bool(struct reader *reader, struct json_object *json, const char *key);

/* Owned, NULL for null. */
char *read_string(struct reader *reader, struct json_object *json, const char *key);

/* As members of an object; without those whose name ends the list early. */
void fields_add(struct json_object *json, const struct fields *fields, const void *from);
void fields_read(struct reader *reader, struct json_object *json,
	const struct fields *fields, const char *where, void *to);

/* As a table. *ret_items: the caller frees. */
struct json_object *fields_table(
	const struct fields *fields, const void *items, size_t n);
void fields_read_table(struct reader *reader, struct json_object *json, const char *where,
	const struct fields *fields, void **ret_items, size_t *ret_n);

/* Text that a page and a terminal can show: valid UTF-8 without control characters and
 * without what turns the direction of writing; else '?'. In place. */
void text_clean(char *text);
struct json_object *json_text(const char *text); /* cleaned; NULL: null */
