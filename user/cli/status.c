// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/status_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/coverage.h"
#include "user/model/cpulist.h"

static int view_read(
	const struct request *request, struct status_view *view, struct problem *problem)
{
	int r;

	r = cycle_read(&request->folders, &view->cycle, problem);
	if (r)
		return r;
	if (view->cycle.observer) {
		r = observer_read(view->cycle.observer, &view->counters);
		if (!r)
			r = cli_drift_read(&view->cycle, &view->drift);
		if (r)
			return problem_set(
				problem, r, "cannot read the observer: %s", strerror(-r));
		view->counted = true;
	}
	r = cycle_owners(&view->cycle, &view->owners, problem);
	if (r)
		return r;
	view->housekeeping = view->cycle.topology.online;
	cpuset_andnot(&view->housekeeping, &view->owners.reserved);
	if (request->n_args && !desired_find(&view->cycle.desired, request->args[0]))
		return problem_set(
			problem, -ESRCH, "there is no VM named %s", request->args[0]);
	return 0;
}

static void view_deinit(struct status_view *view)
{
	owners_deinit(&view->owners);
	cli_drift_deinit(&view->drift);
	counters_deinit(&view->counters);
	cycle_deinit(&view->cycle);
}

const char *status_observer_state(const struct status_view *view)
{
	const struct coverage_input input = {.counters = &view->counters,
		.online = &view->cycle.topology.online,
		.alive = true};
	struct problem reason;

	if (!view->counted)
		return "absent";
	return coverage_blind(&input, &reason) ? "blind" : "running";
}

struct status_standing status_standing_of(const struct cycle *cycle,
	const struct counters *counters, const struct desired_vm *vm, size_t index)
{
	const struct vm_thread *thread = &vm->vm->threads[index];
	const struct cpuset *online = &cycle->topology.online;
	const struct thread_tally *tally = counters_find_thread(counters, thread->tid);
	const struct group *group = tree_find(&cycle->actual.tree, thread->cgroup);
	struct status_standing standing = {
		.declared = *desired_thread_set(vm, index),
		.effective = thread->affinity,
	};

	/* Somebody who may run anywhere may run on what there is. */
	if (cpuset_subset(online, &standing.declared))
		standing.declared = *online;
	if (group && group->has_cpuset && !cpuset_empty(&group->effective))
		cpuset_and(&standing.effective, &group->effective);
	if (group)
		partition_state_format(&group->partition, standing.partition,
			sizeof(standing.partition));
	standing.tally = tally;
	if (tally)
		standing.off_set = tally->off_set;
	return standing;
}

static void print_host(const struct status_view *view)
{
	cleanup_free char *cpus = cpulist_format(&view->cycle.topology.online);
	cleanup_free char *reserved = cpulist_format(&view->owners.reserved);
	cleanup_free char *isolated = cpulist_format(&view->cycle.actual.tree.isolated);

	printf("Host CPUs %s, reserved %s, isolated %s\n", cpus,
		*reserved ? reserved : "none", *isolated ? isolated : "none");
	if (view->counted)
		printf("Observer %s: %" PRIu64 " switches examined in %" PRIu64
		       " s, %" PRIu64 " events lost\n",
			status_observer_state(view), view->counters.total.switches,
			(view->counters.now - view->counters.start) / 1000000000,
			view->counters.events_lost);
	else
		printf("Observer absent: %s\n", view->cycle.observer_problem.text);
}

enum column {
	THREAD,
	TID,
	COMM,
	DECLARED,
	EFFECTIVE,
	LAST,
	PARTITION,
	SWITCHES,
	WAITS,
	OFF_SET,
	COLUMNS
};

static void set_cpus_cell(
	struct libscols_line *line, enum column column, const struct cpuset *cpus)
{
	cleanup_free char *list = cpulist_format(cpus);

	scols_line_set_data(line, column, list);
}

/* `<33 us`: 99 of 100 waits on the run queue were shorter. */
static void set_waits_cell(struct libscols_line *line, const struct thread_tally *tally)
{
	uint64_t bound = tally ? wait_quantile(tally, 99) : 0;
	char text[32] = "<";

	if (bound)
		cli_duration(bound, text + 1, sizeof(text) - 1);
	else
		strcpy(text, tally && tally->switches ? "long" : "-");
	scols_line_set_data(line, WAITS, text);
}

static void add_row(struct libscols_table *table, const struct status_view *view,
	const struct desired_vm *vm, size_t index)
{
	const struct vm_thread *thread = &vm->vm->threads[index];
	struct status_standing standing =
		status_standing_of(&view->cycle, &view->counters, vm, index);
	struct libscols_line *line = scols_table_new_line(table, NULL);
	bool counted = thread->class == THREAD_VCPU || thread->class == THREAD_IOTHREAD;
	char text[32];

	if (!line)
		return;
	snprintf(text, sizeof(text), counted ? "%s%d" : "%s",
		thread_class_name(thread->class), thread->index);
	scols_line_set_data(line, THREAD, text);
	snprintf(text, sizeof(text), "%d", thread->tid);
	scols_line_set_data(line, TID, text);
	scols_line_set_data(line, COMM, thread->comm);
	set_cpus_cell(line, DECLARED, &standing.declared);
	set_cpus_cell(line, EFFECTIVE, &standing.effective);
	snprintf(text, sizeof(text), "%d", thread->last_cpu);
	scols_line_set_data(line, LAST, text);
	scols_line_set_data(
		line, PARTITION, *standing.partition ? standing.partition : "-");
	snprintf(text, sizeof(text), "%" PRIu64, thread->switches);
	scols_line_set_data(line, SWITCHES, text);
	set_waits_cell(line, standing.tally);
	snprintf(text, sizeof(text), "%" PRIu64, standing.off_set.count);
	scols_line_set_data(line, OFF_SET, text);
}

static int print_vm(const struct status_view *view, size_t index)
{
	static const char *const names[COLUMNS] = {"THREAD", "TID", "COMM", "DECLARED",
		"EFFECTIVE", "LAST", "PARTITION", "SWITCHES", "WAIT 99%", "OFF-SET"};
	const struct desired_vm *vm = &view->cycle.desired.vms[index];
	const struct vm_tally *tally =
		counters_find_vm(&view->counters, vm->vm->pid, vm->vm->start_time);
	cleanup_free char *reason = NULL;
	struct libscols_table *table;
	enum vm_state state;
	enum guard guard;
	int r;

	r = cycle_vm_state(&view->cycle, index, &state, &reason);
	if (r)
		return r;
	guard = cycle_vm_guard(&view->cycle, index);
	printf("\n%s: %s%s%s, pid %d, policy %s%s%s\n", vm->vm->name,
		vm_state_name(state), reason ? ": " : "", reason ? reason : "",
		vm->vm->pid, policy_kind_name(vm->wish.policy->kind),
		guard != GUARD_OFF ? ", guard " : "",
		guard != GUARD_OFF ? guard_name(guard) : "");
	if (vm->vm->problem)
		printf("  %s\n", vm->vm->problem);
	if (tally)
		printf("  foreign runs on its CPUs %" PRIu64
		       ", its threads off their sets %" PRIu64 ", settling %" PRIu64 "\n",
			tally_foreign(tally->foreign), tally->off_set.count,
			tally->settling.count);
	table = scols_new_table();
	if (!table)
		return -ENOMEM;
	for (int i = 0; i < COLUMNS; i++)
		cli_column(table, names[i],
			i == TID || i == LAST || i >= SWITCHES ? SCOLS_FL_RIGHT : 0);
	for (size_t i = 0; i < vm_born(vm->vm); i++)
		add_row(table, view, vm, i);
	scols_print_table(table);
	scols_unref_table(table);
	return 0;
}

enum vm_column { NAME, PID, POLICY, STATE, CPUS, VIOLATIONS, VM_COLUMNS };

static int add_vm_row(
	struct libscols_table *table, const struct status_view *view, size_t index)
{
	const struct desired_vm *vm = &view->cycle.desired.vms[index];
	const struct vm_tally *tally =
		counters_find_vm(&view->counters, vm->vm->pid, vm->vm->start_time);
	struct libscols_line *line = scols_table_new_line(table, NULL);
	struct cpuset own = owners_of_vm(&view->owners, vm->vm->name);
	cleanup_free char *reason = NULL, *cpus = cpulist_format(&own);
	char text[32] = "-";
	enum vm_state state;
	int r = cycle_vm_state(&view->cycle, index, &state, &reason);

	if (r || !line || !cpus)
		return -ENOMEM;
	scols_line_set_data(line, NAME, vm->vm->name);
	scols_line_set_data(line, POLICY, policy_kind_name(vm->wish.policy->kind));
	scols_line_set_data(line, STATE, vm_state_name(state));
	scols_line_set_data(line, CPUS, *cpus ? cpus : "-");
	if (view->counted)
		snprintf(text, sizeof(text), "%" PRIu64,
			tally ? tally_foreign(tally->foreign) + tally->off_set.count : 0);
	scols_line_set_data(line, VIOLATIONS, text);
	snprintf(text, sizeof(text), "%d", vm->vm->pid);
	scols_line_set_data(line, PID, text);
	return 0;
}

/* One line a VM, before their threads. */
static int print_vms(const struct status_view *view)
{
	static const char *const names[VM_COLUMNS] = {
		"VM", "PID", "POLICY", "STATE", "CPUS", "VIOLATIONS"};
	struct libscols_table *table = scols_new_table();
	int r = table ? 0 : -ENOMEM;

	for (int i = 0; table && i < VM_COLUMNS; i++)
		cli_column(table, names[i],
			i == PID || i == VIOLATIONS ? SCOLS_FL_RIGHT : 0);
	for (size_t i = 0; !r && i < view->cycle.desired.n_vms; i++)
		r = add_vm_row(table, view, i);
	if (!r) {
		printf("\n");
		scols_print_table(table);
	}
	scols_unref_table(table);
	return r;
}

static int print_text(const struct request *request, const struct status_view *view)
{
	int r = 0;

	print_host(view);
	if (!view->cycle.desired.n_vms)
		printf("\nNo VM is running.\n");
	if (!request->n_args && view->cycle.desired.n_vms > 1)
		r = print_vms(view);
	for (size_t i = 0; !r && i < view->cycle.desired.n_vms; i++)
		if (!request->n_args ||
			!strcmp(view->cycle.desired.vms[i].vm->name, request->args[0]))
			r = print_vm(view, i);
	return r;
}

int verb_status(const struct request *request)
{
	struct status_view view = {.cycle.hierarchy.root = -1};
	struct problem problem = {};
	int r;

	r = view_read(request, &view, &problem);
	if (!r && (request->json ? status_print_json(request, &view)
				 : print_text(request, &view)))
		r = problem_nomem(&problem);
	view_deinit(&view);
	return r ? cli_fail(&problem) : EXIT_SUCCESS;
}
