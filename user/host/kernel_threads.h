/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Kernel threads that user space may bind (they lack PF_NO_SETAFFINITY), but for those in
 * a group of ours, and where the kernel's workqueues run what is bound to no CPU. The
 * root of a cpuset partition does not keep them away on every kernel.
 */
#include "user/model/found.h"

/*
 * Puts such threads that may run on one of `cpus`, strays with a single CPU too, into the
 * host's record as `kernel`. The affinity of one that is in it stays as recorded.
 * -ENOMEM.
 */
int kernel_threads_add(struct found_host *host, const struct cpuset *cpus);

/* All CPUs on which such threads may run; and on which they or unbound work may. */
int kernel_threads_affinity(struct cpuset *ret_cpus);
int kernel_threads_cpus(struct cpuset *ret_cpus);

/* /sys/devices/virtual/workqueue/cpumask as requested. -ENOENT where there is none. */
int workqueues_read(struct cpuset *ret_cpus);
#define WORKQUEUE_MASK "/sys/devices/virtual/workqueue/cpumask"
