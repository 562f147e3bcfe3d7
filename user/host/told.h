/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What somebody tells of a VM's vCPUs, be it QEMU or libvirt. Untrusted until it was held
 * against the threads that /proc shows (classify.h).
 */
#include <sys/types.h>

enum { PID_MAX = 4 << 20 }; /* PID_MAX_LIMIT, include/linux/threads.h */

struct told_vcpu {
	int index; /* below VCPUS_MAX; each once */
	pid_t tid; /* above 0, at most PID_MAX */
};
