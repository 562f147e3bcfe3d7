// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/reserved.h"

#include "user/base/cleanup.h"
#include "user/model/pools.h"

/* A CPU is in the effective set of the innermost partition that it belongs to. */
static void add_kinds(const struct tree *tree, struct reserved *reserved)
{
	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *group = tree->groups[i];

		if (!group->partition.valid)
			continue;
		if (group->partition.kind == PARTITION_ISOLATED)
			cpuset_or(&reserved->isolated, &group->effective);
		if (group->partition.kind == PARTITION_ROOT)
			cpuset_or(&reserved->root, &group->effective);
	}
	cpuset_and(&reserved->isolated, &reserved->cpus);
	cpuset_and(&reserved->root, &reserved->cpus);
	cpuset_andnot(&reserved->root, &reserved->isolated);
}

/* What VMs of a class share is no single one's, and nobody else's either. */
static void add_classes(const struct tree *tree, struct cpuset *cpus)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (is_class_group(tree->groups[i]->path) &&
			partition_holds(&tree->groups[i]->partition))
			cpuset_or(cpus, &tree->groups[i]->cpus);
}

int reserved_read(
	const struct cycle *cycle, struct reserved *ret_reserved, struct problem *problem)
{
	struct reserved reserved = {};
	CLEANUP(owners_deinit) struct owners owners = {};
	int r;

	r = cycle_owners(cycle, &owners, problem);
	if (r)
		return r;
	reserved.cpus = owners.reserved;
	add_classes(&cycle->actual.tree, &reserved.cpus);
	if (cpuset_empty(&reserved.cpus)) {
		reserved.would_be = true;
		reserved.cpus = pools_of(&cycle->config, &cycle->topology).given;
	} else {
		add_kinds(&cycle->actual.tree, &reserved);
	}
	*ret_reserved = reserved;
	return 0;
}
