// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/found.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/store/found_json.h"
#include "user/store/json_file.h"

static int record_path(char path[PATH_MAX], const char *run_dir, const char *name)
{
	int n = name ? snprintf(path, PATH_MAX, "%s/found/%s.json", run_dir, name)
		     : snprintf(path, PATH_MAX, "%s/found.json", run_dir);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int write_json(const char *run_dir, const char *name, struct json_object *json,
	struct problem *problem)
{
	char path[PATH_MAX];
	int r = record_path(path, run_dir, name);

	return r ? problem_set(problem, r, "%s: %s", run_dir, strerror(-r))
		 : json_file_write(path, json, problem);
}

static int read_json(const char *run_dir, const char *name, const char *schema,
	struct json_object **ret_json, struct problem *problem)
{
	char path[PATH_MAX];
	int r = record_path(path, run_dir, name);

	return r ? problem_set(problem, r, "%s: %s", run_dir, strerror(-r))
		 : json_file_read(path, schema, ret_json, problem);
}

static int drop(const char *run_dir, const char *name, struct problem *problem)
{
	char path[PATH_MAX], dir[PATH_MAX];
	int r = record_path(path, run_dir, name);

	if (r)
		return problem_set(problem, r, "%s: %s", run_dir, strerror(-r));
	r = json_file_drop(path, problem);
	/* The folder goes with the last record. */
	if (!r && snprintf(dir, sizeof(dir), "%s/found", run_dir) < PATH_MAX)
		rmdir(dir);
	return r;
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
	while (!r && (errno = 0, entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len <= 5 || len - 5 >= VM_NAME_SIZE ||
			strcmp(entry->d_name + len - 5, ".json"))
			continue;
		entry->d_name[len - 5] = '\0';
		r = fn(entry->d_name, data);
	}
	if (!r && !entry)
		r = -errno;
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

int found_host_exists(const char *run_dir)
{
	struct found_host found;
	int r = found_host_read(run_dir, &found, NULL);

	if (r)
		return found_is_none(r) ? 0 : r;
	found_host_deinit(&found);
	return 1;
}

int found_host_drop(const char *run_dir, struct problem *problem)
{
	return drop(run_dir, NULL, problem);
}
