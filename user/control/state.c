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

int cycle_vm_state(const struct cycle *cycle, size_t index, enum vm_state *ret_state,
	char **ret_reason)
{
	const struct desired_vm *vm = &cycle->desired.vms[index];
	char *reason = NULL;
	int r = 0;

	if (vm->reason) {
		*ret_state = STATE_DEGRADED;
		reason = strdup(vm->reason);
		r = reason ? 0 : -ENOMEM;
	} else if (vm->kind == DESIRED_OBSERVED) {
		*ret_state = STATE_OBSERVED;
	} else if (!is_placed(cycle, index)) {
		*ret_state = STATE_PENDING;
		reason = strdup("it has not been placed yet");
		r = reason ? 0 : -ENOMEM;
	} else {
		r = health_check(vm, &cycle->actual.tree, &reason);
		*ret_state = reason ? STATE_DEGRADED : STATE_PLACED;
	}
	*ret_reason = r ? NULL : reason;
	return r;
}
