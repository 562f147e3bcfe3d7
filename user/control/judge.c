// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/judge.h"

#include "user/base/cleanup.h"
#include "user/store/lock.h"

static enum judgement look(
	const struct cycle *cycle, const char *vm_name, const struct report *report)
{
	const struct desired_vm *vm = desired_find(&cycle->desired, vm_name);
	cleanup_free char *reason = NULL;
	enum vm_state state;

	if (!vm)
		return JUDGE_GONE;
	if (vm_born(vm->vm) < vm->vm->n_threads)
		return JUDGE_UNBORN;
	if (cycle_vm_state(cycle, (size_t)(vm - cycle->desired.vms), &state, &reason))
		return JUDGE_FAILED;
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
	struct problem problem = {};
	int r;

	r = lock_take(folders->run, LAUNCH_LOCK_SECONDS, &lock, &problem);
	if (!r)
		r = cycle_read(folders, &cycle, &problem);
	if (!r)
		r = control_apply_one(&cycle, vm_name, report, &problem);
	if (r < 0)
		report->failed(vm_name, problem.text, report->data);
	return r ? JUDGE_FAILED : look(&cycle, vm_name, report);
}
