/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Counters as metrics tell them, by whoever can see the observer's mapped memory. */
#include <stdbool.h>

#include "user/observer/observer.h"

/*
 * What was counted, how long vCPUs have run by the kernel's own figures, and whether
 * switches are being counted just now. -errno. The caller owns: counters_deinit().
 */
int sample_take(
	const struct observer *observer, struct counters *ret_counters, bool *ret_up);

/* The CPUs that are online; left as it is where they cannot be read. */
void sample_online(struct cpuset *online);
