/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Records as files: JSON with a schema, written whole or not at all, readable by root
 * only. */
#include <json-c/json.h>

#include "user/base/problem.h"
#include "user/model/cpuset.h"

/* Folders above it are made. */
int json_file_write(const char *path, struct json_object *json, struct problem *problem);

/* -ENOENT: there is none. -EINVAL: not of that schema. Anything else: it is not known.
 * The caller puts *ret_json. */
int json_file_read(const char *path, const char *schema, struct json_object **ret_json,
	struct problem *problem);

/* 1 when there was none. */
int json_file_drop(const char *path, struct problem *problem);

/* NULL for anything that is no string. */
const char *json_string(struct json_object *json);

static inline void json_put_fn(struct json_object **json)
{
	json_object_put(*json);
}
#define cleanup_json __attribute__((cleanup(json_put_fn)))
