/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to this room: single files of a group, and the groups next below one. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>

#include "cgroups/hierarchy.h"

/* Writes text in one write(). A negative errno of open() or write(). */
int group_write(const struct hierarchy *hierarchy, const char *path, const char *file,
	const char *text);

/*
 * Clears `cpuset.cpus` of a threaded group. 6.12 refuses that where threads are in it, so
 * those are in the group above meanwhile, which has all that this one will have. A
 * negative errno.
 */
int group_clear_cpus(const struct hierarchy *hierarchy, const char *path);

/* Opens the folder of the group `path` below that of another; "" is that one itself. The
 * caller closes. */
int group_open(int above, const char *path);

/* A CPU list, below an fd of group_open(). -ENOENT: the kernel has no such file. */
int cpus_read(int dir, const char *file, struct cpuset *ret_cpus);

/* `cpuset.cpus.partition`. -EINVAL: it is something else. */
int partition_read(int dir, struct partition_state *ret_state);

/* A group that somebody has just removed says so. */
static inline bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* To list the groups next below one, which is given as to group_open(). NULL with errno.
 * The caller owns: closedir(). */
DIR *children_open(int above, const char *path);

/* The next one's name; NULL with errno 0 after the last, and with another on failure. */
const char *children_next(DIR *children);
