/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Kernel threads off reserved CPUs. A root partition does not push away, on every kernel,
 * what could run elsewhere: unbound workqueues on 6.1 and 6.12, also rcu_preempt and
 * kcompactd on 7.2. What they were like is in the host's record.
 */
#include "user/base/problem.h"
#include "user/model/cpuset.h"

/*
 * Each thread and the workqueues may run where they were found, less these CPUs; what
 * would be left without any (kcompactd of a node whose CPUs are all reserved) on all
 * other online ones. 1 when all was so already, or without a record of the host.
 */
int keep_off(const char *run_dir, const struct cpuset *cpus, const struct cpuset *online,
	struct problem *problem);
