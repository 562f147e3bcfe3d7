// SPDX-License-Identifier: GPL-2.0-or-later
/* What a kernel without remote partitions cannot do with the CPUs of a VM. */
#include <errno.h>

#include "user/model/claims_parts.h"

/*
 * Seen on 6.1: a partition that takes a CPU of isolcpus=domain can end in a panic, in
 * partition_sched_domains_locked() of kernel/sched/topology.c.
 */
static int check_boot(
	struct claim *claim, const struct ledger *ledger, const struct cpuset *cpus)
{
	struct cpuset both = *cpus;

	cpuset_and(&both, &ledger->input->topology->isolated);
	if (cpuset_empty(&both))
		return 0;
	return claim_refuse(claim,
		"CPU %d is isolated by the boot command line (isolcpus), and a partition of "
		"such CPUs can crash this kernel (Linux 6.7 has another kind): boot without "
		"isolcpus, partitions do without",
		cpuset_next(&both, 0));
}

/* The slice must be the only group of its level with its CPUs: if it were not, all VMs'
 * partitions would be invalid. */
static int check_beside(
	struct claim *claim, const struct ledger *ledger, const struct cpuset *cpus)
{
	const struct tree *tree = ledger->input->tree;
	const struct group *slice = tree_find(tree, SLICE);

	for (size_t i = 0; i < tree->n_beside; i++) {
		struct cpuset both = *cpus;

		cpuset_and(&both, &tree->beside[i].cpus);
		if (slice)
			cpuset_andnot(&both, &slice->cpus);
		if (!cpuset_empty(&both))
			return claim_refuse(claim,
				"CPU %d is also set for /%s, and this kernel lets no group share "
				"with the partitions beside it",
				cpuset_next(&both, 0), tree->beside[i].path);
	}
	return 0;
}

int claim_check_kernel(struct claim *claim, const struct ledger *ledger)
{
	const struct claim_class *class = ledger_class_of(ledger, claim);
	struct cpuset cpus = claim->all;

	if (ledger->input->tree->remote || claim->layout != LAYOUT_OWN)
		return 0;
	if (class)
		cpuset_or(&cpus, &class->shared);
	return check_beside(claim, ledger, &cpus) || check_boot(claim, ledger, &cpus)
		       ? -ENOMEM
		       : 0;
}
