// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/execute.h"
#include "user/store/found.h"

enum { PASSES = 4 };

struct work {
	struct cycle *cycle;
	const struct report *report;
	char (*failed)[VM_NAME_SIZE]; /* VMs that are left alone from here on */
	size_t n_failed;
	bool changed; /* in this pass */
};

static bool has_failed(const struct work *work, const char *vm)
{
	for (size_t i = 0; i < work->n_failed; i++)
		if (!strcmp(work->failed[i], vm))
			return true;
	return false;
}

static int note_failure(struct work *work, const char *vm, const char *why)
{
	char(*slot)[VM_NAME_SIZE];

	if (has_failed(work, vm))
		return 0;
	slot = array_push(&work->failed, &work->n_failed);
	if (!slot)
		return -ENOMEM;
	snprintf(*slot, sizeof(*slot), "%s", vm);
	work->report->failed(vm, why, work->report->data);
	return 0;
}

/* Carries out a unit and frees it. Groups are then read again for whoever comes next. */
static int run_unit(struct work *work, struct unit *unit, const struct desired_vm *vm,
	struct problem *problem)
{
	struct execution execution = {.cycle = work->cycle,
		.done = work->report->done,
		.data = work->report->data};
	struct problem why = {};
	int r = 0;

	if (unit->n_steps && !has_failed(work, unit->vm)) {
		work->changed = true;
		if (unit_execute(&execution, unit, vm, &why))
			r = note_failure(work, unit->vm, why.text);
		if (!r && work->cycle->hierarchy.root >= 0) {
			tree_deinit(&work->cycle->actual.tree);
			r = tree_read(&work->cycle->hierarchy, &work->cycle->actual.tree,
				problem);
		}
	}
	unit_deinit(unit);
	return r;
}

static int start_observer(struct work *work, struct problem *problem)
{
	struct unit unit = {};

	if (work->cycle->observer)
		return 0;
	if (!unit_add(&unit, STEP_START_OBSERVER, NULL, NULL))
		return problem_nomem(problem);
	return run_unit(work, &unit, NULL, problem);
}

/* Clears away what is left of VMs: of all that are not to be placed, or of one, or of
 * every one. */
static int clear(struct work *work, bool all, const char *only, size_t *ret_n,
	struct problem *problem)
{
	struct leftover *items;
	size_t n, cleared = 0;
	int r;

	r = cycle_leftovers(work->cycle, all, &items, &n);
	if (r)
		return problem_set(problem, r,
			"cannot read what is left of VMs in %s/found: %s",
			work->cycle->folders.run, strerror(-r));
	for (size_t i = 0, stop = 0; i < n && !stop; i++) {
		struct unit unit;

		if (only && strcmp(items[i].vm.vm, only))
			continue;
		cleared++;
		r = diff_release(&items[i].vm, items[i].group, items[i].alive,
			&work->cycle->actual.tree, &unit);
		if (!r)
			r = run_unit(work, &unit, NULL, problem);
		stop = r != 0;
	}
	leftovers_free(items, n);
	*ret_n = cleared;
	return r;
}

static int apply_vms(struct work *work, struct problem *problem)
{
	struct cycle *cycle = work->cycle;
	bool host_record = cycle->actual.has_host_record;
	int r = 0;

	for (size_t i = 0; !r && i < cycle->desired.n_vms; i++) {
		const struct desired_vm *vm = &cycle->desired.vms[i];
		struct unit unit;

		if (diff_vm(vm, &cycle->actual.vms[i], &cycle->actual.tree, host_record,
			    &unit))
			return problem_nomem(problem);
		r = run_unit(work, &unit, vm, problem);
		if (!host_record && vm->kind == DESIRED_PLACED) {
			struct found_host host;

			host_record = !found_host_read(cycle->folders.run, &host, NULL);
			if (host_record)
				found_host_deinit(&host);
		}
	}
	return r;
}

static int give_back_host(struct work *work, bool all, struct problem *problem)
{
	const struct cycle *cycle = work->cycle;
	struct found_host host;
	struct unit unit;
	bool known;
	int r;

	for (size_t i = 0; !all && i < cycle->desired.n_vms; i++)
		if (cycle->desired.vms[i].kind == DESIRED_PLACED)
			return 0;
	for (size_t i = 0; i < cycle->actual.tree.n_groups; i++)
		if (path_is_below(cycle->actual.tree.groups[i].path, SLICE))
			return 0;
	if (cycle->hierarchy.root < 0)
		return 0;
	known = !found_host_read(cycle->folders.run, &host, NULL);
	r = diff_release_host(known ? &host : NULL, &cycle->actual.tree, &unit);
	if (known)
		found_host_deinit(&host);
	return r ? problem_nomem(problem) : run_unit(work, &unit, NULL, problem);
}

static int apply_pass(struct work *work, struct problem *problem)
{
	size_t cleared;
	int r;

	work->changed = false;
	r = start_observer(work, problem);
	/* What cannot be proved is not placed. */
	if (!r && !work->cycle->observer)
		return 0;
	if (!r)
		r = clear(work, false, NULL, &cleared, problem);
	if (!r)
		r = apply_vms(work, problem);
	return r ? r : give_back_host(work, false, problem);
}

/* Those that cannot have what they want, now that all others have changed what they
 * could. */
static int note_kept(struct work *work, struct problem *problem)
{
	const struct desired *desired = &work->cycle->desired;

	for (size_t i = 0; i < desired->n_vms; i++)
		if (desired->vms[i].kind == DESIRED_KEPT &&
			note_failure(
				work, desired->vms[i].vm->name, desired->vms[i].reason))
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
		cleanup_free char *step =
			step_describe(&plan.units[i].steps[0], &plan.units[i]);
		struct problem why;

		problem_set(&why, 0,
			"it does not stay as it was set; the next step would be: %s",
			step ? step : "?");
		r = note_failure(work, plan.units[i].vm, why.text);
	}
	plan_deinit(&plan);
	return r ? problem_nomem(problem) : 0;
}

int control_apply(
	struct cycle *cycle, const struct report *report, struct problem *problem)
{
	struct work work = {.cycle = cycle, .report = report, .changed = true};
	int r = 0;

	for (int pass = 0; !r && work.changed && pass < PASSES; pass++) {
		if (pass)
			r = cycle_refresh(cycle, problem);
		if (!r)
			r = apply_pass(&work, problem);
	}
	if (!r && work.changed)
		r = note_unrest(&work, problem);
	if (!r)
		r = note_kept(&work, problem);
	free(work.failed);
	return r ? r : (int)work.n_failed;
}

static int stop_observer(struct work *work, struct problem *problem)
{
	struct unit unit = {};

	if (access(OBSERVER_DIR, F_OK))
		return 0;
	if (!unit_add(&unit, STEP_STOP_OBSERVER, NULL, NULL))
		return problem_nomem(problem);
	return run_unit(work, &unit, NULL, problem);
}

int control_release(struct cycle *cycle, const char *vm_name, const struct report *report,
	struct problem *problem)
{
	struct work work = {.cycle = cycle, .report = report};
	size_t cleared = 0;
	int r;

	r = clear(&work, true, vm_name, &cleared, problem);
	if (!r && vm_name && !cleared)
		r = problem_set(
			problem, -ESRCH, "nothing of a VM named %s is held", vm_name);
	if (!r && !work.n_failed)
		r = give_back_host(&work, true, problem);
	if (!r && !vm_name && !work.n_failed)
		r = stop_observer(&work, problem);
	free(work.failed);
	return r ? r : (int)work.n_failed;
}
