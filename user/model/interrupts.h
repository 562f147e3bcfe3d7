/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* How often each CPU was interrupted since the boot, as the kernel counts. */
#include <stddef.h>
#include <stdint.h>

struct cpu_interrupts {
	uint64_t interrupts; /* of all kinds: devices', timers, other CPUs' calls */
	uint64_t softirqs;
};

struct interrupt_counts {
	struct cpu_interrupts *cpus; /* by CPU number; zeroes where nothing is known */
	size_t n_cpus;
};

void interrupt_counts_deinit(struct interrupt_counts *counts);

/* What has come since an earlier reading, per kind; 0 where there is less. */
struct cpu_interrupts interrupts_since(const struct interrupt_counts *counts, size_t cpu,
	const struct cpu_interrupts *base);
