// SPDX-License-Identifier: GPL-2.0-or-later
/* `top --json`: counts of one interval. */
#include "user/cli/top.h"

static void add_index(struct json_object *json, const char *key, int index)
{
	if (index < 0)
		json_object_object_add(json, key, NULL);
	else
		cli_json_number(json, key, (uint64_t)index);
}

static void add_place(struct json_object *json, const char *key, uint16_t number)
{
	add_index(json, key, number == TOPOLOGY_UNKNOWN ? -1 : number);
}

static void add_counts(struct json_object *json, const struct view_counts *counts)
{
	cli_json_foreign(json, counts->foreign);
	cli_json_tally(json, "off_set", &counts->off_set);
	cli_json_tally(json, "settling", &counts->settling);
	cli_json_tally(json, "interference", &counts->interference);
}

static struct json_object *cpu_json(const struct view *view, const struct view_cpu *cpu)
{
	static const char *const states[] = {
		"offline", "housekeeping", "shared", "reserved", "settling", "intruded"};
	struct json_object *json = json_object_new_object();

	cli_json_number(json, "cpu", cpu->at->cpu);
	add_place(json, "node", cpu->at->node);
	add_place(json, "core", cpu->at->core);
	cli_json_string(json, "state", states[cpu->state]);
	cli_json_string(json, "vm",
		cpu->at->owner < 0 ? NULL : view->vms[cpu->at->owner].at->name);
	add_index(json, "vcpu", cpu->at->vcpu);
	add_counts(json, &cpu->counts);
	return json;
}

/* Bounds that there are none of are null. */
static void add_time(struct json_object *json, const char *key, uint64_t ns)
{
	if (ns)
		cli_json_number(json, key, ns);
	else
		json_object_object_add(json, key, NULL);
}

static struct json_object *vcpu_json(const struct view_vcpu *vcpu)
{
	struct json_object *json = json_object_new_object();

	cli_json_number(json, "vcpu", (uint64_t)vcpu->at->tally.index);
	cli_json_number(json, "tid", (uint64_t)vcpu->at->tally.tid);
	cli_json_number(json, "last_cpu", (uint64_t)vcpu->at->last_cpu);
	cli_json_string(json, "set", vcpu->at->set);
	cli_json_number(json, "run_permille", vcpu->run_permille);
	cli_json_number(json, "waits", vcpu->waits);
	cli_json_number(json, "wait_mean_ns", vcpu->mean_ns);
	add_time(json, "wait_p50_ns", vcpu->p50_ns);
	add_time(json, "wait_p99_ns", vcpu->p99_ns);
	cli_json_tally(json, "off_set", &vcpu->off_set);
	cli_json_tally(json, "foreign", &vcpu->foreign);
	cli_json_tally(json, "interference", &vcpu->interference);
	return json;
}

static struct json_object *vm_json(const struct view_vm *vm)
{
	struct json_object *json = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();

	cli_json_string(json, "name", vm->at->name);
	cli_json_number(json, "pid", (uint64_t)vm->at->pid);
	cli_json_string(json, "state", vm->at->state);
	cli_json_string(json, "reason", vm->at->reason);
	cli_json_cpus(json, "cpus", &vm->cpus);
	json_object_object_add(json, "intruded", json_object_new_boolean(vm->intruded));
	cli_json_number(json, "run_permille", vm->run_permille);
	cli_json_number(json, "waits", vm->waits);
	add_time(json, "wait_p99_ns", vm->p99_ns);
	add_counts(json, &vm->counts);
	for (size_t i = 0; i < vm->at->n_vcpus; i++)
		json_object_array_add(vcpus, vcpu_json(&vm->vcpus[i]));
	json_object_object_add(json, "vcpus", vcpus);
	return json;
}

static struct json_object *culprit_json(const struct culprit *culprit)
{
	struct json_object *json = json_object_new_object();

	cli_json_string(json, "comm", *culprit->comm ? culprit->comm : NULL);
	add_index(json, "pid", culprit->tgid ? culprit->tgid : -1);
	cli_json_number(json, "tid", (uint64_t)culprit->tid);
	cli_json_number(json, "cpu", culprit->cpu);
	cli_json_string(json, "vm", *culprit->vm ? culprit->vm : NULL);
	add_index(json, "vcpu", culprit->vcpu);
	cli_json_string(json, "class", culprit->off_set ? "off_set" : "foreign");
	cli_json_string(
		json, "cause", culprit->off_set ? NULL : cause_name(culprit->cause));
	json_object_object_add(
		json, "running", json_object_new_boolean(culprit->running));
	cli_json_number(json, "time_ns", culprit->time);
	cli_json_number(json, "ns", culprit->ns);
	return json;
}

static struct json_object *observer_json(const struct view *view)
{
	struct json_object *json = json_object_new_object();
	const char *why = view->now->why.text;

	cli_json_string(json, "state", sample_observer_name(view->observer));
	cli_json_string(json, "reason", *why ? why : NULL);
	cli_json_number(json, "switches", view->switches);
	cli_json_number(json, "lost_events", view->now->lost);
	return json;
}

void top_print_json(const struct request *request, const struct view *view)
{
	struct json_object *json = cli_json(request), *total = json_object_new_object();
	struct json_object *cpus = json_object_new_array();
	struct json_object *vms = json_object_new_array();
	struct json_object *culprits = json_object_new_array();
	const struct sample *now = view->now;

	cli_json_string(json, "host", now->host);
	cli_json_string(json, "kernel", now->kernel);
	json_object_object_add(json, "time", json_object_new_int64(now->time));
	cli_json_number(json, "now_ns", now->now);
	cli_json_number(json, "interval_ns", view->interval_ns);
	cli_json_string(json, "note", *now->note.text ? now->note.text : NULL);
	json_object_object_add(json, "observer", observer_json(view));
	add_counts(total, &view->total);
	json_object_object_add(json, "total", total);
	for (size_t i = 0; i < now->n_cpus; i++)
		json_object_array_add(cpus, cpu_json(view, &view->cpus[i]));
	json_object_object_add(json, "cpus", cpus);
	for (size_t i = 0; i < now->n_vms; i++)
		json_object_array_add(vms, vm_json(&view->vms[i]));
	json_object_object_add(json, "vms", vms);
	for (size_t i = 0; i < now->n_culprits; i++)
		json_object_array_add(culprits, culprit_json(&now->culprits[i]));
	json_object_object_add(json, "culprits", culprits);
	cli_json_print(json);
}
