// SPDX-License-Identifier: GPL-2.0-or-later
/* A sample as a line of JSON. What is 0 is left out: of most CPUs there is little to
 * tell. A tally is [count, ns]. */
#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/store/json_file.h"
#include "user/store/recording.h"

static void put_number(struct json_object *json, const char *key, uint64_t value)
{
	if (value)
		json_object_object_add(json, key, json_object_new_uint64(value));
}

static void put_text(struct json_object *json, const char *key, const char *value)
{
	if (value && *value)
		json_object_object_add(json, key, json_object_new_string(value));
}

static void put_flag(struct json_object *json, const char *key, bool value)
{
	if (value)
		json_object_object_add(json, key, json_object_new_boolean(true));
}

static struct json_object *tally_json(const struct tally *tally)
{
	struct json_object *pair = json_object_new_array();

	json_object_array_add(pair, json_object_new_uint64(tally->count));
	json_object_array_add(pair, json_object_new_uint64(tally->ns));
	return pair;
}

static void put_tally(
	struct json_object *json, const char *key, const struct tally *tally)
{
	if (tally->count || tally->ns)
		json_object_object_add(json, key, tally_json(tally));
}

static void put_foreign(struct json_object *json, const struct tally foreign[CAUSE_COUNT])
{
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		put_tally(json, cause_name(cause), &foreign[cause]);
}

static struct json_object *cpu_json(const struct sample_cpu *cpu)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "cpu", json_object_new_uint64(cpu->cpu));
	put_flag(json, "offline", !cpu->online);
	put_flag(json, "shared", cpu->shared);
	if (cpu->node != TOPOLOGY_UNKNOWN)
		json_object_object_add(json, "node", json_object_new_int(cpu->node));
	if (cpu->core != TOPOLOGY_UNKNOWN)
		json_object_object_add(json, "core", json_object_new_int(cpu->core));
	if (cpu->owner >= 0)
		json_object_object_add(json, "owner", json_object_new_int(cpu->owner));
	if (cpu->vcpu >= 0)
		json_object_object_add(json, "vcpu", json_object_new_int(cpu->vcpu));
	put_number(json, "switches", cpu->tally.switches);
	put_foreign(json, cpu->tally.foreign);
	put_tally(json, "off_set", &cpu->tally.off_set);
	put_tally(json, "settling", &cpu->tally.settling);
	put_tally(json, "bound_kthread", &cpu->tally.bound_kthread);
	put_tally(json, "interrupts", &cpu->tally.interrupts);
	put_tally(json, "softirqs", &cpu->tally.softirqs);
	return json;
}

static struct json_object *vcpu_json(const struct sample_vcpu *vcpu)
{
	struct json_object *json = json_object_new_object();
	struct json_object *waits;

	json_object_object_add(json, "index", json_object_new_int(vcpu->tally.index));
	put_number(json, "tid", (uint64_t)vcpu->tally.tid);
	put_number(json, "last_cpu", (uint64_t)vcpu->last_cpu);
	put_text(json, "set", vcpu->set);
	put_number(json, "run_ns", vcpu->tally.run_ns);
	if (!vcpu->counted)
		return json;
	put_flag(json, "counted", true);
	put_number(json, "switches", vcpu->tally.switches);
	put_tally(json, "off_set", &vcpu->tally.off_set);
	put_number(json, "wait_ns", vcpu->tally.wait_ns);
	waits = json_object_new_array();
	for (int i = 0; i < WAIT_BUCKETS; i++)
		json_object_array_add(
			waits, json_object_new_uint64(vcpu->tally.waits[i]));
	json_object_object_add(json, "waits", waits);
	return json;
}

static struct json_object *vm_json(const struct sample_vm *vm)
{
	struct json_object *json = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();

	put_text(json, "name", vm->name);
	put_number(json, "pid", (uint64_t)vm->pid);
	put_number(json, "start_time", vm->start_time);
	put_number(json, "since", vm->since);
	put_text(json, "state", vm->state);
	put_text(json, "reason", vm->reason);
	put_foreign(json, vm->foreign);
	put_tally(json, "off_set", &vm->off_set);
	put_tally(json, "settling", &vm->settling);
	for (size_t i = 0; i < vm->n_vcpus; i++)
		json_object_array_add(vcpus, vcpu_json(&vm->vcpus[i]));
	json_object_object_add(json, "vcpus", vcpus);
	return json;
}

static struct json_object *culprit_json(const struct culprit *culprit)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "cpu", json_object_new_uint64(culprit->cpu));
	put_flag(json, "running", culprit->running);
	put_flag(json, "off_set", culprit->off_set);
	if (!culprit->off_set)
		put_text(json, "cause", cause_name(culprit->cause));
	put_text(json, "vm", culprit->vm);
	if (culprit->vcpu >= 0)
		json_object_object_add(json, "vcpu", json_object_new_int(culprit->vcpu));
	put_number(json, "tid", (uint64_t)culprit->tid);
	put_number(json, "pid", (uint64_t)culprit->tgid);
	put_text(json, "comm", culprit->comm);
	put_number(json, "time", culprit->time);
	put_number(json, "ns", culprit->ns);
	return json;
}

int sample_to_line(const struct sample *sample, char **ret_line)
{
	cleanup_json struct json_object *json = json_object_new_object();
	struct json_object *cpus = json_object_new_array();
	struct json_object *vms = json_object_new_array();
	struct json_object *culprits = json_object_new_array();
	const char *text;

	put_text(json, "schema", SAMPLE_SCHEMA);
	put_text(json, "host", sample->host);
	put_text(json, "kernel", sample->kernel);
	put_number(json, "now", sample->now);
	put_number(json, "time", (uint64_t)sample->time);
	put_text(json, "observer", sample_observer_name(sample->observer));
	put_text(json, "why", sample->why.text);
	put_text(json, "note", sample->note.text);
	put_number(json, "start", sample->start);
	put_number(json, "switches", sample->switches);
	put_number(json, "lost", sample->lost);
	put_flag(json, "measures", sample->measures);
	for (size_t i = 0; i < sample->n_vms; i++)
		json_object_array_add(vms, vm_json(&sample->vms[i]));
	json_object_object_add(json, "vms", vms);
	for (size_t i = 0; i < sample->n_cpus; i++)
		json_object_array_add(cpus, cpu_json(&sample->cpus[i]));
	json_object_object_add(json, "cpus", cpus);
	for (size_t i = 0; i < sample->n_culprits; i++)
		json_object_array_add(culprits, culprit_json(&sample->culprits[i]));
	json_object_object_add(json, "culprits", culprits);
	text = json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text || asprintf(ret_line, "%s\n", text) < 0)
		return -ENOMEM;
	return 0;
}
