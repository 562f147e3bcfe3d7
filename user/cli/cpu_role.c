// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/cpu_role.h"

#include <stdio.h>

const char *cpu_role(
	const struct cycle *cycle, const struct owners *owners, unsigned int cpu)
{
	const struct group *group = tree_partition_of(&cycle->actual.tree, cpu);

	if (!cpuset_has(&cycle->topology.online, cpu))
		return "offline";
	if (owners_find(owners, cpu))
		return "reserved";
	/* By VMs of one class. */
	return group && is_class_group(group->path) ? "shared" : "housekeeping";
}

struct cpu_membership cpu_membership(const struct cycle *cycle, unsigned int cpu)
{
	const struct tree *tree = &cycle->actual.tree;
	const struct group *group = tree_partition_of(tree, cpu);
	struct cpu_membership membership = {};

	if (group) {
		partition_state_format(&group->partition, membership.partition,
			sizeof(membership.partition));
		membership.cgroup = group->path;
	} else if (cpuset_has(&tree->isolated, cpu)) {
		snprintf(membership.partition, sizeof(membership.partition), "%s",
			partition_name(PARTITION_ISOLATED));
	}
	return membership;
}
