// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The allocator beside other people's rules, on the same VMs that come and go. All
 * columns but the last are the same whenever this runs; what they say stands in trace.h.
 *
 * How to read it:
 *
 * - `VMs` alone misleads where much is refused, for who refuses a large VM has room for
 *   several small ones (Nova's spread, the kubelet's single-numa-node): hence `vCPUs`.
 * - Both are bounded by the CPUs that there are, and so all are level, within a tenth or
 *   two of a point, where a VM may be spread over nodes. The kubelet without its topology
 *   manager never tries to keep one together, which leaves room in whole nodes to those
 *   who insist on one; it pays in the next two columns.
 * - With `single` everybody's VMs are in one node, so that column is that of the VMs.
 * - On chiplets the kubelet has a few more whole cores, by a tenth of a point: a VM with
 *   an odd number of vCPUs does not leave its cache here for half a core elsewhere.
 */
#include <stdio.h>

#include "tests/bench/placement/trace.h"

enum { ARRIVALS = 16000, SEED = 1 };

int main(void)
{
	for (size_t i = 0; i < n_scenes; i++) {
		printf("%s, %u %% of the CPUs wanted, %s, %d VMs\n", scenes[i].name,
			scenes[i].load,
			scenes[i].single ? "numa = single" : "numa = prefer or single",
			ARRIVALS);
		printf("  %-26s %8s %8s %9s %10s %12s %6s\n", "", "VMs", "vCPUs",
			"one node", "one cache", "whole cores", "us");
		for (size_t j = 0; j < n_rules; j++) {
			struct outcome outcome;

			if (!rule_serves(&rules[j], &scenes[i]))
				continue;
			outcome = trace_run(&scenes[i], &rules[j], ARRIVALS, SEED);
			printf("  %-26s %7.2f%% %7.2f%% %8.2f%% %9.2f%% %11.2f%% %6.1f\n",
				rules[j].name, outcome.vms / 100.0, outcome.vcpus / 100.0,
				outcome.one_node / 100.0, outcome.one_cache / 100.0,
				outcome.whole_cores / 100.0, outcome.us);
		}
	}
	return 0;
}
