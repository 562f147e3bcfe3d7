// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/basis.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/model/past_json.h"
#include "user/report/fields.h"
#include "user/report/tallies.h"

void basis_deinit(struct basis *basis)
{
	counters_deinit(&basis->counters);
	free(basis->absent);
	free(basis->only);
	free(basis->unwatched);
	free(basis->degraded);
	free(basis->repaired);
	free(basis->culprit);
	past_deinit(&basis->before);
	memset(basis, 0, sizeof(*basis));
}

static void add_question(struct json_object *report, const struct verdict_input *input)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "vm", json_text(input->only));
	json_object_object_add(
		json, "window_ns", json_object_new_uint64(input->window_ns));
	json_object_object_add(report, "question", json);
}

/* What was counted before the window. */
static void add_before(struct json_object *report, const struct verdict_input *input)
{
	struct json_object *json = input->before ? json_object_new_object() : NULL;

	if (json)
		past_to_json(input->before, json);
	json_object_object_add(report, "before", json);
}

static void add_evidence(struct json_object *report, const struct verdict_input *input)
{
	struct json_object *json = json_object_new_object();
	cleanup_free char *online = input->online ? cpulist_format(input->online) : NULL;

	json_object_object_add(
		json, "absent", json_text(input->counters ? NULL : input->absent));
	json_object_object_add(json, "unwatched", json_text(input->unwatched));
	json_object_object_add(json, "degraded", json_text(input->degraded));
	json_object_object_add(json, "repaired", json_text(input->repaired));
	json_object_object_add(json, "culprit", json_text(input->culprit));
	json_object_object_add(json, "online", json_text(online ? online : ""));
	json_object_object_add(json, "alive", json_object_new_boolean(input->alive));
	json_object_object_add(report, "evidence", json);
}

static struct json_object *wait_bounds(void)
{
	struct json_object *bounds = json_object_new_array();

	for (unsigned int i = 0; i < WAIT_BUCKETS; i++)
		json_object_array_add(bounds,
			wait_bound(i) ? json_object_new_uint64(wait_bound(i)) : NULL);
	return bounds;
}

static struct json_object *observer_json(const struct counters *counters, uint64_t build)
{
	struct json_object *json = json_object_new_object(),
			   *total = json_object_new_object();
	char hash[32];

	snprintf(hash, sizeof(hash), "%016" PRIx64, build);
	json_object_object_add(json, "program_hash", json_object_new_string(hash));
	fields_add(json, &fields_counters, counters);
	fields_add(total, &fields_cpu, &counters->total);
	json_object_object_add(json, "total", total);
	json_object_object_add(json, "cpus",
		fields_table(&fields_cpu, counters->cpus, counters->n_cpus));
	json_object_object_add(json, "reserved",
		fields_table(
			&fields_reservation, counters->reserved, counters->n_reserved));
	json_object_object_add(
		json, "vms", fields_table(&fields_vm, counters->vms, counters->n_vms));
	json_object_object_add(json, "wait_bounds_ns", wait_bounds());
	json_object_object_add(json, "threads",
		fields_table(&fields_thread, counters->threads, counters->n_threads));
	json_object_object_add(json, "latest",
		fields_table(&fields_culprit, counters->culprits, counters->n_culprits));
	json_object_object_add(json, "culprits",
		fields_table(
			&fields_culprit_tally, counters->tallies, counters->n_tallies));
	return json;
}

void basis_add(
	struct json_object *report, const struct verdict_input *input, uint64_t build)
{
	add_question(report, input);
	add_evidence(report, input);
	add_before(report, input);
	json_object_object_add(report, "observer",
		input->counters ? observer_json(input->counters, build) : NULL);
}

static void read_evidence(
	struct reader *reader, struct json_object *report, struct basis *basis)
{
	struct json_object *json = member(report, "evidence", json_type_object),
			   *online = member(json, "online", json_type_string);

	if (!json) {
		reader_fail(reader, "evidence", "missing");
		return;
	}
	basis->absent = read_string(reader, json, "absent");
	basis->unwatched = read_string(reader, json, "unwatched");
	basis->degraded = read_string(reader, json, "degraded");
	basis->repaired = read_string(reader, json, "repaired");
	basis->culprit = read_string(reader, json, "culprit");
	basis->alive = read_bool(reader, json, "alive");
	if (!online ||
		cpulist_parse_kernel(json_object_get_string(online), &basis->online))
		reader_fail(reader, "online", "not a list of CPUs");
}

static void read_question(
	struct reader *reader, struct json_object *report, struct basis *basis)
{
	struct json_object *json = member(report, "question", json_type_object);

	if (!json) {
		reader_fail(reader, "question", "missing");
		return;
	}
	basis->only = read_string(reader, json, "vm");
	basis->window_ns = read_number(
		reader, member(json, "window_ns", json_type_int), "window_ns");
}

static void read_before(
	struct reader *reader, struct json_object *report, struct basis *basis)
{
	struct json_object *json;

	if (!json_object_object_get_ex(report, "before", &json)) {
		reader_fail(reader, "before", "missing");
		return;
	}
	if (!json)
		return;
	basis->has_before = !past_from_json(json, &basis->before);
	if (!basis->has_before)
		reader_fail(reader, "before", "not what was counted");
}

#define READ_TABLE(reader, json, name, fields, counters, member_)        \
	fields_read_table(reader, member(json, name, json_type_object),  \
		"observer." name, fields, (void **)&(counters)->member_, \
		&(counters)->n_##member_)

/* What indexes say must be there. */
static void check_indexes(struct reader *reader, const struct counters *counters)
{
	for (size_t i = 0; i < counters->n_reserved; i++)
		if (counters->reserved[i].vm >= counters->n_vms ||
			counters->reserved[i].cpu >= counters->n_cpus)
			reader_fail(reader, "observer.reserved",
				"a CPU or a VM that is not there");
	for (size_t i = 0; i < counters->n_threads; i++)
		if (counters->threads[i].vm != SIZE_MAX &&
			counters->threads[i].vm >= counters->n_vms)
			reader_fail(reader, "observer.threads", "a VM that is not there");
}

static void read_observer(
	struct reader *reader, struct json_object *json, struct basis *basis)
{
	struct counters *counters = &basis->counters;

	fields_read(reader, json, &fields_counters, "observer", counters);
	fields_read(reader, member(json, "total", json_type_object), &fields_cpu,
		"observer.total", &counters->total);
	READ_TABLE(reader, json, "cpus", &fields_cpu, counters, cpus);
	READ_TABLE(reader, json, "reserved", &fields_reservation, counters, reserved);
	READ_TABLE(reader, json, "vms", &fields_vm, counters, vms);
	READ_TABLE(reader, json, "threads", &fields_thread, counters, threads);
	READ_TABLE(reader, json, "latest", &fields_culprit, counters, culprits);
	READ_TABLE(reader, json, "culprits", &fields_culprit_tally, counters, tallies);
	check_indexes(reader, counters);
	basis->counted = true;
}

int basis_read(
	struct json_object *report, struct basis *ret_basis, struct problem *problem)
{
	struct reader reader = {.problem = problem};
	struct json_object *observer = NULL;
	struct basis basis = {};

	read_question(&reader, report, &basis);
	read_evidence(&reader, report, &basis);
	read_before(&reader, report, &basis);
	if (!json_object_object_get_ex(report, "observer", &observer))
		reader_fail(&reader, "observer", "missing");
	if (observer)
		read_observer(&reader, observer, &basis);
	else if (!basis.absent)
		reader_fail(&reader, "observer", "there is none, and no reason why");
	if (reader.error) {
		basis_deinit(&basis);
		return reader.error;
	}
	*ret_basis = basis;
	return 0;
}

struct verdict_input basis_input(const struct basis *basis)
{
	return (struct verdict_input){
		.counters = basis->counted ? &basis->counters : NULL,
		.absent = basis->absent,
		.only = basis->only,
		.unwatched = basis->unwatched,
		.degraded = basis->degraded,
		.repaired = basis->repaired,
		.culprit = basis->culprit,
		.online = &basis->online,
		.alive = basis->alive,
		.window_ns = basis->window_ns,
		.before = basis->has_before ? &basis->before : NULL,
	};
}
