/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Moving processes and threads into groups. Synchronous: on return none runs outside its
 * new set. */
#include <sys/types.h>

#include "cgroups/hierarchy.h"

/* Moves a whole process; the group may be threaded. -ESRCH: gone. */
int process_move(const struct hierarchy *hierarchy, const char *path, pid_t pid,
	struct problem *problem);

/*
 * Moves one thread within its threaded domain. -ESRCH: gone. -EOPNOTSUPP: its process is
 * not in the group's domain.
 */
int thread_move(const struct hierarchy *hierarchy, const char *path, pid_t tid,
	struct problem *problem);
