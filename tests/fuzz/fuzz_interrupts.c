// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of interrupts by CPU. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/host/interrupts.h"
#include "user/model/cpuset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(interrupt_counts_deinit) struct interrupt_counts counts = {};
	cleanup_free char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	interrupts_parse(text, TABLE_INTERRUPTS, &counts);
	interrupts_parse(text, TABLE_SOFTIRQS, &counts);
	if (counts.n_cpus > CPUSET_CPUS)
		abort();
	for (size_t i = 0; i < counts.n_cpus; i++)
		interrupts_since(&counts, i, &counts.cpus[i]);
	return 0;
}
