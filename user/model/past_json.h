/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What was counted in the past (past.h) as members of a JSON object, and back. What is
 * nothing is not written. */
#include <json-c/json.h>

#include "user/model/past.h"

void past_to_json(const struct past *past, struct json_object *json);

/* -EINVAL: it is none. -ENOMEM. The caller owns the result: past_deinit(). */
int past_from_json(struct json_object *json, struct past *ret_past);
