// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/execute.h"
#include "user/control/guard.h"
#include "user/control/walk.h"
#include "user/host/proc.h"
#include "user/model/layout.h"
#include "user/store/history.h"

enum { PASSES = 4 };

struct failure {
	char vm[VM_NAME_SIZE]; /* what is not as it should be; "": the host */
	bool shared;	       /* by a unit of the host's: those are tried in each pass */
	struct problem why;
};

struct work {
	struct cycle *cycle;
	const struct report *report;
	struct failure *failed; /* VMs that are left alone from here on */
	size_t n_failed;
	bool changed;	 /* in this pass */
	bool stale;	 /* in this pass: a VM's change may be seen in others' groups */
	pid_t *released; /* in this pass: what is known of these VMs is from before */
	size_t n_released;
	const char *only; /* see struct walk */
};

static bool was_released(const struct work *work, pid_t pid)
{
	for (size_t i = 0; i < work->n_released; i++)
		if (work->released[i] == pid)
			return true;
	return false;
}

static int note_release(struct work *work, pid_t pid)
{
	pid_t *slot = array_push(&work->released, &work->n_released);

	if (slot)
		*slot = pid;
	return slot ? 0 : -ENOMEM;
}

static void forget_releases(struct work *work)
{
	free(work->released);
	work->released = NULL;
	work->n_released = 0;
}

static bool is_noted(const struct work *work, const char *vm, bool shared)
{
	for (size_t i = 0; i < work->n_failed; i++)
		if (!strcmp(work->failed[i].vm, vm) && work->failed[i].shared == shared)
			return true;
	return false;
}

static bool has_failed(const struct work *work, const char *vm)
{
	return is_noted(work, vm, false);
}

static int note(struct work *work, const char *vm, bool shared, const char *why)
{
	struct failure *slot;

	if (is_noted(work, vm, shared))
		return 0;
	slot = array_push(&work->failed, &work->n_failed);
	if (!slot)
		return -ENOMEM;
	snprintf(slot->vm, sizeof(slot->vm), "%s", vm);
	slot->shared = shared;
	problem_set(&slot->why, 0, "%s", why);
	return 0;
}

static int note_failure(struct work *work, const char *vm, const char *why)
{
	return note(work, vm, false, why);
}

static bool is_meant(const struct work *work, const char *vm)
{
	return !work->only || !strcmp(work->only, vm);
}

/* Is it a unit of the host's that the one VM cannot be placed without: the observer's,
 * or its class's? */
static bool is_needed(const struct work *work, const struct unit *unit)
{
	const struct desired_vm *vm =
		work->only ? desired_find(&work->cycle->desired, work->only) : NULL;

	for (size_t i = 0; vm && i < unit->n_steps; i++) {
		const struct step *step = &unit->steps[i];

		if (step->kind == STEP_START_OBSERVER)
			return true;
		if (step->path && vm->n_groups && is_class_group(step->path) &&
			path_is_below(vm->groups[0].path, step->path))
			return true;
	}
	return false;
}

static int note_unit(struct work *work, const struct unit *unit, const char *why)
{
	bool shared = !*unit->vm;

	return note(work, shared && is_needed(work, unit) ? work->only : unit->vm, shared,
		why);
}

/* CPUs that were taken back may be what a VM lacked: it may try again. */
static void forgive(struct work *work)
{
	free(work->failed);
	work->failed = NULL;
	work->n_failed = 0;
}

static int tell_failures(struct work *work)
{
	int n = 0;

	for (size_t i = 0; i < work->n_failed; i++) {
		const struct failure *failure = &work->failed[i];

		work->report->failed(failure->vm, failure->why.text, work->report->data);
		n += is_meant(work, failure->vm);
	}
	forgive(work);
	return n;
}

static bool takes_back(const struct unit *unit)
{
	for (size_t i = 0; i < unit->n_steps; i++)
		if (unit->steps[i].kind == STEP_RECLAIM)
			return true;
	return false;
}

static bool has_ended(const struct unit *unit)
{
	uint64_t start_time;
	int r = proc_start_time(unit->pid, unit->pid, &start_time);

	return r == -ESRCH || (!r && start_time != unit->start_time);
}

/*
 * What a unit has changed is read again for whoever comes next. Of a VM's that is its own
 * groups: each VM's are read again when its turn comes (look_at_vm()), so that a host
 * full of VMs is not read as often as it has some.
 */
static int read_again(
	struct work *work, const struct desired_vm *vm, struct problem *problem)
{
	struct cycle *cycle = work->cycle;

	/* Of one that is only watched, rules. */
	if (vm && !vm->n_groups)
		return 0;
	if (vm) {
		work->stale = true;
		return cycle_read_groups(cycle, vm->groups[0].path, problem);
	}
	work->stale = false;
	tree_deinit(&cycle->actual.tree);
	return cycle_read_tree(cycle, &cycle->actual.tree, problem);
}

static int look_at_vm(const struct desired_vm *vm, void *data, struct problem *problem)
{
	struct work *work = data;

	return work->stale && vm->n_groups
		       ? cycle_read_groups(work->cycle, vm->groups[0].path, problem)
		       : 0;
}

/* Of a VM that has ended meanwhile nothing is wrong; nor when its groups go while they
 * are given back: then the next pass has what is left. */
static bool is_excused(const struct unit *unit, const struct desired_vm *vm, int r)
{
	return (vm || r == -ENOENT || r == -ENODEV) && has_ended(unit);
}

static int take_unit(struct unit *unit, const struct desired_vm *vm, void *data,
	struct problem *problem)
{
	struct work *work = data;
	struct cycle *cycle = work->cycle;
	struct execution execution = {.cycle = cycle,
		.done = work->report->done,
		.ended = work->report->ended,
		.data = work->report->data};
	struct problem why = {};
	int r = 0, failed = 1;

	/* It is placed in the next pass, from what it is like then. */
	if (vm && was_released(work, unit->pid)) {
		work->changed = true;
		unit_deinit(unit);
		return 1;
	}
	if (!vm && *unit->vm && note_release(work, unit->pid)) {
		unit_deinit(unit);
		return problem_nomem(problem);
	}
	/* The host's units do not depend on one another. */
	if (!*unit->vm || !has_failed(work, unit->vm)) {
		work->changed = true;
		failed = unit_execute(&execution, unit, vm, &why);
		if (failed && !is_excused(unit, vm, failed) &&
			note_unit(work, unit, why.text))
			r = problem_nomem(problem);
		if (!r)
			r = read_again(work, vm, problem);
		if (!failed && takes_back(unit))
			forgive(work);
	}
	unit_deinit(unit);
	return r ? r : failed != 0;
}

static struct walk walk_of(struct work *work)
{
	return (struct walk){.cycle = work->cycle,
		.tree = &work->cycle->actual.tree,
		.take = take_unit,
		.look = look_at_vm,
		.data = work,
		.only = work->only};
}

/* Those that cannot have what they want, now that all others have changed what they
 * could. One that is being started will be told of when it wants something. */
static int note_kept(struct work *work, struct problem *problem)
{
	const struct desired *desired = &work->cycle->desired;

	for (size_t i = 0; i < desired->n_vms; i++)
		if (desired->vms[i].reason && !desired->vms[i].vm->starting &&
			is_meant(work, desired->vms[i].vm->name) &&
			note_failure(
				work, desired->vms[i].vm->name, desired->vms[i].reason))
			return problem_nomem(problem);
	return 0;
}

/* A guard that is wanted and cannot be had. */
static int note_unguarded(struct work *work, struct problem *problem)
{
	const struct desired *desired = &work->cycle->desired;
	struct problem why;

	if (!work->cycle->observer || !observer_lacks_guard(work->cycle->observer, &why))
		return 0;
	for (size_t i = 0; i < desired->n_vms; i++)
		if (desired->vms[i].rules.guard != GUARD_OFF &&
			is_meant(work, desired->vms[i].vm->name) &&
			note_failure(work, desired->vms[i].vm->name, why.text))
			return problem_nomem(problem);
	return 0;
}

/* After the last pass something was still to be done: it does not hold. */
static int note_unrest(struct work *work, struct problem *problem)
{
	struct plan plan;
	int r;

	r = cycle_refresh(work->cycle, problem);
	if (!r)
		r = cycle_plan(work->cycle, &plan, problem);
	if (r)
		return r;
	for (size_t i = 0; !r && i < plan.n_units; i++) {
		cleanup_free char *step = NULL;
		struct problem why;

		/* Not where it is known why. */
		if (!is_meant(work, plan.units[i].vm) ||
			is_noted(work, plan.units[i].vm, true))
			continue;
		step = step_describe(&plan.units[i].steps[0], &plan.units[i]);
		problem_set(&why, 0,
			"it does not stay as it was set; the next step would be: %s",
			step ? step : "?");
		r = note_failure(work, plan.units[i].vm, why.text);
	}
	plan_deinit(&plan);
	return r ? problem_nomem(problem) : 0;
}

int control_apply_one(struct cycle *cycle, const char *vm_name,
	const struct report *report, struct problem *problem)
{
	struct work work = {
		.cycle = cycle, .report = report, .changed = true, .only = vm_name};
	const struct walk walk = walk_of(&work);
	/* To rebalance, a VM may have to wait for each of the others to go. */
	size_t passes = PASSES + (cycle->asking.rebalance ? cycle->vms.n_items : 0);
	int r = 0, n;

	guard_prepare(cycle);
	for (size_t pass = 0; !r && work.changed && pass < passes; pass++) {
		if (pass)
			r = cycle_refresh(cycle, problem);
		work.changed = false;
		work.stale = false;
		forget_releases(&work);
		if (!r)
			r = walk_apply(&walk, problem);
	}
	if (!r && work.changed)
		r = note_unrest(&work, problem);
	if (!r)
		r = note_kept(&work, problem);
	if (!r)
		r = note_unguarded(&work, problem);
	n = tell_failures(&work);
	forget_releases(&work);
	return r ? r : n;
}

int control_apply(
	struct cycle *cycle, const struct report *report, struct problem *problem)
{
	return control_apply_one(cycle, NULL, report, problem);
}

int control_release(struct cycle *cycle, const char *vm_name, const struct report *report,
	struct problem *problem)
{
	struct work work = {.cycle = cycle, .report = report};
	const struct walk walk = walk_of(&work);
	int r, n;

	r = walk_release(&walk, vm_name, problem);
	if (!r && vm_name)
		r = problem_set(
			problem, -ESRCH, "nothing of a VM named %s is held", vm_name);
	n = tell_failures(&work);
	forget_releases(&work);
	if (r >= 0 && !vm_name && !cycle->observer)
		history_drop(cycle->folders.run);
	return r < 0 ? r : n;
}
