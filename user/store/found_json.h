/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the records (found.h): what their JSON looks like. Whoever edits or damages
 * one gets -EINVAL. */
#include <json-c/json.h>

#include "user/base/problem.h"
#include "user/model/found.h"

#define FOUND_VM_SCHEMA "cpuwarden.found/1"
#define FOUND_HOST_SCHEMA "cpuwarden.found-host/1"

/* The caller owns: json_object_put(). */
struct json_object *found_vm_to_json(const struct found_vm *found);
struct json_object *found_host_to_json(const struct found_host *found);

/* The caller owns what is returned: found_vm_deinit(), found_host_deinit(). */
int found_vm_from_json(struct json_object *json, const char *name,
	struct found_vm *ret_found, struct problem *problem);
int found_host_from_json(
	struct json_object *json, struct found_host *ret_found, struct problem *problem);
