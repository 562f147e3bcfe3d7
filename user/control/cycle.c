// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/walk.h"
#include "user/host/kernel_threads.h"
#include "user/host/proc.h"
#include "user/host/qemu.h"
#include "user/model/holders.h"
#include "user/store/config.h"
#include "user/store/found.h"
#include "user/store/released.h"

/* The fallback is its owner's. */
static void deinit_config(struct cycle *cycle)
{
	if (*cycle->config_problem.text)
		free(cycle->config.released);
	else
		config_deinit(&cycle->config);
}

void cycle_deinit(struct cycle *cycle)
{
	desired_deinit(&cycle->desired);
	actual_deinit(&cycle->actual);
	observer_close(cycle->observer);
	vms_deinit(&cycle->vms);
	deinit_config(cycle);
	hierarchy_close(&cycle->hierarchy);
}

static bool places(const struct policy *policy)
{
	return policy->kind == POLICY_DEDICATED || policy->kind == POLICY_SHARED;
}

bool process_alive(const struct process_id *process)
{
	cleanup_close int procfd = -1;
	struct proc_stat stat;
	int r = proc_open(process->pid, &procfd);

	if (!r)
		r = proc_read_stat_at(procfd, &stat);
	/* Whatever else goes wrong is no proof of an end. */
	if (r)
		return r != -ESRCH;
	return stat.start_time == process->start_time && stat.state != 'Z' &&
	       stat.state != 'X';
}

static bool wants_placement(const struct config *config)
{
	bool wants = places(&config->defaults);

	for (size_t i = 0; i < config->n_patterns; i++)
		wants |= places(&config->patterns[i].policy);
	for (size_t i = 0; i < config->n_vms; i++)
		wants |= places(&config->vms[i].policy);
	return wants;
}

int cycle_read_in_force(struct cycle *cycle, size_t index)
{
	const struct desired_vm *vm = &cycle->desired.vms[index];
	const struct actual *all = &cycle->actual;
	struct actual_vm *actual = &cycle->actual.vms[index];
	const struct found_vm *record =
		found_vm_find(all->records, all->n_records, vm->vm->name);
	int r;

	actual->record = record;
	actual->has_record =
		record && found_vm_is_of(record, vm->vm->pid, vm->vm->start_time);
	actual->has_strays = cpuset_intersects(&all->kernel_cpus, &vm->reserved);
	rule_vm_deinit(&actual->rules);
	actual->rules_known = false;
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
	int r;

	r = kernel_threads_cpus(&actual->kernel_cpus);
	if (!r)
		r = found_host_exists(cycle->folders.run);
	actual->has_host_record = r > 0;
	r = r > 0 ? 0 : r;
	actual->n_vms = cycle->desired.n_vms;
	actual->vms = calloc(actual->n_vms ? actual->n_vms : 1, sizeof(*actual->vms));
	if (!actual->vms)
		return problem_nomem(problem);
	for (size_t i = 0; !r && i < actual->n_vms; i++)
		r = cycle_read_in_force(cycle, i);
	return r ? problem_set(
			   problem, r, "cannot read what is in force: %s", strerror(-r))
		 : 0;
}

/* One that is no record is told by who needs it. */
static int read_record(const char *name, void *data)
{
	struct cycle *cycle = data;
	struct actual *actual = &cycle->actual;
	struct found_vm record, *slot;
	int r = found_vm_read(cycle->folders.run, name, &record, NULL);

	if (r)
		return found_is_none(r) ? 0 : r;
	slot = array_push(&actual->records, &actual->n_records);
	if (slot)
		*slot = record;
	else
		found_vm_deinit(&record);
	return slot ? 0 : -ENOMEM;
}

struct tops {
	char **paths;
	size_t n;
};

static void tops_deinit(struct tops *tops)
{
	for (size_t i = 0; i < tops->n; i++)
		free(tops->paths[i]);
	free(tops->paths);
}

static int add_top(struct tops *tops, const char *path)
{
	char *copy = strdup(path), **slot = NULL;

	if (copy)
		slot = array_push(&tops->paths, &tops->n);
	if (!slot) {
		free(copy);
		return -ENOMEM;
	}
	*slot = copy;
	return 0;
}

/* libvirt's groups that matter: of VMs that are to be placed, and of those that were. */
static int find_tops(const struct cycle *cycle, struct tops *tops)
{
	int r = 0;

	for (size_t i = 0; !r && i < cycle->vms.n_items; i++) {
		const struct vm *vm = &cycle->vms.items[i];
		cleanup_free char *top = NULL;
		struct policy policy;

		config_policy(&cycle->config, vm->name, &policy);
		if (!vm->libvirt || policy.kind != POLICY_DEDICATED ||
			layout_top(vm, &top))
			continue;
		r = add_top(tops, top);
	}
	for (size_t i = 0; !r && i < cycle->actual.n_records; i++) {
		const char *top = found_vm_top(&cycle->actual.records[i]);

		if (top)
			r = add_top(tops, top);
	}
	return r;
}

int cycle_read_tree(
	const struct cycle *cycle, struct tree *ret_tree, struct problem *problem)
{
	CLEANUP(tops_deinit) struct tops tops = {};
	int r;

	if (cycle->hierarchy.root < 0)
		return 0;
	if (find_tops(cycle, &tops))
		return problem_nomem(problem);
	r = tree_read(&cycle->hierarchy, tops.paths, tops.n, ret_tree, problem);
	if (!r && holders_count(ret_tree)) {
		tree_deinit(ret_tree);
		r = problem_nomem(problem);
	}
	return r;
}

/* A group with what is below it, and those above it. -ENOMEM. */
static int count_holders(struct tree *tree, const char *top,
	void (*count)(struct tree *tree, const struct group *group))
{
	struct group_range below = tree_below(tree, top);
	cleanup_free char *path = strdup(top);
	const struct group *group;

	if (!path)
		return -ENOMEM;
	for (size_t i = below.first; i < below.end; i++)
		count(tree, tree->groups[i]);
	do {
		group = tree_find(tree, path);
		if (group)
			count(tree, group);
	} while (path_to_parent(path));
	return 0;
}

int cycle_read_groups(struct cycle *cycle, const char *top, struct problem *problem)
{
	struct tree *tree = &cycle->actual.tree;
	int r;

	if (count_holders(tree, top, holders_take_out))
		return problem_nomem(problem);
	r = tree_read_again(&cycle->hierarchy, top, tree, problem);
	if (!r && count_holders(tree, top, holders_put_back))
		r = problem_nomem(problem);
	return r;
}

int cycle_desire(const struct cycle *cycle, const struct config *config,
	struct desired *ret_desired)
{
	const struct desired_input input = {
		.config = config,
		.vms = &cycle->vms,
		.tree = &cycle->actual.tree,
		.records = cycle->actual.records,
		.n_records = cycle->actual.n_records,
		.topology = &cycle->topology,
		.explain = cycle->asking.explain,
		.rebalance = cycle->asking.rebalance,
	};

	return desired_compute(&input, ret_desired);
}

static int read_rest(struct cycle *cycle, struct problem *problem)
{
	int r;

	r = qemu_discover(
		cycle->asking.expected, cycle->asking.silent, &cycle->vms, problem);
	if (r)
		return r;
	r = found_vm_for_each(cycle->folders.run, read_record, cycle);
	if (r)
		return problem_set(problem, r, "cannot read the records in %s/found: %s",
			cycle->folders.run, strerror(-r));
	found_vms_sort(cycle->actual.records, cycle->actual.n_records);
	r = cycle_read_tree(cycle, &cycle->actual.tree, problem);
	cycle->open = cycle->actual.tree.root_effective;
	if (!r && cycle_desire(cycle, &cycle->config, &cycle->desired))
		r = problem_nomem(problem);
	return r ? r : read_actual(cycle, problem);
}

void cycle_slim(struct cycle *cycle)
{
	struct actual *actual = &cycle->actual;

	for (size_t i = 0; i < actual->n_vms; i++)
		cycle_slim_vm(cycle, i);
	for (size_t i = 0; i < actual->n_records; i++)
		found_vm_drop_threads(&actual->records[i]);
	cycle_close_observer(cycle);
}

void cycle_slim_vm(struct cycle *cycle, size_t index)
{
	struct actual_vm *vm = &cycle->actual.vms[index];

	rule_vm_deinit(&vm->rules);
	vm->rules_known = false;
}

int cycle_open_observer(struct cycle *cycle)
{
	return cycle->observer ? 0
			       : observer_open(OBSERVER_DIR, &cycle->observer,
					 &cycle->observer_problem);
}

void cycle_close_observer(struct cycle *cycle)
{
	observer_close(cycle->observer);
	cycle->observer = NULL;
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
	const struct asking nothing = {};

	return cycle_read_asking(folders, &nothing, ret_cycle, problem);
}

static int read_config(struct cycle *cycle, struct problem *problem)
{
	const struct config_source source = {.etc_dir = cycle->folders.etc,
		.run_dir = cycle->folders.run,
		.alive = process_alive};
	int r = 0;

	if (cycle->folders.etc)
		r = config_read(
			&source, &cycle->topology.present, &cycle->config, problem);
	else
		config_init(&cycle->config);
	if (r && cycle->asking.fallback) {
		cycle->config = *cycle->asking.fallback;
		cycle->config.released = NULL;
		cycle->config.n_released = 0;
		cycle->config_problem = *problem;
		r = 0;
	}
	if (!r && cycle->asking.heed_released)
		r = released_read(
			cycle->folders.run, process_alive, &cycle->config, problem);
	return r;
}

static int read_all(struct cycle *cycle, struct problem *problem)
{
	int r;

	r = topology_read(&cycle->topology, problem);
	if (r)
		return r;
	cpuset_look_below((unsigned int)cpuset_last(&cycle->topology.possible) + 1);
	r = read_config(cycle, problem);
	if (r)
		return r;
	r = hierarchy_open(&cycle->hierarchy, &cycle->hierarchy_problem);
	if (r && (r != -EOPNOTSUPP || wants_placement(&cycle->config)))
		return problem_set(problem, r, "%s", cycle->hierarchy_problem.text);
	r = observer_open(OBSERVER_DIR, &cycle->observer, &cycle->observer_problem);
	/* Anything else is no reason to believe that there is none, and to start another.
	 */
	if (r && r != -ENOENT && r != -ESTALE)
		return problem_set(problem, r, "%s", cycle->observer_problem.text);
	return read_rest(cycle, problem);
}

/* What is desired points into the cycle: it is made where it stays. */
int cycle_read_asking(const struct folders *folders, const struct asking *asking,
	struct cycle *ret_cycle, struct problem *problem)
{
	int r;

	*ret_cycle = (struct cycle){
		.folders = *folders, .asking = *asking, .hierarchy.root = -1};
	r = read_all(ret_cycle, problem);
	if (r) {
		cycle_deinit(ret_cycle);
		*ret_cycle = (struct cycle){.hierarchy.root = -1};
	}
	return r;
}

struct planning {
	struct plan *plan;
	struct tree *tree; /* as it will be */
};

static int plan_unit(struct unit *unit, const struct desired_vm *vm, void *data,
	struct problem *problem)
{
	struct planning *planning = data;
	struct unit *slot;

	(void)vm;
	slot = array_push(&planning->plan->units, &planning->plan->n_units);
	if (slot)
		*slot = *unit;
	else
		unit_deinit(unit);
	if (!slot || diff_assume(planning->tree, slot))
		return problem_nomem(problem);
	return 0;
}

int cycle_plan(const struct cycle *cycle, struct plan *ret_plan, struct problem *problem)
{
	struct plan plan = {};
	struct tree tree = {};
	struct planning planning = {.plan = &plan, .tree = &tree};
	const struct walk walk = {
		.cycle = cycle, .tree = &tree, .take = plan_unit, .data = &planning};
	int r;

	/* A second reading rather than a copy: the plan simulates on a tree of its own.
	 */
	r = cycle_read_tree(cycle, &tree, problem);
	if (!r)
		r = walk_apply(&walk, problem);
	if (r)
		plan_deinit(&plan);
	else
		*ret_plan = plan;
	tree_deinit(&tree);
	return r;
}

struct observer_wish cycle_observer_wish(const struct cycle *cycle)
{
	struct observer_wish wish = {.guard = config_wants_guard(&cycle->config)};

	cpuset_for_each (cpu, &cycle->topology.possible)
		wish.cpus = (unsigned int)cpu + 1;
	wish.interrupts = cycle->config.measure_interrupts;
	wish.drift = !cycle->config.drift_off || wish.guard;
	return wish;
}
