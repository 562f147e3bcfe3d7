/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Back to what was found: threads returned. */
#include "user/control/cycle.h"
#include "user/model/found.h"

/*
 * Threads of the process that are below a group go back to the groups of the record. One
 * that somebody has moved elsewhere meanwhile stays there. A group that is gone is
 * replaced by the nearest above it.
 */
int return_to_groups(const struct cycle *cycle, const struct found_vm *found,
	const char *below, struct problem *problem);

/*
 * Affinities of a VM's threads as recorded; those that are gone are passed over. What
 * cannot be had because another VM still reserves the CPUs is added to the host's record
 * below run_dir (NULL: is left), to be returned with the host.
 */
int return_affinities(
	const char *run_dir, const struct found_vm *found, struct problem *problem);

/* Affinities of the host's threads as recorded. */
int return_bindings(const struct found_host *found, struct problem *problem);

/* Sets a thread's affinity. 1: it is so already, or the thread is gone. */
int thread_bind(pid_t pid, pid_t tid, uint64_t start_time, const struct cpuset *cpus,
	struct problem *problem);
