/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the allocator (allocator.h): a host's cores in order, and one request on it.
 */
#include "user/model/allocator.h"

/* CPUs, cores, caches and nodes are referred to by their places in these arrays, which
 * are in the order of (node, cache, core, CPU): what belongs to one is a range. */
struct core {
	unsigned int number, first, width, cache, node;
	/* It has CPUs in two nodes or caches, and is in here twice: nobody can have all
	 * of it. */
	bool split;
};

struct cache {
	unsigned int number, first_core, n_cores, node;
};

struct node {
	unsigned int number, package, first_core, n_cores, first_cache, n_caches;
};

struct allocator {
	const struct topology *topology;
	unsigned int *cpus;
	struct core *cores;
	struct cache *caches;
	struct node *nodes;
	size_t n_cpus, n_cores, n_caches, n_nodes;
	bool smt;
	uint16_t core_of[CPUSET_CPUS]; /* of each online CPU */
};

struct core_state {
	uint16_t left; /* CPUs that may be given */
	bool whole;    /* all of it is free */
	bool own;      /* a thread of this VM has a CPU of it */
	bool vcpu;     /* and that is a vCPU */
};

/* What is left in a cache or node. */
struct room {
	unsigned int vcpus;  /* that find a CPU as `smt` wants it */
	unsigned int paired; /* that do so beside their siblings */
	unsigned int left;   /* CPUs that may be given */
	unsigned int whole;  /* whole cores */
};

/* What a choice costs; the first difference decides, less is better. */
enum score {
	SCORE_NODES,	  /* of the vCPUs */
	SCORE_PACKAGES,	  /* of the vCPUs */
	SCORE_CACHES,	  /* of the vCPUs */
	SCORE_TORN,	  /* vCPUs that belong together and do not share a core */
	SCORE_FAR,	  /* how far the other threads are from the vCPUs */
	SCORE_CORES,	  /* cores that were whole */
	SCORE_NODE_LEFT,  /* CPUs free in the nodes before: the fullest first */
	SCORE_CACHE_LEFT, /* in the caches */
	SCORES
};

/* One way to serve the request. */
struct trial {
	struct core_state *cores;
	bool *taken;		      /* each CPU */
	bool *cache_used, *node_used; /* by vCPUs */
	int *given;		      /* to each want a CPU, or -1 */
	unsigned int score[SCORES];
};

/* So many of the vCPUs on these cores. */
struct share {
	unsigned int first_core, n_cores, n_vcpus;
};

/* What was looked at, for the explanation. */
struct candidate {
	int node, cache; /* -1: several */
	bool fits;
	unsigned int score[SCORES];
};

struct attempt {
	const struct allocator *host;
	const struct request *request;
	bool *available; /* each CPU: may be given or kept spare */
	struct room *caches, *nodes;
	size_t *vcpus, *others; /* wants that are to be given a CPU */
	size_t n_vcpus, n_others;
	struct trial start, now, best;
	bool found; /* there is a best */
	struct share *shares;
	size_t n_shares;
	/* While shares are decided: what each has room for, and gets. */
	unsigned int *cache_rooms, *cache_take, *node_rooms, *node_take, *order;
	bool *fixed_nodes; /* of all fixed CPUs */
	size_t n_fixed_nodes;
	unsigned int widest;	      /* most vCPUs of one chunk */
	struct candidate *candidates; /* only for an explanation */
	size_t n_candidates;
};

/* allocator_attempt.c */

/* Counts what is there. 1 with a sentence when fixed CPUs contradict the wish. -ENOMEM.
 */
int attempt_init(struct attempt *attempt, const struct allocator *host,
	const struct request *request, const struct cpuset *available,
	struct problem *problem);
void attempt_deinit(struct attempt *attempt);

/* "vCPU 3". */
void want_describe(const struct want *want, char *buf, size_t size);

/* allocator_trial.c */

/* Gives a want the lowest CPU that the core has left. */
void trial_give(const struct attempt *attempt, struct trial *trial, size_t want,
	unsigned int core);

/* Gives CPUs by the shares, the other threads in these cores. Returns whether all found
 * one; the best trial is kept. */
bool attempt_try(struct attempt *attempt, unsigned int first_core, unsigned int n_cores,
	int node, int cache);

/* allocator_choice.c */

/* Tries what is worth trying. Returns whether anything fits. */
bool attempt_choose(struct attempt *attempt);

/* The CPUs of the best trial's cores on which nobody may run. */
struct cpuset attempt_spare(const struct attempt *attempt);

/* allocator_explain.c */

/* To be called before attempt_choose() where an explanation is wanted. -ENOMEM. */
int attempt_record(struct attempt *attempt);

/* Why the choice is what it is, or why there is none. -ENOMEM. */
int attempt_explain(const struct attempt *attempt, struct explanation *explanation);

/* allocator_obstacle.c */

/* Adds to the sentence what would make the request possible. Returns 1, or -ENOMEM. */
int attempt_advise(const struct attempt *attempt, const struct cpuset *available,
	struct problem *problem);

/* The sentence for a request that does not fit. Returns 1, or
 * -ENOMEM. */
int attempt_refuse(const struct attempt *attempt, const struct cpuset *available,
	struct problem *problem);
