// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

enum { RECORD_MAX = 64 * 1024 * 1024 };

const char *json_string(struct json_object *json)
{
	return json_object_is_type(json, json_type_string) ? json_object_get_string(json)
							   : NULL;
}

static int make_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (!slash || slash == path)
		return 0;
	if (snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path) >= PATH_MAX)
		return -ENAMETOOLONG;
	return file_make_dirs(dir, 0755);
}

int json_file_write(const char *path, struct json_object *json, struct problem *problem)
{
	const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY);
	int r;

	if (!text)
		return problem_nomem(problem);
	r = make_folder_of(path);
	if (!r)
		r = file_replace_at(AT_FDCWD, path, text);
	return r ? problem_set(problem, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

/* Another kind of file, or one that is too long or no text; else it is not known what it
 * holds. */
static bool is_no_record(int r)
{
	return r == -EBADMSG || r == -EFBIG || r == -ELOOP || r == -EISDIR || r == -ENXIO;
}

int json_file_read(const char *path, const char *schema, struct json_object **ret_json,
	struct problem *problem)
{
	cleanup_json struct json_object *json = NULL;
	cleanup_free char *text = NULL;
	enum json_tokener_error error = json_tokener_success;
	struct json_object *found;
	int r = file_read_all_at(AT_FDCWD, path, RECORD_MAX, &text);

	if (r && !is_no_record(r))
		return problem_set(problem, r == -EINVAL ? -EIO : r, "cannot read %s: %s",
			path, strerror(-r));
	if (!r) {
		json = json_tokener_parse_verbose(text, &error);
		/* What begins an object is one, or an error. */
		if (!json && error == json_tokener_success && *text == '{')
			return problem_nomem(problem);
	}
	if (!json_object_object_get_ex(json, "schema", &found) || !json_string(found) ||
		strcmp(json_string(found), schema))
		return problem_set(problem, -EINVAL, "%s is not a record of the form %s",
			path, schema);
	*ret_json = take_ptr(json);
	return 0;
}

int json_file_drop(const char *path, struct problem *problem)
{
	if (!unlink(path))
		return 0;
	if (errno == ENOENT)
		return 1;
	return problem_set(
		problem, -errno, "cannot remove %s: %s", path, strerror(errno));
}
