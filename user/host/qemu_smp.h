/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* How many vCPUs a QEMU starts with, by -smp (hw/core/machine-smp.c). Pure. */
#include <stdbool.h>
#include <stdint.h>

enum qemu_smp_key { SMP_CPUS, SMP_MAXCPUS, SMP_LEVELS, SMP_KEYS = 10 };

struct qemu_smp {
	uint64_t
		values[SMP_KEYS]; /* 0: not given; from SMP_LEVELS on sockets, cores, … */
	bool bad;
};

/* Another `key=value`; a key that is not known is QEMU's to refuse. */
void qemu_smp_set(struct qemu_smp *smp, const char *key, const char *value);

/* 0: it cannot be told. At most VCPUS_MAX. */
unsigned int qemu_smp_count(const struct qemu_smp *smp);
