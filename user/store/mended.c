// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/mended.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/store/json_file.h"

#define SCHEMA "cpuwarden.found-settings/1"

static int record_path(char path[PATH_MAX], const char *run_dir)
{
	return snprintf(path, PATH_MAX, "%s/hostcheck.json", run_dir) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static void add_string(struct json_object *json, const char *key, const char *value)
{
	json_object_object_add(json, key, json_object_new_string(value));
}

int mended_write(const char *run_dir, const struct mends *mends, struct problem *problem)
{
	cleanup_json struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();
	char path[PATH_MAX];
	int r = record_path(path, run_dir);

	add_string(json, "schema", SCHEMA);
	json_object_object_add(json, "settings", list);
	for (size_t i = 0; i < mends->n_items; i++) {
		const struct mend *mend = &mends->items[i];
		struct json_object *row = json_object_new_object();

		add_string(row, "path", mend->path);
		add_string(row, "format", mend_format_name(mend->format));
		add_string(row, "found", mend->found);
		add_string(row, "written", mend->written);
		if (mend->earlier)
			add_string(row, "earlier", mend->earlier);
		if (mend->refused)
			json_object_object_add(
				row, "refused", json_object_new_boolean(true));
		json_object_array_add(list, row);
	}
	return r ? problem_set(problem, r, "%s: %s", run_dir, strerror(-r))
		 : json_file_write(path, json, problem);
}

/* A copy of that member; *ret_value stays where it may be missing, and is. */
static int get_string(
	struct json_object *json, const char *key, bool needed, char **ret_value)
{
	struct json_object *member;
	char *value;

	if (!json_object_object_get_ex(json, key, &member))
		return needed ? -EINVAL : 0;
	if (!json_string(member))
		return -EINVAL;
	value = strdup(json_string(member));
	if (!value)
		return -ENOMEM;
	*ret_value = value;
	return 0;
}

/* A value that the file could have. */
static int get_value(struct json_object *json, const char *key, bool needed,
	enum mend_format format, char **ret_value)
{
	cleanup_free char *text = NULL;
	int r = get_string(json, key, needed, &text);

	/* In the record masks are lists. */
	if (!r && text)
		r = mend_parse(format == MEND_MASK ? MEND_LIST : format, text, ret_value);
	return r;
}

static int mend_from_json(struct json_object *json, struct mend *mend)
{
	cleanup_free char *path = NULL, *format = NULL;
	struct json_object *refused;
	int r;

	r = get_string(json, "path", true, &path);
	if (!r)
		r = get_string(json, "format", true, &format);
	if (r)
		return r;
	if (!mend_path_valid(path))
		return -EINVAL;
	snprintf(mend->path, sizeof(mend->path), "%s", path);
	for (mend->format = MEND_LIST; strcmp(mend_format_name(mend->format), format);
		mend->format++)
		if (mend->format == MEND_WORD)
			return -EINVAL;
	r = get_value(json, "found", true, mend->format, &mend->found);
	if (!r)
		r = get_value(json, "written", true, mend->format, &mend->written);
	if (!r)
		r = get_value(json, "earlier", false, mend->format, &mend->earlier);
	mend->refused = json_object_object_get_ex(json, "refused", &refused) &&
			json_object_get_boolean(refused);
	return r;
}

static int mends_from_json(struct json_object *json, struct mends *mends)
{
	struct json_object *list;
	int r = 0;

	if (!json_object_object_get_ex(json, "settings", &list) ||
		!json_object_is_type(list, json_type_array))
		return -EINVAL;
	for (size_t i = 0; !r && i < json_object_array_length(list); i++) {
		struct mend *mend = array_push(&mends->items, &mends->n_items);

		r = mend ? mend_from_json(json_object_array_get_idx(list, i), mend)
			 : -ENOMEM;
	}
	return r;
}

int mended_read(const char *run_dir, struct mends *ret_mends, struct problem *problem)
{
	cleanup_json struct json_object *json = NULL;
	struct mends mends = {};
	struct problem why = {};
	char path[PATH_MAX];
	int r = record_path(path, run_dir);

	if (!r)
		r = json_file_read(path, SCHEMA, &json, &why);
	if (r == -ENOENT) {
		*ret_mends = mends;
		return 0;
	}
	if (r)
		return problem_set(problem, r, "%s", *why.text ? why.text : strerror(-r));
	r = mends_from_json(json, &mends);
	if (r) {
		mends_deinit(&mends);
		return problem_set(problem, r, "the record %s is damaged", path);
	}
	*ret_mends = mends;
	return 0;
}

int mended_drop(const char *run_dir, struct problem *problem)
{
	char path[PATH_MAX];
	int r = record_path(path, run_dir);

	return r ? problem_set(problem, r, "%s: %s", run_dir, strerror(-r))
		 : json_file_drop(path, problem);
}
