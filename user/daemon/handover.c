// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/handover.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

enum { NAMES_MAX = 1024 /* at a pass */ };

void handovers_folder(const char *run_dir, char *ret_path)
{
	snprintf(ret_path, PATH_MAX, "%s/handover", run_dir);
}

static DIR *open_folder(const char *run_dir)
{
	char path[PATH_MAX];

	handovers_folder(run_dir, path);
	return opendir(path);
}

void handovers_note(const char *run_dir, struct handovers *handovers)
{
	cleanup_closedir DIR *dir = open_folder(run_dir);
	const struct dirent *entry;

	handovers_forget(handovers);
	while (dir && handovers->n_names < NAMES_MAX && (entry = readdir(dir))) {
		char *name, **slot;

		if (entry->d_type == DT_DIR)
			continue;
		name = strdup(entry->d_name);
		slot = name ? array_push(&handovers->names, &handovers->n_names) : NULL;
		if (!slot) {
			free(name);
			return;
		}
		*slot = name;
	}
}

void handovers_done(const char *run_dir, struct handovers *handovers)
{
	cleanup_closedir DIR *dir = handovers->n_names ? open_folder(run_dir) : NULL;

	for (size_t i = 0; dir && i < handovers->n_names; i++)
		(void)unlinkat(dirfd(dir), handovers->names[i], 0);
	handovers_forget(handovers);
}

void handovers_forget(struct handovers *handovers)
{
	for (size_t i = 0; i < handovers->n_names; i++)
		free(handovers->names[i]);
	free(handovers->names);
	*handovers = (struct handovers){};
}
