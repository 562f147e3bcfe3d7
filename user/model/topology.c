// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/topology.h"

static void count(unsigned int *n, uint16_t number)
{
	if (number != TOPOLOGY_UNKNOWN && number >= *n)
		*n = number + 1u;
}

void topology_complete(struct topology *topology)
{
	struct cpuset nodes = {};

	topology->n_nodes = topology->n_packages = 0;
	topology->n_caches = topology->n_cores = 0;
	topology->first_cores = (struct cpuset){};
	cpuset_for_each (cpu, &topology->online) {
		const struct cpu_place *place = &topology->places[cpu];
		struct cpuset siblings;

		count(&topology->n_nodes, place->node);
		count(&topology->n_packages, place->package);
		count(&topology->n_caches, place->cache);
		count(&topology->n_cores, place->core);
		if (cpuset_has(&nodes, place->node))
			continue;
		cpuset_add(&nodes, place->node);
		siblings = topology_siblings(topology, (unsigned int)cpu);
		cpuset_or(&topology->first_cores, &siblings);
	}
	cpuset_for_each (node, &topology->with_memory)
		count(&topology->n_nodes, (uint16_t)node);
}

struct cpuset topology_siblings(const struct topology *topology, unsigned int cpu)
{
	struct cpuset siblings = {};

	cpuset_add(&siblings, cpu);
	cpuset_for_each (other, &topology->online)
		if (topology->places[other].core == topology->places[cpu].core)
			cpuset_add(&siblings, (unsigned int)other);
	return siblings;
}

struct cpuset topology_nodes(const struct topology *topology, const struct cpuset *cpus)
{
	struct cpuset nodes = {};

	cpuset_for_each (cpu, cpus)
		cpuset_add(&nodes, topology->places[cpu].node);
	cpuset_and(&nodes, &topology->with_memory);
	return nodes;
}
