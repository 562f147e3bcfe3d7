/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* CPU masks as some of the kernel's files have them: hex digits, a comma between words of
 * 32 bits (%*pb). */
#include "user/model/cpuset.h"

/* -EINVAL when it is none. */
int cpumask_parse(const char *text, struct cpuset *ret_set);

/* The caller frees; NULL: no memory. */
char *cpumask_format(const struct cpuset *set);
