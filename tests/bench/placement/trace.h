/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* VMs that come and go on a host, from a seed, and how rules fare with them. */
#include "tests/bench/placement/rules.h"

/* A host and what it is offered. */
struct scene {
	const char *name;
	unsigned int packages, nodes, caches, cores, threads; /* as topology_build() */
	unsigned int load; /* CPUs that are wanted at a time, per cent of those free */
	/* All want `single`, which is all that Nova knows of; else three in ten, and
	 * the others `prefer`. */
	bool single;
};

extern const struct scene scenes[];
extern const size_t n_scenes;

struct rule {
	const char *name;
	rules_fn place;
	bool mixed, single; /* it can serve a scene of that kind */
};

/* The first one is ours. */
extern const struct rule rules[];
extern const size_t n_rules;

bool rule_serves(const struct rule *rule, const struct scene *scene);

/* In ten-thousandths. Of all VMs that came: accepted, in one node, on one cache. Of the
 * vCPUs that they had: accepted. Of the CPUs that no VM asked for, all the time: on cores
 * that are free as a whole. */
struct outcome {
	unsigned int vms, vcpus, one_node, one_cache, whole_cores;
	double us; /* mean time of a placement */
};

/* The same but for `us` whenever it is called. */
struct outcome trace_run(const struct scene *scene, const struct rule *rule,
	unsigned int arrivals, uint64_t seed);
