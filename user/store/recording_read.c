// SPDX-License-Identifier: GPL-2.0-or-later
/* A line of JSON as a sample. The line is anybody's. */
#include <errno.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/store/json_file.h"
#include "user/store/recording.h"

static uint64_t get_number(
	struct json_object *json, const char *key, uint64_t max, bool *bad)
{
	struct json_object *found;
	uint64_t value;

	if (!json_object_object_get_ex(json, key, &found))
		return 0;
	value = json_object_get_uint64(found);
	if (!json_object_is_type(found, json_type_int) ||
		json_object_get_int64(found) < 0 || value > max) {
		*bad = true;
		return 0;
	}
	return value;
}

/* As get_number(); -1: it is not there. */
static int get_index(struct json_object *json, const char *key, size_t below, bool *bad)
{
	struct json_object *found;

	if (!json_object_object_get_ex(json, key, &found))
		return -1;
	if (!below) {
		*bad = true;
		return -1;
	}
	return (int)get_number(json, key, below - 1, bad);
}

static bool get_flag(struct json_object *json, const char *key)
{
	struct json_object *found;

	return json_object_object_get_ex(json, key, &found) &&
	       json_object_get_boolean(found);
}

static void get_text(
	struct json_object *json, const char *key, char *buf, size_t size, bool *bad)
{
	struct json_object *found;
	const char *text;

	if (!json_object_object_get_ex(json, key, &found))
		return;
	text = json_string(found);
	if (!text || strlen(text) >= size ||
		strlen(text) != (size_t)json_object_get_string_len(found))
		*bad = true;
	else
		strcpy(buf, text);
}

static uint64_t number_at(struct json_object *list, size_t index, bool *bad)
{
	struct json_object *item = json_object_array_get_idx(list, index);

	if (!json_object_is_type(item, json_type_int) || json_object_get_int64(item) < 0)
		*bad = true;
	return json_object_get_uint64(item);
}

static struct json_object *get_list(
	struct json_object *json, const char *key, size_t length, bool *bad)
{
	struct json_object *found;

	if (!json_object_object_get_ex(json, key, &found))
		return NULL;
	if (json_object_is_type(found, json_type_array) &&
		(length == SIZE_MAX || json_object_array_length(found) == length))
		return found;
	*bad = true;
	return NULL;
}

static struct tally get_tally(struct json_object *json, const char *key, bool *bad)
{
	struct json_object *pair = get_list(json, key, 2, bad);
	struct tally tally = {};

	if (pair) {
		tally.count = number_at(pair, 0, bad);
		tally.ns = number_at(pair, 1, bad);
	}
	return tally;
}

static void get_foreign(
	struct json_object *json, struct tally foreign[CAUSE_COUNT], bool *bad)
{
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		foreign[cause] = get_tally(json, cause_name(cause), bad);
}

static uint16_t get_place(struct json_object *json, const char *key, bool *bad)
{
	int place = get_index(json, key, TOPOLOGY_UNKNOWN, bad);

	return place < 0 ? TOPOLOGY_UNKNOWN : (uint16_t)place;
}

static void get_cpu(struct json_object *json, struct sample *sample, bool *bad)
{
	struct sample_cpu *cpu = &sample->cpus[sample->n_cpus - 1];

	cpu->cpu = (unsigned int)get_number(json, "cpu", CPUSET_CPUS - 1, bad);
	if (sample->n_cpus > 1 && cpu->cpu <= cpu[-1].cpu)
		*bad = true;
	cpu->online = !get_flag(json, "offline");
	cpu->shared = get_flag(json, "shared");
	cpu->node = get_place(json, "node", bad);
	cpu->core = get_place(json, "core", bad);
	cpu->owner = get_index(json, "owner", sample->n_vms, bad);
	cpu->vcpu = get_index(json, "vcpu", VCPUS_MAX, bad);
	cpu->tally.switches = get_number(json, "switches", UINT64_MAX, bad);
	get_foreign(json, cpu->tally.foreign, bad);
	cpu->tally.off_set = get_tally(json, "off_set", bad);
	cpu->tally.settling = get_tally(json, "settling", bad);
	cpu->tally.bound_kthread = get_tally(json, "bound_kthread", bad);
	cpu->tally.interrupts = get_tally(json, "interrupts", bad);
	cpu->tally.softirqs = get_tally(json, "softirqs", bad);
}

static void get_vcpu(struct json_object *json, struct sample_vm *vm, bool *bad)
{
	struct sample_vcpu *vcpu = &vm->vcpus[vm->n_vcpus - 1];
	struct json_object *waits = get_list(json, "waits", WAIT_BUCKETS, bad);

	vcpu->tally.index = (int)get_number(json, "index", VCPUS_MAX - 1, bad);
	if (vm->n_vcpus > 1 && vcpu->tally.index <= vcpu[-1].tally.index)
		*bad = true;
	vcpu->tally.tid = (pid_t)get_number(json, "tid", INT32_MAX, bad);
	vcpu->last_cpu = (int)get_number(json, "last_cpu", CPUSET_CPUS - 1, bad);
	get_text(json, "set", vcpu->set, sizeof(vcpu->set), bad);
	vcpu->tally.run_ns = get_number(json, "run_ns", UINT64_MAX, bad);
	vcpu->counted = get_flag(json, "counted");
	vcpu->tally.switches = get_number(json, "switches", UINT64_MAX, bad);
	vcpu->tally.off_set = get_tally(json, "off_set", bad);
	vcpu->tally.wait_ns = get_number(json, "wait_ns", UINT64_MAX, bad);
	for (size_t i = 0; waits && i < WAIT_BUCKETS; i++)
		vcpu->tally.waits[i] = number_at(waits, i, bad);
}

static int get_vm(struct json_object *json, struct sample *sample, bool *bad)
{
	struct sample_vm *vm = &sample->vms[sample->n_vms - 1];
	struct json_object *vcpus = get_list(json, "vcpus", SIZE_MAX, bad);
	char reason[PROBLEM_SIZE] = "";

	get_text(json, "name", vm->name, sizeof(vm->name), bad);
	if (sample->n_vms > 1 && strcmp(vm->name, vm[-1].name) <= 0)
		*bad = true;
	vm->pid = (pid_t)get_number(json, "pid", INT32_MAX, bad);
	vm->start_time = get_number(json, "start_time", UINT64_MAX, bad);
	vm->since = get_number(json, "since", UINT64_MAX, bad);
	get_text(json, "state", vm->state, sizeof(vm->state), bad);
	get_text(json, "reason", reason, sizeof(reason), bad);
	if (*reason && !(vm->reason = strdup(reason)))
		return -ENOMEM;
	get_foreign(json, vm->foreign, bad);
	vm->off_set = get_tally(json, "off_set", bad);
	vm->settling = get_tally(json, "settling", bad);
	for (size_t i = 0; vcpus && !*bad && i < json_object_array_length(vcpus); i++) {
		if (!array_push(&vm->vcpus, &vm->n_vcpus))
			return -ENOMEM;
		get_vcpu(json_object_array_get_idx(vcpus, i), vm, bad);
	}
	return 0;
}

static void get_culprit(struct json_object *json, struct sample *sample, bool *bad)
{
	struct culprit *culprit = &sample->culprits[sample->n_culprits - 1];
	char cause[SAMPLE_WORD_SIZE] = "";
	int i = 0;

	culprit->cpu = (unsigned int)get_number(json, "cpu", CPUSET_CPUS - 1, bad);
	culprit->running = get_flag(json, "running");
	if (sample->n_culprits > 1 && culprit->running && !culprit[-1].running)
		*bad = true;
	culprit->off_set = get_flag(json, "off_set");
	get_text(json, "cause", cause, sizeof(cause), bad);
	while (i < CAUSE_COUNT && strcmp(cause, cause_name(i)) != 0)
		i++;
	if (i < CAUSE_COUNT)
		culprit->cause = i;
	else if (!culprit->off_set)
		*bad = true;
	get_text(json, "vm", culprit->vm, sizeof(culprit->vm), bad);
	culprit->vcpu = get_index(json, "vcpu", VCPUS_MAX, bad);
	culprit->tid = (pid_t)get_number(json, "tid", INT32_MAX, bad);
	culprit->tgid = (pid_t)get_number(json, "pid", INT32_MAX, bad);
	get_text(json, "comm", culprit->comm, sizeof(culprit->comm), bad);
	culprit->time = get_number(json, "time", UINT64_MAX, bad);
	culprit->ns = get_number(json, "ns", UINT64_MAX, bad);
}

static void get_host(struct json_object *json, struct sample *sample, bool *bad)
{
	char observer[SAMPLE_WORD_SIZE] = "";
	int i = OBSERVER_ABSENT;

	get_text(json, "host", sample->host, sizeof(sample->host), bad);
	get_text(json, "kernel", sample->kernel, sizeof(sample->kernel), bad);
	sample->now = get_number(json, "now", UINT64_MAX, bad);
	/* What localtime() can tell: the year has four digits. */
	sample->time = (int64_t)get_number(json, "time", UINT64_C(253370764800), bad);
	get_text(json, "observer", observer, sizeof(observer), bad);
	while (i <= OBSERVER_RUNNING && strcmp(observer, sample_observer_name(i)) != 0)
		i++;
	if (i > OBSERVER_RUNNING)
		*bad = true;
	else
		sample->observer = i;
	get_text(json, "why", sample->why.text, sizeof(sample->why.text), bad);
	get_text(json, "note", sample->note.text, sizeof(sample->note.text), bad);
	sample->start = get_number(json, "start", UINT64_MAX, bad);
	sample->switches = get_number(json, "switches", UINT64_MAX, bad);
	sample->lost = get_number(json, "lost", UINT64_MAX, bad);
	sample->measures = get_flag(json, "measures");
}

static int get_all(struct json_object *json, struct sample *sample, bool *bad)
{
	struct json_object *vms = get_list(json, "vms", SIZE_MAX, bad);
	struct json_object *cpus = get_list(json, "cpus", SIZE_MAX, bad);
	struct json_object *culprits = get_list(json, "culprits", SIZE_MAX, bad);
	int r = 0;

	get_host(json, sample, bad);
	for (size_t i = 0; vms && !*bad && !r && i < json_object_array_length(vms); i++) {
		if (!array_push(&sample->vms, &sample->n_vms))
			return -ENOMEM;
		r = get_vm(json_object_array_get_idx(vms, i), sample, bad);
	}
	/* Their owners are among the VMs. */
	for (size_t i = 0; cpus && !*bad && !r && i < json_object_array_length(cpus);
		i++) {
		if (!array_push(&sample->cpus, &sample->n_cpus))
			return -ENOMEM;
		get_cpu(json_object_array_get_idx(cpus, i), sample, bad);
	}
	for (size_t i = 0;
		culprits && !*bad && !r && i < json_object_array_length(culprits); i++) {
		if (!array_push(&sample->culprits, &sample->n_culprits))
			return -ENOMEM;
		get_culprit(json_object_array_get_idx(culprits, i), sample, bad);
	}
	return r;
}

int sample_from_line(const char *line, struct sample *ret_sample)
{
	cleanup_json struct json_object *json = json_tokener_parse(line);
	struct sample sample = {};
	char schema[sizeof(SAMPLE_SCHEMA)] = "";
	bool bad = false;
	int r;

	get_text(json, "schema", schema, sizeof(schema), &bad);
	if (bad || strcmp(schema, SAMPLE_SCHEMA) != 0)
		return -EINVAL;
	r = get_all(json, &sample, &bad);
	if (!r && bad)
		r = -EINVAL;
	if (r)
		sample_deinit(&sample);
	else
		*ret_sample = sample;
	return r;
}
