// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is desired for the VM follows from what was desired before, unless vCPUs or
 * iothreads came or went; its groups and those above are read again, those of others are
 * as they were. Steps that only put its threads right are taken. Groups are another
 * matter: what libvirt has set there is a wish, from which all else is to follow anew.
 */
#include "user/control/glance.h"

#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/control/execute.h"
#include "user/control/guard.h"
#include "user/control/walk.h"

enum { LOOKS = 3 };

static bool is_of_threads(enum step_kind kind)
{
	return kind == STEP_MOVE_THREAD || kind == STEP_MOVE_PROCESS ||
	       kind == STEP_SET_AFFINITY || kind == STEP_BEGIN_RULES ||
	       kind == STEP_COMMIT_RULES;
}

static bool has_place(const struct cycle *cycle, pid_t pid, size_t *ret_index)
{
	for (size_t i = 0; i < cycle->desired.n_vms; i++)
		if (cycle->desired.vms[i].vm->pid == pid) {
			*ret_index = i;
			return true;
		}
	return false;
}

/* The VM as it is now takes the place of what it was. */
static int read_vm(struct cycle *cycle, size_t index, struct problem *problem)
{
	struct desired_vm *vm = &cycle->desired.vms[index];
	struct vm *known = &cycle->vms.items[vm->vm - cycle->vms.items], now;
	int r = qemu_look_again(known, cycle->asking.silent, &now, problem);

	if (r == -ESRCH)
		return GLANCE_MORE;
	if (r)
		return r;
	r = now.problem ? 1 : desired_follow(vm, &now);
	if (r) {
		vm_deinit(&now);
		return r < 0 ? problem_nomem(problem) : GLANCE_MORE;
	}
	vm_deinit(known);
	*known = now;
	if (vm->n_groups)
		r = cycle_read_groups(cycle, vm->groups[0].path, problem);
	return r ? r : cycle_read_in_force(cycle, index);
}

/* GLANCE_NOTHING: no step was left to take. */
static int mend(const struct walk *walk, size_t index, const struct report *report,
	struct problem *problem)
{
	struct cycle *cycle = walk->data;
	const struct execution execution = {.cycle = cycle,
		.done = report->done,
		.ended = report->ended,
		.data = report->data};
	bool more = false;
	struct problem why;
	struct unit unit;
	int r = 0;

	if (walk_diff(walk, index, &unit))
		return problem_nomem(problem);
	for (size_t i = 0; i < unit.n_steps; i++)
		more |= !is_of_threads(unit.steps[i].kind);
	if (!unit.n_steps)
		r = GLANCE_NOTHING;
	/* Why it fails is told by the whole look, where it fails again. */
	else if (more ||
		 unit_execute(&execution, &unit, &cycle->desired.vms[index], &why))
		r = GLANCE_MORE;
	else
		r = GLANCE_MENDED;
	unit_deinit(&unit);
	return r;
}

int control_glance(struct cycle *cycle, pid_t pid, const struct report *report,
	struct problem *problem)
{
	const struct walk walk = {
		.cycle = cycle, .tree = &cycle->actual.tree, .data = cycle};
	struct observer_wish wish = cycle_observer_wish(cycle);
	int result = GLANCE_NOTHING, r = GLANCE_MENDED;
	size_t index;

	if (!has_place(cycle, pid, &index) || cycle->desired.vms[index].reason ||
		cycle->hierarchy.root < 0 || !cycle->observer ||
		!observer_is_current(cycle->observer, &wish))
		return GLANCE_MORE;
	guard_prepare(cycle);
	/* Until nothing is left to do, which is the proof that it holds. */
	for (int i = 0; i < LOOKS && r == GLANCE_MENDED; i++) {
		r = read_vm(cycle, index, problem);
		if (!r)
			r = mend(&walk, index, report, problem);
		if (r == GLANCE_MENDED)
			result = r;
	}
	cycle_slim_vm(cycle, index);
	if (r == GLANCE_NOTHING)
		return result;
	return r < 0 ? r : GLANCE_MORE;
}
