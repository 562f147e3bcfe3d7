/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which free CPUs a VM gets. Pure and deterministic: the same request on the same host
 * gives the same CPUs. What a thread has already is given as fixed and never changed; to
 * move a running VM takes allocator_repack(), whose result the caller may use or not.
 *
 * numa = single: all CPUs of the VM, fixed ones included, are in one node, else the
 * request is impossible. numa = prefer: one node if one has room, else as few as possible
 * for the vCPUs, of one package if possible. numa = any: one node if one has room, else
 * what is left over in the fullest nodes.
 *
 * smt = require: no core is shared with anybody else, and vCPUs fill cores; what they
 * leave of one is used by the VM's other threads or is spare. smt = isolate: a vCPU is
 * alone on its core, the siblings are spare; the other threads are on other cores, which
 * they may share. smt = prefer: vCPUs fill cores, an odd one goes to a core in use. On a
 * host without SMT each core is one CPU, and all three mean the same.
 *
 * Below a node: as few last-level caches as possible, the fullest that has room. Other
 * threads are near the vCPUs: the node, then the cache, then a core in use.
 */
#include "user/base/problem.h"
#include "user/model/explanation.h"
#include "user/model/policy.h"
#include "user/model/topology.h"

/* One thread that is to have CPUs of its own. */
struct want {
	enum thread_class class;    /* vcpu, emulator or iothread */
	int index;		    /* of the vCPU or iothread */
	const struct cpuset *fixed; /* pinned or kept; NULL: to be given one CPU */
};

/* What is known of the guest's own topology. 0 or 1: nothing. */
struct guest_shape {
	unsigned int
		threads; /* vCPUs of a core: vCPUs 2k and 2k + 1 are siblings with 2 */
	/* vCPUs of a NUMA node of the guest's, or of a socket: cores x threads, x dies.
	 */
	unsigned int node;
};

struct request {
	const struct want *wants; /* each class by ascending index; borrowed */
	size_t n_wants;
	enum numa_wish numa;
	enum smt_wish smt;
	struct guest_shape guest;
	const struct cpuset *allowed; /* only these are given, or reserved; NULL: all */
};

struct placement {
	int *cpus; /* of each want in turn; -1 where it is fixed; owned */
	size_t n_cpus;
	struct cpuset spare; /* nobody may run there: the VM's group is to hold them */
};

/* A host's CPUs in order, made once for many requests. */
struct allocator;

/* The topology is borrowed. NULL: out of memory. */
struct allocator *allocator_new(const struct topology *topology);
void allocator_free(struct allocator *allocator);

/*
 * `available`: what this VM may have: online, not housekeeping, not another VM's. Spare
 * CPUs that it holds already are to be in it, fixed ones may be. Fixed sets are taken as
 * they are, as far as online.
 *
 * 0; 1 when the request is impossible: the sentence says what stood in the way and what
 * would make it possible, which was tried. -ENOMEM. `explanation`, unless NULL, gets
 * lines appended in both cases.
 */
int allocator_place(const struct allocator *allocator, const struct request *request,
	const struct cpuset *available, struct explanation *explanation,
	struct placement *ret_placement, struct problem *problem);

void placement_deinit(struct placement *placement);

/* All CPUs that the VM then has: fixed, given and spare ones. */
struct cpuset placement_all(
	const struct placement *placement, const struct request *request);

/* How tidy a host is. */
struct tidiness {
	size_t in_one_node, in_one_cache; /* VMs */
	size_t whole_cores;		  /* free, with all their CPUs */
};

/* Of VMs with these CPUs, on a host where `available` is nobody's. */
struct tidiness allocator_tidiness(const struct allocator *allocator,
	const struct cpuset *vms, size_t n_vms, const struct cpuset *available);

/* Above 0 when a is tidier: VMs in one node count first, then in one cache, then cores.
 */
int tidiness_compare(const struct tidiness *a, const struct tidiness *b);

/*
 * All VMs anew, the big ones first: only what is pinned is to be fixed in the requests.
 * `now` has what each VM holds, `available` is what they all may have (theirs included).
 * ret_placements, as many as requests, belong to the caller.
 *
 * 0; 1 when nothing is to be moved: a VM would find no place, or the result would be no
 * tidier. -ENOMEM.
 */
int allocator_repack(const struct allocator *allocator, const struct request *requests,
	const struct cpuset *now, size_t n_vms, const struct cpuset *available,
	struct placement *ret_placements, struct problem *problem);
