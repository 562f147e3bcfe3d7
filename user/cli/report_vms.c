// SPDX-License-Identifier: GPL-2.0-or-later
/* What a report says of VMs: where their threads are, by which rules, in which groups. */
#include "user/cli/report_facts.h"

#include <errno.h>

#include "user/base/cleanup.h"
#include "user/cli/status_parts.h"
#include "user/report/fields.h"

static void add_cpus(struct json_object *row, const struct cpuset *cpus)
{
	struct json_object *cell = json_object_new_object(), *list = NULL;

	cli_json_cpus(cell, "cpus", cpus);
	json_object_object_get_ex(cell, "cpus", &list);
	json_object_array_add(row, json_object_get(list));
	json_object_put(cell);
}

static void add_number(struct json_object *row, uint64_t number)
{
	json_object_array_add(row, json_object_new_uint64(number));
}

static struct json_object *thread_row(
	const struct evidence *evidence, const struct desired_vm *vm, size_t index)
{
	const struct vm_thread *thread = &vm->vm->threads[index];
	struct status_standing standing =
		status_standing_of(&evidence->cycle, &evidence->counters, vm, index);
	struct json_object *row = json_object_new_array();

	json_object_array_add(
		row, json_object_new_string(thread_class_name(thread->class)));
	json_object_array_add(row, json_object_new_int(thread->index));
	json_object_array_add(row, json_object_new_int(thread->tid));
	json_object_array_add(row, json_text(thread->comm));
	add_cpus(row, &standing.declared);
	add_cpus(row, &standing.effective);
	json_object_array_add(row, json_object_new_int(thread->last_cpu));
	json_object_array_add(row, json_text(thread->cgroup));
	json_object_array_add(
		row, json_text(*standing.partition ? standing.partition : NULL));
	add_number(row, thread->switches);
	add_number(row, thread->run_ns);
	add_number(row, thread->wait_ns);
	return row;
}

static struct json_object *threads_json(
	const struct evidence *evidence, const struct desired_vm *vm)
{
	static const char *const names[] = {"class", "index", "tid", "comm", "declared",
		"effective", "last_cpu", "cgroup", "partition", "switches", "run_ns",
		"wait_ns"};
	struct json_object *table = json_object_new_object(),
			   *columns = json_object_new_array(),
			   *rows = json_object_new_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		json_object_array_add(columns, json_object_new_string(names[i]));
	for (size_t i = 0; i < vm_born(vm->vm); i++)
		json_object_array_add(rows, thread_row(evidence, vm, i));
	json_object_object_add(table, "columns", columns);
	json_object_object_add(table, "rows", rows);
	return table;
}

/* Those that the observer counts by, and since when; null: it does not know the VM. */
static struct json_object *rules_json(const struct actual_vm *actual)
{
	const struct rule_vm *rules = &actual->rules;
	struct json_object *json;
	struct cpuset owned;

	if (!actual->rules_known)
		return NULL;
	json = json_object_new_object();
	rule_vm_owned(rules, &owned);
	cli_json_number(json, "since_ns", rules->since);
	cli_json_number(json, "committed_ns", rules->committed);
	json_object_object_add(
		json, "settling", json_object_new_boolean(actual->settling));
	cli_json_cpus(json, "owned", &owned);
	cli_json_cpus(json, "others", &rules->set);
	cli_json_number(json, "threads", rules->n_threads);
	return json;
}

static int add_vm(struct json_object *vms, const struct evidence *evidence, size_t index)
{
	const struct desired_vm *vm = &evidence->cycle.desired.vms[index];
	struct json_object *json = json_object_new_object();
	cleanup_free char *reason = NULL;
	enum vm_state state;
	int r;

	json_object_array_add(vms, json);
	r = cycle_vm_state(&evidence->cycle, index, &state, &reason);
	if (r)
		return r;
	json_object_object_add(json, "name", json_text(vm->vm->name));
	cli_json_number(json, "pid", (uint64_t)vm->vm->pid);
	cli_json_string(json, "source", vm_source_name(vm->vm->source));
	cli_json_string(json, "layout", layout_name(vm->layout));
	cli_json_string(json, "policy", policy_kind_name(vm->wish.policy->kind));
	cli_json_string(
		json, "guard", guard_name(cycle_vm_guard(&evidence->cycle, index)));
	cli_json_string(json, "state", vm_state_name(state));
	json_object_object_add(
		json, "reason", json_text(reason ? reason : vm->vm->problem));
	json_object_object_add(
		json, "drift", cli_drift_latest(&evidence->drift, vm->vm->name));
	json_object_object_add(
		json, "rules", rules_json(&evidence->cycle.actual.vms[index]));
	json_object_object_add(json, "threads", threads_json(evidence, vm));
	return 0;
}

static struct json_object *partition_json(const struct group *group)
{
	struct json_object *json = json_object_new_object();
	char state[REASON_SIZE + 32];

	partition_state_format(&group->partition, state, sizeof(state));
	json_object_object_add(json, "cgroup", json_text(group->path));
	json_object_object_add(json, "partition", json_text(state));
	json_object_object_add(
		json, "valid", json_object_new_boolean(group->partition.valid));
	cli_json_cpus(json, "cpus", &group->cpus);
	cli_json_cpus(json, "exclusive", &group->exclusive);
	cli_json_cpus(json, "effective", &group->effective);
	return json;
}

int report_add_vms(struct json_object *report, const struct evidence *evidence,
	struct problem *problem)
{
	const struct tree *tree = &evidence->cycle.actual.tree;
	struct json_object *vms = json_object_new_array(),
			   *partitions = json_object_new_array();
	int r = 0;

	for (size_t i = 0; !r && i < evidence->cycle.desired.n_vms; i++)
		r = add_vm(vms, evidence, i);
	for (size_t i = 0; i < tree->n_groups; i++)
		if (tree->groups[i]->partition.kind != PARTITION_MEMBER)
			json_object_array_add(
				partitions, partition_json(tree->groups[i]));
	json_object_object_add(report, "vms", vms);
	json_object_object_add(report, "partitions", partitions);
	return r ? problem_nomem(problem) : 0;
}
