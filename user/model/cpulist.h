/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * CPU lists as text. The grammar is the kernel's (Documentation/core-api/kernel-api.rst,
 * bitmap_parselist: `0-3,8`, `0-31:2/4` = the first 2 of every 4) with virsh's exclusions
 * (`0-3,^1`) and `all`.
 */
#include "user/base/problem.h"
#include "user/model/cpuset.h"

/*
 * A list that somebody wrote. Every CPU must be in `present` ("host CPUs"), the result
 * must not be empty; exclusions may name only CPUs that exist, and may stand anywhere.
 * Spaces around items are allowed. -EINVAL with a sentence that names the offending item.
 */
int cpulist_parse(const char *text, const struct cpuset *present, struct cpuset *ret_set,
	struct problem *problem);

/* A list that the kernel wrote: canonical ranges only, may be empty. -EINVAL when it is
 * not one. */
int cpulist_parse_kernel(const char *text, struct cpuset *ret_set);

/* The kernel's canonical form (`0-2,4`), "" for the empty set. The caller frees; NULL: no
 * memory. */
char *cpulist_format(const struct cpuset *set);
