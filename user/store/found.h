/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Records of what was found: RUN/found/NAME.json for a VM, RUN/found.json for the host.
 * JSON, written whole or not at all, readable by root only. A record is made before the
 * first change and dropped after the last, so whoever is killed in between leaves it to
 * the next run.
 */
#include <errno.h>
#include <stdbool.h>

#include "user/base/problem.h"
#include "user/model/found.h"

int found_vm_write(
	const char *run_dir, const struct found_vm *found, struct problem *problem);

/*
 * -ENOENT: there is none. -EINVAL: not one of ours. Anything else says nothing of what
 * was found, and is no reason to go on as if that was not known. The caller owns:
 * found_vm_deinit().
 */
int found_vm_read(const char *run_dir, const char *name, struct found_vm *ret_found,
	struct problem *problem);
/* Both drops: 1 when there was none. */
int found_vm_drop(const char *run_dir, const char *name, struct problem *problem);

/* Calls fn with the name of each VM that has a record. */
int found_vm_for_each(
	const char *run_dir, int (*fn)(const char *name, void *data), void *data);

static inline bool found_is_none(int r)
{
	return r == -ENOENT || r == -EINVAL;
}

int found_host_write(
	const char *run_dir, const struct found_host *found, struct problem *problem);
int found_host_read(
	const char *run_dir, struct found_host *ret_found, struct problem *problem);

/* Is there a record of the host, and one of ours? Negative errno: it is not known. */
int found_host_exists(const char *run_dir);

int found_host_drop(const char *run_dir, struct problem *problem);
