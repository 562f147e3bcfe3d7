/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Reads what bears on reserved CPUs beside their partitions: the files that are named in
 * model/host_facts.h, bounded. A file that is missing or makes no sense is a fact, too.
 */
#include "user/base/problem.h"
#include "user/model/host_facts.h"

/* All but kernel_threads. The caller owns: host_facts_deinit(). */
int host_facts_read(struct host_facts *ret_facts, struct problem *problem);

/* As host_facts_read(), below another root: files that were captured. */
int host_facts_read_at(
	const char *root, struct host_facts *ret_facts, struct problem *problem);
