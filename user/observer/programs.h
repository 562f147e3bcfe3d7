/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to this room: which programs there are, as the kernel says. */
#include <stdbool.h>

#include "bpf/abi.h"

/*
 * How many programs for sched_switch the kernel has that count into the maps pinned
 * there, or -errno. One that is no longer pinned is there until it is detached on all
 * CPUs (a link's id goes before that), and as long as somebody holds an fd of it.
 */
int programs_count(const char *dir);

/* Waits, for 5 s at most, until the kernel has so many of them. */
bool programs_wait(const char *dir, int n);

/* Waits, for 5 s at most, until a program, by its id, is attached no longer. */
void program_wait_for_end(u32 id);

void programs_pause_ms(unsigned int ms);

/* Switches that the pinned one was not called for, because it was already running on that
 * CPU. -errno. */
int program_misses(const char *dir, u64 *ret_misses);
