/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One look at everything: configuration, host, VMs, groups, the observer; and what
 * follows from it. Every verb starts with it, and it changes nothing.
 */
#include "cgroups/hierarchy.h"
#include "user/base/problem.h"
#include "user/host/qemu.h"
#include "user/host/topology.h"
#include "user/model/desired.h"
#include "user/model/diff.h"
#include "user/model/owners.h"
#include "user/observer/observer.h"

struct folders {
	const char *etc; /* normally /etc/cpuwarden; NULL: read no configuration, defaults
			    hold */
	const char *run; /* normally /run/cpuwarden */
};

/* What is asked beyond the ordinary. What it points to is to outlive the cycle. */
struct asking {
	const char *explain; /* the VM whose CPUs are to be explained, or NULL */
	bool rebalance; /* running VMs may be moved where the host gets tidier by it */
	const struct qemu_expected *expected; /* a VM that is about to be, or NULL */
	/* Holds where the files cannot be read, see cycle.config_problem; or NULL. */
	const struct config *fallback;
	bool heed_released;    /* VMs that were released by hand are left so */
	struct silent *silent; /* see qemu_discover(), or NULL */
};

struct cycle {
	struct folders folders;
	struct asking asking;
	struct hierarchy hierarchy; /* root -1: cpuset is not on cgroup v2, and
				       hierarchy_problem says it */
	struct problem hierarchy_problem;
	struct topology topology;
	struct config config;
	struct problem config_problem; /* text "": none; else the fallback holds */
	struct vms vms;
	struct observer
		*observer; /* NULL: there is none, and observer_problem says why */
	struct problem observer_problem;
	struct desired desired;
	struct actual actual;
	struct cpuset open; /* what the root had when all this was read */
};

/* On failure the cycle is empty. It is not to be moved: what is desired points into it.
 */
int cycle_read(
	const struct folders *folders, struct cycle *ret_cycle, struct problem *problem);
int cycle_read_asking(const struct folders *folders, const struct asking *asking,
	struct cycle *ret_cycle, struct problem *problem);
void cycle_deinit(struct cycle *cycle);
#define cleanup_cycle __attribute__((cleanup(cycle_deinit)))

/* What would follow from another configuration, all else being as it is. -ENOMEM. The
 * caller owns the result: desired_deinit(). It points into the cycle. */
int cycle_desire(const struct cycle *cycle, const struct config *config,
	struct desired *ret_desired);

/* Is that process still the one of its number? A zombie is none. */
bool process_alive(const struct process_id *process);

/* Steps that `apply` would take. -ENOMEM. The caller owns: plan_deinit(). */
int cycle_plan(const struct cycle *cycle, struct plan *ret_plan, struct problem *problem);

/*
 * What is left of a VM that has ended or is no longer to be placed: a group below the
 * slice, a record, rules of the observer.
 */
struct leftover {
	struct unit vm; /* whose; no steps */
	char *group;	/* owned; it may be gone already */
	bool alive;	/* its threads are to be returned */
	/* NULL: none. With groups in it, those are libvirt's, and `group` never was. */
	const struct found_vm *record;
};

/*
 * With `all`, whatever there is of any VM is one. Without, it is what policy gives up,
 * and -ENOENT refuses to take a missing configuration folder for a policy. -ENOMEM.
 */
int cycle_leftovers(const struct cycle *cycle, bool all, struct leftover **ret_items,
	size_t *ret_n, struct problem *problem);
void leftovers_free(struct leftover *items, size_t n);

/* The groups as they are now; none without cgroup v2. The caller owns: tree_deinit(). */
int cycle_read_tree(
	const struct cycle *cycle, struct tree *ret_tree, struct problem *problem);

/*
 * Whose each CPU is: by the observer's rules, as violations are counted; without an
 * observer by the partitions. The caller owns: owners_deinit().
 */
int cycle_owners(
	const struct cycle *cycle, struct owners *ret_owners, struct problem *problem);

/* Reads one VM's groups, by the path of its own, and those above them again. On failure
 * the cycle is worth nothing. */
int cycle_read_groups(struct cycle *cycle, const char *top, struct problem *problem);

/* Gives up what a glance (glance.h) reads again, the view of the observer with it: for
 * who keeps the cycle. And of one VM alone, by its place in cycle->desired. */
void cycle_slim(struct cycle *cycle);
void cycle_slim_vm(struct cycle *cycle, size_t index);

/* Opens that view again, as observer_open(); closes it. */
int cycle_open_observer(struct cycle *cycle);
void cycle_close_observer(struct cycle *cycle);

/* Reads groups and the VMs' threads again, and what follows from them; keeps the rest. */
int cycle_refresh(struct cycle *cycle, struct problem *problem);

/* Reads again what is in force for a VM, by its place in cycle->desired: rules of the
 * observer, its record among those that were read. Negative errno. */
int cycle_read_in_force(struct cycle *cycle, size_t index);

/* What is asked of the observer. */
struct observer_wish cycle_observer_wish(const struct cycle *cycle);

enum vm_state { STATE_PLACED, STATE_DEGRADED, STATE_PENDING, STATE_OBSERVED };

/* How a VM stands. *ret_reason: a sentence or NULL; the caller frees. -ENOMEM. */
int cycle_vm_state(const struct cycle *cycle, size_t index, enum vm_state *ret_state,
	char **ret_reason);

/* The guard that is in force for a VM, whatever policy wants. */
enum guard cycle_vm_guard(const struct cycle *cycle, size_t index);
const char *vm_state_name(enum vm_state state);
