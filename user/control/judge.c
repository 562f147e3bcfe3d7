// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/judge.h"

#include <string.h>

#include "user/base/cleanup.h"
#include "user/store/lock.h"

struct hearing {
	const char *vm_name;
	const struct report *report;
};

/* What is wrong with others is for those who look after them. */
static void tell_own(const char *vm, const char *why, void *data)
{
	const struct hearing *hearing = data;

	if (!strcmp(vm, hearing->vm_name))
		hearing->report->failed(vm, why, hearing->report->data);
}

static enum judgement look(
	const struct cycle *cycle, const char *vm_name, const struct report *report)
{
	const struct desired_vm *vm = desired_find(&cycle->desired, vm_name);
	cleanup_free char *reason = NULL;
	enum vm_state state;

	if (!vm || (vm->kind == DESIRED_OBSERVED && !vm->reason))
		return JUDGE_GONE;
	if (vm_born(vm->vm) < vm->vm->n_threads)
		return JUDGE_UNBORN;
	if (cycle_vm_state(cycle, (size_t)(vm - cycle->desired.vms), &state, &reason))
		return JUDGE_LATER;
	if (state == STATE_PLACED)
		return JUDGE_PLACED;
	report->failed(vm_name, reason ? reason : vm_state_name(state), report->data);
	return JUDGE_FAILED;
}

enum judgement judge(
	const struct folders *folders, const char *vm_name, const struct report *report)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	cleanup_close int lock = -1;
	struct hearing hearing = {vm_name, report};
	const struct report own = {.failed = tell_own, .data = &hearing};
	struct problem problem = {};
	int r;

	r = lock_take(folders->run, LAUNCH_LOCK_SECONDS, &lock, &problem);
	if (!r)
		r = cycle_read(folders, &cycle, &problem);
	if (!r)
		r = control_apply_one(&cycle, vm_name, &own, &problem);
	if (r < 0) {
		report->failed(vm_name, problem.text, report->data);
		return JUDGE_LATER;
	}
	return r ? JUDGE_FAILED : look(&cycle, vm_name, report);
}
