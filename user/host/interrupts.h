/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* /proc/interrupts and /proc/softirqs, summed up by CPU. */
#include "user/base/problem.h"
#include "user/model/interrupts.h"

/* Both files below the folder `dirfd` (normally /proc). A CPU that is offline has no
 * interrupts there. The caller owns the result: interrupt_counts_deinit(). */
int interrupts_read(
	int dirfd, struct interrupt_counts *ret_counts, struct problem *problem);

/* Of this host. */
int interrupts_here(struct interrupt_counts *ret_counts, struct problem *problem);

enum interrupt_table { TABLE_INTERRUPTS, TABLE_SOFTIRQS };

/*
 * Adds a table to the counts: the first line names CPUs, `CPU0 CPU2`; each other line has
 * a name, a colon and a number for each of them (Linux: fs/proc/softirqs.c,
 * kernel/irq/proc.c). A line with fewer numbers is of no CPU and is left out, and so are
 * errors, which interrupt nobody. -EINVAL: no such table, a CPU that cannot be, numbers
 * that do not fit; then the counts are of no use. -ENOMEM.
 */
int interrupts_parse(
	const char *text, enum interrupt_table table, struct interrupt_counts *counts);
