// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/lost.h"

/* What a vCPU of libvirt's still runs on, in a partition that is invalid, is mended where
 * it is: taken back it would push the vCPU off. */
static void drop_used(const struct tree *tree, struct cpuset *cpus)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (!path_is_inside(tree->groups[i]->path, SLICE) &&
			tree->groups[i]->partition.kind != PARTITION_MEMBER)
			cpuset_andnot(cpus, &tree->groups[i]->effective);
}

int lost_find(const struct cycle *cycle, const struct tree *tree, struct cpuset *ret_lost,
	struct problem *problem)
{
	struct cpuset lost = cycle->topology.online, stale = tree->isolated, accounted,
		      isolated;
	int r;

	cpuset_andnot(&lost, &tree->root_effective);
	/* What the boot command line isolates is so for good. */
	cpuset_andnot(&stale, &cycle->topology.isolated);
	if (!cpuset_empty(&lost) || !cpuset_empty(&stale)) {
		r = hierarchy_accounted(
			&cycle->hierarchy, &accounted, &isolated, problem);
		if (r)
			return r;
		cpuset_andnot(&lost, &accounted);
		cpuset_andnot(&stale, &isolated);
		cpuset_or(&lost, &stale);
		drop_used(tree, &lost);
	}
	*ret_lost = lost;
	return 0;
}
