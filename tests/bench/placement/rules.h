/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Other people's rules for giving CPUs, beside the allocator's, under one meaning: a
 * rule sees only what the wish allows and says which of that it takes.
 *
 * `require` is put to the others as whole free cores and a number that fills them,
 * `isolate` as whole free cores, all threads of one for each vCPU; so none of them can
 * break a wish, and none is refused for how it was asked. `single` is a host of one node
 * to them, the nodes in the order in which they try them.
 */
#include "user/model/allocator.h"

struct ask_for {
	unsigned int n; /* vCPUs */
	enum numa_wish numa;
	enum smt_wish smt;
};

/* False: no room by these rules. *ret_cpus: the VM's, with what it keeps idle. */
typedef bool (*rules_fn)(const struct allocator *allocator,
	const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, struct cpuset *ret_cpus);

bool rules_allocator(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus);

/* The kubelet's static policy: kubelet.c. */
bool rules_kubelet(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus);
bool rules_kubelet_full_cores(const struct allocator *allocator,
	const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, struct cpuset *ret_cpus);
bool rules_kubelet_best_effort(const struct allocator *allocator,
	const struct topology *topology, const struct cpuset *available,
	const struct ask_for *ask, struct cpuset *ret_cpus);

/* Nova's dedicated policy: nova.c. */
bool rules_nova_pack(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus);
bool rules_nova_spread(const struct allocator *allocator, const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_cpus);

/* What the wish leaves of `available` to the others, and how many CPUs of it. */
unsigned int rules_translate(const struct topology *topology,
	const struct cpuset *available, const struct ask_for *ask,
	struct cpuset *ret_candidates);

/* The CPUs of a node among these. */
struct cpuset rules_in_node(
	const struct topology *topology, const struct cpuset *cpus, unsigned int node);
