// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "user/control/cycle.h"
#include "user/model/health.h"

static const char *const state_names[] = {"placed", "degraded", "pending", "observed"};

const char *vm_state_name(enum vm_state state)
{
	return state_names[state];
}

/* libvirt's groups are there before. */
static bool is_placed(const struct cycle *cycle, size_t index)
{
	const struct desired_vm *vm = &cycle->desired.vms[index];

	return vm->layout == LAYOUT_LIBVIRT
		       ? cycle->actual.vms[index].has_record
		       : tree_find(&cycle->actual.tree, vm->groups[0].path) != NULL;
}

static int tell(enum vm_state *ret_state, enum vm_state state, const char *reason,
	char **ret_reason)
{
	*ret_state = state;
	*ret_reason = reason ? strdup(reason) : NULL;
	return reason && !*ret_reason ? -ENOMEM : 0;
}

static bool lacks_guard(
	const struct cycle *cycle, const struct desired_vm *vm, struct problem *problem)
{
	return vm->rules.guard != GUARD_OFF && cycle->observer &&
	       observer_lacks_guard(cycle->observer, problem);
}

enum guard cycle_vm_guard(const struct cycle *cycle, size_t index)
{
	const struct actual_vm *actual = &cycle->actual.vms[index];

	return actual->rules_known && observer_has_guard(cycle->observer)
		       ? actual->rules.guard
		       : GUARD_OFF;
}

int cycle_vm_state(const struct cycle *cycle, size_t index, enum vm_state *ret_state,
	char **ret_reason)
{
	const struct desired_vm *vm = &cycle->desired.vms[index];
	struct problem problem;
	int r;

	if (vm->reason && vm->vm->starting)
		return tell(ret_state, STATE_PENDING, vm->reason, ret_reason);
	if (vm->reason)
		return tell(ret_state, STATE_DEGRADED, vm->reason, ret_reason);
	if (vm->kind == DESIRED_OBSERVED && lacks_guard(cycle, vm, &problem))
		return tell(ret_state, STATE_DEGRADED, problem.text, ret_reason);
	if (vm->kind == DESIRED_OBSERVED)
		return tell(ret_state, STATE_OBSERVED, NULL, ret_reason);
	if (!is_placed(cycle, index))
		return tell(ret_state, STATE_PENDING, "it has not been placed yet",
			ret_reason);
	r = health_check(vm, &cycle->actual.tree, ret_reason);
	if (!r && !*ret_reason && lacks_guard(cycle, vm, &problem))
		return tell(ret_state, STATE_DEGRADED, problem.text, ret_reason);
	*ret_state = !r && !*ret_reason ? STATE_PLACED : STATE_DEGRADED;
	return r;
}
