// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/kernel_threads.h"
#include "user/host/qemu.h"
#include "user/store/config.h"
#include "user/store/found.h"

void cycle_deinit(struct cycle *cycle)
{
	desired_deinit(&cycle->desired);
	actual_deinit(&cycle->actual);
	observer_close(cycle->observer);
	vms_deinit(&cycle->vms);
	config_deinit(&cycle->config);
	hierarchy_close(&cycle->hierarchy);
}

static bool wants_placement(const struct config *config)
{
	if (config->defaults.kind == POLICY_DEDICATED)
		return true;
	for (size_t i = 0; i < config->n_vms; i++)
		if (config->vms[i].policy.kind == POLICY_DEDICATED)
			return true;
	return false;
}

static int read_actual_vm(const struct cycle *cycle, const struct desired_vm *vm,
	const struct cpuset *kernel_cpus, struct actual_vm *actual)
{
	struct found_vm found;
	int r;

	if (!found_vm_read(cycle->folders.run, vm->vm->name, &found, NULL)) {
		actual->has_record = found.pid == vm->vm->pid &&
				     found.start_time == vm->vm->start_time;
		found_vm_deinit(&found);
	}
	actual->has_strays =
		vm->n_groups && cpuset_intersects(kernel_cpus, &vm->groups[0].cpus);
	if (!cycle->observer)
		return 0;
	r = observer_get_vm(cycle->observer, vm->vm->pid, vm->vm->start_time,
		&actual->rules, &actual->settling);
	actual->rules_known = !r;
	return r == -ENOENT ? 0 : r;
}

static int read_actual(struct cycle *cycle, struct problem *problem)
{
	struct actual *actual = &cycle->actual;
	struct cpuset kernel_cpus;
	struct found_host host;
	int r;

	r = kernel_threads_cpus(&kernel_cpus);
	if (!found_host_read(cycle->folders.run, &host, NULL)) {
		actual->has_host_record = true;
		found_host_deinit(&host);
	}
	actual->n_vms = cycle->desired.n_vms;
	actual->vms = calloc(actual->n_vms ? actual->n_vms : 1, sizeof(*actual->vms));
	if (!actual->vms)
		return problem_nomem(problem);
	for (size_t i = 0; !r && i < actual->n_vms; i++)
		r = read_actual_vm(
			cycle, &cycle->desired.vms[i], &kernel_cpus, &actual->vms[i]);
	return r ? problem_set(
			   problem, r, "cannot read what is in force: %s", strerror(-r))
		 : 0;
}

static int read_rest(struct cycle *cycle, struct problem *problem)
{
	struct desired_input input = {
		.config = &cycle->config,
		.vms = &cycle->vms,
		.tree = &cycle->actual.tree,
		.online = cycle->cpus.online,
		.first_cores = cycle->cpus.first_cores,
	};
	int r;

	r = qemu_discover(&cycle->vms, problem);
	if (!r && cycle->hierarchy.root >= 0)
		r = tree_read(&cycle->hierarchy, &cycle->actual.tree, problem);
	if (!r && desired_compute(&input, &cycle->desired))
		r = problem_nomem(problem);
	return r ? r : read_actual(cycle, problem);
}

int cycle_refresh(struct cycle *cycle, struct problem *problem)
{
	desired_deinit(&cycle->desired);
	actual_deinit(&cycle->actual);
	vms_deinit(&cycle->vms);
	return read_rest(cycle, problem);
}

int cycle_read(
	const struct folders *folders, struct cycle *ret_cycle, struct problem *problem)
{
	struct cycle cycle = {.folders = *folders, .hierarchy.root = -1};
	int r;

	r = host_cpus_read(&cycle.cpus, problem);
	if (r)
		return r;
	if (folders->etc)
		r = config_read(folders->etc, folders->run, &cycle.cpus.present,
			&cycle.config, problem);
	else
		config_init(&cycle.config);
	if (r)
		return r;
	r = hierarchy_open(&cycle.hierarchy, &cycle.hierarchy_problem);
	if (r && wants_placement(&cycle.config)) {
		config_deinit(&cycle.config);
		return problem_set(problem, r, "%s", cycle.hierarchy_problem.text);
	}
	r = observer_open(OBSERVER_DIR, &cycle.observer, &cycle.observer_problem);
	/* Anything else is no reason to believe that there is none, and to start another.
	 */
	if (r == -ENOENT || r == -ESTALE)
		r = 0;
	if (r)
		problem_set(problem, r, "%s", cycle.observer_problem.text);
	else
		r = read_rest(&cycle, problem);
	if (r) {
		cycle_deinit(&cycle);
		return r;
	}
	*ret_cycle = cycle;
	return 0;
}

static int add_unit(struct plan *plan, struct tree *tree, struct unit *unit)
{
	struct unit *slot;

	if (diff_assume(tree, unit))
		goto nomem;
	if (!unit->n_steps) {
		unit_deinit(unit);
		return 0;
	}
	slot = array_push(&plan->units, &plan->n_units);
	if (!slot)
		goto nomem;
	*slot = *unit;
	return 0;
nomem:
	unit_deinit(unit);
	return -ENOMEM;
}

static int plan_leftovers(const struct cycle *cycle, struct tree *tree, struct plan *plan)
{
	struct leftover *items = NULL;
	size_t n = 0;
	int r;

	r = cycle_leftovers(cycle, false, &items, &n);
	for (size_t i = 0; !r && i < n; i++) {
		struct unit unit;

		r = diff_release(
			&items[i].vm, items[i].group, items[i].alive, tree, &unit);
		if (!r)
			r = add_unit(plan, tree, &unit);
	}
	if (items)
		leftovers_free(items, n);
	return r;
}

static bool places_any(const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->desired.n_vms; i++)
		if (cycle->desired.vms[i].kind == DESIRED_PLACED)
			return true;
	return false;
}

/* The host is given back when the last VM's group goes and none is to come. */
static int plan_host(const struct cycle *cycle, struct tree *tree, struct plan *plan)
{
	struct found_host host;
	struct unit unit;
	bool known;
	int r;

	if (places_any(cycle) || cycle->hierarchy.root < 0)
		return 0;
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i].path, SLICE))
			return 0;
	known = !found_host_read(cycle->folders.run, &host, NULL);
	r = diff_release_host(known ? &host : NULL, tree, &unit);
	if (known)
		found_host_deinit(&host);
	return r ? r : add_unit(plan, tree, &unit);
}

static int plan_all(const struct cycle *cycle, struct tree *tree, struct plan *plan)
{
	bool host_record = cycle->actual.has_host_record;
	struct unit unit = {};
	int r;

	if (!cycle->observer && !unit_add(&unit, STEP_START_OBSERVER, NULL, NULL))
		return -ENOMEM;
	r = add_unit(plan, tree, &unit);
	if (!r)
		r = plan_leftovers(cycle, tree, plan);
	for (size_t i = 0; !r && i < cycle->desired.n_vms; i++) {
		r = diff_vm(&cycle->desired.vms[i], &cycle->actual.vms[i], tree,
			host_record, &unit);
		host_record |=
			!r && unit.n_steps && unit.steps[0].kind == STEP_RECORD_HOST;
		if (!r)
			r = add_unit(plan, tree, &unit);
	}
	return r ? r : plan_host(cycle, tree, plan);
}

int cycle_plan(const struct cycle *cycle, struct plan *ret_plan, struct problem *problem)
{
	struct plan plan = {};
	struct tree tree = {};
	int r = 0;

	/* A second reading rather than a copy: the plan simulates on a tree of its own.
	 */
	if (cycle->hierarchy.root >= 0)
		r = tree_read(&cycle->hierarchy, &tree, problem);
	if (r)
		return r;
	r = plan_all(cycle, &tree, &plan);
	if (r) {
		plan_deinit(&plan);
		problem_set(problem, r, "cannot read what is left of VMs in %s/found: %s",
			cycle->folders.run, strerror(-r));
	}
	tree_deinit(&tree);
	if (!r)
		*ret_plan = plan;
	return r;
}
