// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/found.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/store/found_json.h"

enum { RECORD_MAX = 64 * 1024 * 1024 };

static void put_json(struct json_object **json)
{
	json_object_put(*json);
}
#define cleanup_json __attribute__((cleanup(put_json)))

static int record_path(char path[PATH_MAX], const char *run_dir, const char *name)
{
	int n = name ? snprintf(path, PATH_MAX, "%s/found/%s.json", run_dir, name)
		     : snprintf(path, PATH_MAX, "%s/found.json", run_dir);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int write_json(const char *run_dir, const char *name, struct json_object *json,
	struct problem *problem)
{
	const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY);
	char path[PATH_MAX], dir[PATH_MAX];
	int r = record_path(path, run_dir, name);

	if (!text)
		return problem_nomem(problem);
	if (!r)
		r = snprintf(dir, sizeof(dir), "%s/found", run_dir) < PATH_MAX
			    ? 0
			    : -ENAMETOOLONG;
	if (!r)
		r = file_make_dirs(dir, 0755);
	if (!r)
		r = file_replace_at(AT_FDCWD, path, text);
	return r ? problem_set(problem, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

static int read_json(const char *run_dir, const char *name, const char *schema,
	struct json_object **ret_json, struct problem *problem)
{
	cleanup_json struct json_object *json = NULL;
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	int r = record_path(path, run_dir, name);

	if (!r)
		r = file_read_all_at(AT_FDCWD, path, RECORD_MAX, &text);
	if (r)
		return problem_set(problem, r, "cannot read %s: %s", path, strerror(-r));
	json = json_tokener_parse(text);
	if (!found_json_is(json, schema))
		return problem_set(problem, -EINVAL, "%s is not a record of the form %s",
			path, schema);
	*ret_json = take_ptr(json);
	return 0;
}

static int drop(const char *run_dir, const char *name, struct problem *problem)
{
	char path[PATH_MAX], dir[PATH_MAX];
	int r = record_path(path, run_dir, name);

	if (!r && unlink(path) < 0) {
		if (errno == ENOENT)
			return 1;
		r = -errno;
	}
	if (r)
		return problem_set(
			problem, r, "cannot remove %s: %s", path, strerror(-r));
	/* The folder goes with the last record. */
	if (snprintf(dir, sizeof(dir), "%s/found", run_dir) < PATH_MAX)
		rmdir(dir);
	return 0;
}

int found_vm_write(
	const char *run_dir, const struct found_vm *found, struct problem *problem)
{
	cleanup_json struct json_object *json = found_vm_to_json(found);

	return write_json(run_dir, found->name, json, problem);
}

int found_vm_read(const char *run_dir, const char *name, struct found_vm *ret_found,
	struct problem *problem)
{
	cleanup_json struct json_object *json = NULL;
	int r;

	r = read_json(run_dir, name, FOUND_VM_SCHEMA, &json, problem);
	return r ? r : found_vm_from_json(json, name, ret_found, problem);
}

int found_vm_drop(const char *run_dir, const char *name, struct problem *problem)
{
	return drop(run_dir, name, problem);
}

int found_vm_for_each(
	const char *run_dir, int (*fn)(const char *name, void *data), void *data)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/found", run_dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len <= 5 || len - 5 >= VM_NAME_SIZE ||
			strcmp(entry->d_name + len - 5, ".json"))
			continue;
		entry->d_name[len - 5] = '\0';
		r = fn(entry->d_name, data);
	}
	closedir(dir);
	return r;
}

int found_host_write(
	const char *run_dir, const struct found_host *found, struct problem *problem)
{
	cleanup_json struct json_object *json = found_host_to_json(found);

	return write_json(run_dir, NULL, json, problem);
}

int found_host_read(
	const char *run_dir, struct found_host *ret_found, struct problem *problem)
{
	cleanup_json struct json_object *json = NULL;
	int r;

	r = read_json(run_dir, NULL, FOUND_HOST_SCHEMA, &json, problem);
	return r ? r : found_host_from_json(json, ret_found, problem);
}

bool found_host_exists(const char *run_dir)
{
	struct found_host found;

	if (found_host_read(run_dir, &found, NULL))
		return false;
	found_host_deinit(&found);
	return true;
}

int found_host_drop(const char *run_dir, struct problem *problem)
{
	return drop(run_dir, NULL, problem);
}
