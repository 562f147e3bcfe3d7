// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/allocator_parts.h"

#include <stdlib.h>
#include <string.h>

static int compare_numbers(unsigned int a, unsigned int b)
{
	return (a > b) - (a < b);
}

static int compare_cpus(const void *a, const void *b, void *topology)
{
	unsigned int one = *(const unsigned int *)a, other = *(const unsigned int *)b;
	const struct cpu_place *places = ((const struct topology *)topology)->places;
	int r = compare_numbers(places[one].node, places[other].node);

	if (!r)
		r = compare_numbers(places[one].cache, places[other].cache);
	if (!r)
		r = compare_numbers(places[one].core, places[other].core);
	return r ? r : compare_numbers(one, other);
}

static struct node *node_at(struct allocator *host, const struct cpu_place *place)
{
	struct node *last = host->n_nodes ? &host->nodes[host->n_nodes - 1] : NULL;

	if (last && last->number == place->node)
		return last;
	host->nodes[host->n_nodes] = (struct node){.number = place->node,
		.package = place->package,
		.first_core = (unsigned int)host->n_cores,
		.first_cache = (unsigned int)host->n_caches};
	return &host->nodes[host->n_nodes++];
}

static struct cache *cache_at(
	struct allocator *host, const struct cpu_place *place, struct node *node)
{
	struct cache *last = node->n_caches ? &host->caches[host->n_caches - 1] : NULL;

	if (last && last->number == place->cache)
		return last;
	node->n_caches++;
	host->caches[host->n_caches] = (struct cache){.number = place->cache,
		.first_core = (unsigned int)host->n_cores,
		.node = (unsigned int)(node - host->nodes)};
	return &host->caches[host->n_caches++];
}

/* Appends the CPU, which comes after all others in order. */
static void append(struct allocator *host, unsigned int cpu)
{
	const struct cpu_place *place = &host->topology->places[cpu];
	struct node *node = node_at(host, place);
	struct cache *cache = cache_at(host, place, node);
	struct core *last = cache->n_cores ? &host->cores[host->n_cores - 1] : NULL;

	if (!last || last->number != place->core) {
		last = &host->cores[host->n_cores++];
		*last = (struct core){.number = place->core,
			.first = (unsigned int)host->n_cpus,
			.cache = (unsigned int)(cache - host->caches),
			.node = cache->node};
		cache->n_cores++;
		node->n_cores++;
	}
	last->width++;
	if (last->width > 1)
		host->smt = true;
	host->core_of[cpu] = (uint16_t)(host->n_cores - 1);
	host->cpus[host->n_cpus++] = cpu;
}

/* A core with two places is one that has CPUs of it elsewhere. */
static void find_split(struct allocator *host, struct core **seen)
{
	for (size_t i = 0; i < host->n_cores; i++) {
		struct core *core = &host->cores[i], **slot = &seen[core->number];

		if (*slot)
			(*slot)->split = core->split = host->smt = true;
		*slot = core;
	}
}

struct allocator *allocator_new(const struct topology *topology)
{
	size_t n = cpuset_weight(&topology->online), i = 0;
	unsigned int *order = calloc(n + 1, sizeof(*order));
	struct core **seen = calloc(UINT16_MAX + 1, sizeof(struct core *));
	struct allocator *host = calloc(1, sizeof(*host));

	if (host) {
		host->topology = topology;
		host->cpus = calloc(n + 1, sizeof(*host->cpus));
		host->cores = calloc(n + 1, sizeof(*host->cores));
		host->caches = calloc(n + 1, sizeof(*host->caches));
		host->nodes = calloc(n + 1, sizeof(*host->nodes));
	}
	if (!order || !seen || !host || !host->cpus || !host->cores || !host->caches ||
		!host->nodes) {
		free(order);
		free(seen);
		allocator_free(host);
		return NULL;
	}
	cpuset_for_each (cpu, &topology->online)
		order[i++] = (unsigned int)cpu;
	qsort_r(order, n, sizeof(*order), compare_cpus, (void *)topology);
	for (i = 0; i < n; i++)
		append(host, order[i]);
	find_split(host, seen);
	free(order);
	free(seen);
	return host;
}

void allocator_free(struct allocator *host)
{
	if (!host)
		return;
	free(host->cpus);
	free(host->cores);
	free(host->caches);
	free(host->nodes);
	free(host);
}
