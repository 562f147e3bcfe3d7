/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to this room: one write to one file of a group, with its errno. */
#include "cgroups/hierarchy.h"

/* Writes text in one write(). A negative errno of open() or write(). */
int group_write(const struct hierarchy *hierarchy, const char *path, const char *file,
	const char *text);
