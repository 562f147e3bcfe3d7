/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* How many vCPUs a QEMU starts with, and what they share, by -smp
 * (hw/core/machine-smp.c). Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "user/model/vm.h"

enum qemu_smp_key {
	SMP_CPUS,
	SMP_MAXCPUS,
	SMP_DRAWERS,
	SMP_BOOKS,
	SMP_SOCKETS,
	SMP_DIES,
	SMP_CLUSTERS,
	SMP_MODULES,
	SMP_CORES,
	SMP_THREADS,
	SMP_KEYS,
	SMP_LEVELS = SMP_DRAWERS, /* from here on: what is in what */
};

struct qemu_smp {
	uint64_t
		values[SMP_KEYS]; /* 0: not given; from SMP_LEVELS on sockets, cores, … */
	bool bad;
};

/* Another `key=value`; a key that is not known is QEMU's to refuse. */
void qemu_smp_set(struct qemu_smp *smp, const char *key, const char *value);

/* 0: it cannot be told. At most VCPUS_MAX. */
unsigned int qemu_smp_count(const struct qemu_smp *smp);

/*
 * What the guest sees of sockets, cores and threads. All zero where only the number of
 * vCPUs is given: then it is the machine's, and QEMU's release's, to choose. Clusters and
 * modules are counted with the dies.
 */
struct guest_smp qemu_smp_guest(const struct qemu_smp *smp);
