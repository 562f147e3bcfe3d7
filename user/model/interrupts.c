// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/interrupts.h"

#include <stdlib.h>

void interrupt_counts_deinit(struct interrupt_counts *counts)
{
	free(counts->cpus);
	*counts = (struct interrupt_counts){};
}

/*
 * The kernel adds up in 32 bits, by CPU and kind. A sum that is less than it was has had
 * one of its terms begin anew; that of a CPU that is offline is not shown.
 */
static uint64_t more(uint64_t now, uint64_t base)
{
	if (!now)
		return 0;
	while (now < base)
		now += (uint64_t)UINT32_MAX + 1;
	return now - base;
}

struct cpu_interrupts interrupts_since(const struct interrupt_counts *counts, size_t cpu,
	const struct cpu_interrupts *base)
{
	struct cpu_interrupts since = {};

	if (cpu < counts->n_cpus) {
		since.interrupts = more(counts->cpus[cpu].interrupts, base->interrupts);
		since.softirqs = more(counts->cpus[cpu].softirqs, base->softirqs);
	}
	return since;
}
