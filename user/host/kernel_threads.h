/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Kernel threads that are bound to no CPU, and where the kernel's workqueues run what is
 * bound to none. The root of a cpuset partition does not keep them away on every kernel.
 */
#include "user/model/found.h"

/*
 * Kernel threads with more than one CPU whose affinity may be set, those that may run on
 * one of `cpus`. Appended to the host's record as `kernel` unless they are in it;
 * -ENOMEM.
 */
int kernel_threads_add(struct found_host *host, const struct cpuset *cpus);

/* All CPUs on which such threads or unbound work may run. */
int kernel_threads_cpus(struct cpuset *ret_cpus);

/* /sys/devices/virtual/workqueue/cpumask as requested. -ENOENT where there is none. */
int workqueues_read(struct cpuset *ret_cpus);
#define WORKQUEUE_MASK "/sys/devices/virtual/workqueue/cpumask"
