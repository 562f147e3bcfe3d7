// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/vm_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/parse.h"
#include "user/store/inifile.h"

int vm_file_path(const char *dir, const char *vm, char *path, struct problem *problem)
{
	if (snprintf(path, PATH_MAX, "%s/vms.d/%s.conf", dir, vm) < PATH_MAX)
		return 0;
	return problem_set(problem, -ENAMETOOLONG, "%s: the path is too long", dir);
}

static int take_entry(void *user, unsigned int line, const char *section, const char *key,
	const char *value, struct problem *problem)
{
	struct process_id *process = user;
	uint64_t number;

	(void)line;
	if (strcmp(section, PROCESS_SECTION))
		return 0;
	if (!strcmp(key, PROCESS_PID) && !parse_u64(value, INT_MAX, &number) && number)
		process->pid = (pid_t)number;
	else if (!strcmp(key, PROCESS_START) && !parse_u64(value, UINT64_MAX, &number) &&
		 number)
		process->start_time = number;
	else
		return problem_set(problem, -EINVAL,
			"%s = %s in [process]: allowed are pid and start_time, as /proc/PID/stat has them",
			key, value);
	return 0;
}

/* The process that the text names. 1: none. -EINVAL with a sentence. */
static int read_process(const char *path, const char *text, size_t size,
	struct process_id *ret_process, struct problem *problem)
{
	/* A section that is unknown is for the reader of the whole file to refuse. */
	static const struct inifile_ops ops = {.entry = take_entry};
	struct process_id process = {};
	int r = inifile_parse(path, text, size, &ops, &process, problem);

	if (r)
		return r;
	if (!process.pid && !process.start_time)
		return 1;
	if (!process.pid || !process.start_time)
		return problem_set(problem, -EINVAL,
			"%s: pid and start_time of [process] come together", path);
	*ret_process = process;
	return 0;
}

int vm_file_load(const char *dir, const char *vm, process_alive_fn *alive,
	char **ret_text, size_t *ret_size, struct problem *problem)
{
	cleanup_free char *text = NULL;
	struct process_id process;
	char path[PATH_MAX];
	size_t size = 0;
	int r = vm_file_path(dir, vm, path, problem);

	if (!r)
		r = inifile_load(path, &text, &size, problem);
	if (r)
		return r;
	if (alive) {
		r = read_process(path, text, size, &process, problem);
		if (r < 0)
			return r;
		if (!r && !alive(&process))
			return 1;
	}
	*ret_text = take_ptr(text);
	*ret_size = size;
	return 0;
}

static int open_folder(const char *dir, int *ret_fd)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/vms.d", dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int make_folder(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/vms.d", dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	return file_make_dirs(path, 0755);
}

int vm_file_save(
	const char *dir, const char *vm, const char *text, struct problem *problem)
{
	char path[PATH_MAX], name[VM_NAME_SIZE + sizeof(".conf")];
	cleanup_close int fd = -1;
	int r = vm_file_path(dir, vm, path, problem);

	if (r)
		return r;
	snprintf(name, sizeof(name), "%s.conf", vm);
	if (text)
		r = make_folder(dir);
	if (!r)
		r = open_folder(dir, &fd);
	if (!r)
		r = text ? file_save_at(fd, name, text, 0644) : file_remove_at(fd, name);
	if (r >= 0 || (!text && r == -ENOENT))
		return 0;
	return problem_set(problem, r, "%s: cannot be written: %s", path, strerror(-r));
}

static int sweep_one(const char *dir_name, const char *file, process_alive_fn *alive,
	struct problem *problem)
{
	const size_t suffix = strlen(".conf"), len = strlen(file);
	char vm[VM_NAME_SIZE] = "";
	char *text = NULL;
	size_t size;
	int r;

	if (len <= suffix || len - suffix >= sizeof(vm) ||
		strcmp(file + len - suffix, ".conf"))
		return 0;
	memcpy(vm, file, len - suffix);
	/* A file that is not to be read is told by who reads it all. */
	if (!vm_name_ok(vm) || vm_file_load(dir_name, vm, alive, &text, &size, NULL) != 1)
		r = 0;
	else
		r = vm_file_save(dir_name, vm, NULL, problem);
	free(text);
	return r;
}

int vm_file_sweep(const char *dir_name, process_alive_fn *alive, struct problem *problem)
{
	cleanup_close int fd = -1;
	struct dirent *entry;
	DIR *dir;
	int r = open_folder(dir_name, &fd);

	if (r == -ENOENT)
		return 0;
	if (!r)
		file_tidy_at(fd);
	dir = r ? NULL : fdopendir(fd);
	if (!dir)
		return problem_set(problem, r ? r : -errno,
			"%s/vms.d: cannot be read: %s", dir_name,
			strerror(r ? -r : errno));
	take_fd(&fd); /* dir closes it */
	while (!r && alive && (entry = readdir(dir)))
		r = sweep_one(dir_name, entry->d_name, alive, problem);
	closedir(dir);
	return r;
}
