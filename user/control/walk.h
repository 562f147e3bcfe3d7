/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The order in which things are done, said once for the verb that tells it and the one
 * that does it: the observer first, then what is to be given up, then the groups of
 * classes that must be there, or larger, for their VMs, then each VM, then what classes
 * no longer need, then the host.
 */
#include "user/control/cycle.h"
#include "user/model/plan.h"

struct walk {
	const struct cycle *cycle;
	const struct tree *tree; /* groups, which take() keeps up to date */
	/*
	 * Takes over a unit, which has at least one step. `vm` is NULL for what is not
	 * placement. 1: what it asks for did not come to be. A negative errno ends the
	 * walk.
	 */
	int (*take)(struct unit *unit, const struct desired_vm *vm, void *data,
		struct problem *problem);
	/* Called before it is decided what a VM needs; NULL: the tree needs no
	 * refreshing. */
	int (*look)(const struct desired_vm *vm, void *data, struct problem *problem);
	void *data;
	/* Places that VM alone, and gives up only it and what others have left when they
	 * ended. NULL: all. */
	const char *only;
};

/*
 * What is left to do for one VM, by its place in cycle->desired; nothing is taken.
 * -ENOMEM. The caller owns: unit_deinit().
 */
int walk_diff(const struct walk *walk, size_t index, struct unit *ret_unit);

/* What policy asks for. 1: without an observer nothing is placed. */
int walk_apply(const struct walk *walk, struct problem *problem);

/*
 * Whatever is held of one VM or, with a NULL name, of each, then of the host. Returns the
 * number of VMs.
 */
int walk_release(const struct walk *walk, const char *vm_name, struct problem *problem);
