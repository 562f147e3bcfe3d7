// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/control/cycle.h"

static int add_observed(
	const struct observer *observer, const struct rule_vm *vm, struct owners *owners)
{
	struct rule_vm rules;
	bool settling;
	int r = observer_get_vm(observer, vm->pid, vm->start_time, &rules, &settling);

	if (r)
		return r == -ENOENT ? 0 : r;
	r = owners_add_rules(owners, &rules);
	rule_vm_deinit(&rules);
	return r;
}

int cycle_owners(
	const struct cycle *cycle, struct owners *ret_owners, struct problem *problem)
{
	cleanup_free struct rule_vm *vms = NULL;
	struct owners owners = {};
	size_t n = 0;
	int r;

	if (cycle->observer) {
		r = observer_list_vms(cycle->observer, &vms, &n);
		for (size_t i = 0; !r && i < n; i++)
			r = add_observed(cycle->observer, &vms[i], &owners);
	} else {
		r = owners_add_partitions(&owners, &cycle->actual.tree, &cycle->vms);
	}
	if (r) {
		owners_deinit(&owners);
		return problem_set(
			problem, r, "cannot tell whose the CPUs are: %s", strerror(-r));
	}
	*ret_owners = owners;
	return 0;
}
