// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/released.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

#define FILE_NAME "released"
#define ALL "*"

enum { FILE_MAX = 1 << 20 };

static int fail(const char *run_dir, int r, struct problem *problem)
{
	return problem_set(problem, r, "%s/" FILE_NAME ": %s", run_dir, strerror(-r));
}

static int open_dir(const char *run_dir, int *ret_dir)
{
	*ret_dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_dir < 0 ? -errno : 0;
}

static int read_text(const char *run_dir, char **ret_text)
{
	cleanup_close int dir = -1;
	int r = open_dir(run_dir, &dir);

	if (!r)
		r = file_read_all_at(dir, FILE_NAME, FILE_MAX, ret_text);
	if (r == -ENOENT) {
		*ret_text = strdup("");
		r = *ret_text ? 0 : -ENOMEM;
	}
	return r;
}

static int take_line(struct config *config, process_alive_fn *alive, const char *line)
{
	struct process_id process;
	char(*slot)[VM_NAME_SIZE];
	int begin = 0;

	if (!strcmp(line, ALL)) {
		config->all_released = true;
		return 0;
	}
	if (sscanf(line, "%d %" SCNu64 " %n", &process.pid, &process.start_time, &begin) <
			2 ||
		!begin || !line[begin] || strlen(line + begin) >= VM_NAME_SIZE ||
		!alive(&process))
		return 0;
	slot = array_push(&config->released, &config->n_released);
	if (!slot)
		return -ENOMEM;
	strcpy(*slot, line + begin);
	return 0;
}

int released_read(const char *run_dir, process_alive_fn *alive, struct config *config,
	struct problem *problem)
{
	cleanup_free char *text = NULL;
	char *at, *line;
	int r = read_text(run_dir, &text);

	if (r)
		return fail(run_dir, r, problem);
	config->all_released = false;
	for (line = strtok_r(text, "\n", &at); !r && line;
		line = strtok_r(NULL, "\n", &at))
		r = take_line(config, alive, line);
	return r ? fail(run_dir, r, problem) : 0;
}

int released_add(const char *run_dir, const char *vm_name,
	const struct process_id *process, struct problem *problem)
{
	cleanup_free char *text = NULL, *more = NULL;
	cleanup_close int dir = -1;
	int r = read_text(run_dir, &text), n = 0;

	/* The last newline is not in the text. */
	if (!r && vm_name)
		n = asprintf(&more, "%s%s%d %" PRIu64 " %s\n", text, *text ? "\n" : "",
			process->pid, process->start_time, vm_name);
	else if (!r)
		n = asprintf(&more, ALL "\n");
	if (n < 0)
		r = -ENOMEM;
	if (!r)
		r = open_dir(run_dir, &dir);
	if (!r)
		r = file_save_at(dir, FILE_NAME, more, 0600);
	return r ? fail(run_dir, r, problem) : 0;
}

int released_clear(const char *run_dir, struct problem *problem)
{
	cleanup_close int dir = -1;
	int r = open_dir(run_dir, &dir);

	if (!r)
		r = file_remove_at(dir, FILE_NAME);
	return r < 0 && r != -ENOENT ? fail(run_dir, r, problem) : 0;
}
