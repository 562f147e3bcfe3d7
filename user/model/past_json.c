// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/past_json.h"

#include <errno.h>
#include <limits.h>

#include "user/base/array.h"

/* ---- out ---- */

static void add_number(struct json_object *json, const char *key, uint64_t number)
{
	json_object_object_add(json, key, json_object_new_uint64(number));
}

static void add_tally(
	struct json_object *json, const char *key, const struct tally *tally)
{
	struct json_object *object;

	/* What is missing is nothing. */
	if (!tally->count && !tally->ns)
		return;
	object = json_object_new_object();
	add_number(object, "count", tally->count);
	add_number(object, "ns", tally->ns);
	json_object_object_add(json, key, object);
}

static void add_violations(struct json_object *json, const struct violations *counted)
{
	add_tally(json, "off_set", &counted->off_set);
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		add_tally(json, cause_name((enum cause)cause), &counted->foreign[cause]);
	add_tally(json, "settling", &counted->settling);
}

static struct json_object *add_row(struct json_object *rows)
{
	struct json_object *row = json_object_new_object();

	json_object_array_add(rows, row);
	return row;
}

static void add_waits(struct json_object *row, const struct past_waits *item)
{
	struct json_object *waits = json_object_new_array();

	add_number(row, "pid", (uint64_t)item->pid);
	add_number(row, "tid", (uint64_t)item->tid);
	for (unsigned int i = 0; i < WAIT_BUCKETS; i++)
		json_object_array_add(waits, json_object_new_uint64(item->waits[i]));
	json_object_object_add(row, "waits", waits);
}

static void add_rest(struct json_object *json, const struct past *past)
{
	struct json_object *waits = json_object_new_array(),
			   *cpus = json_object_new_array(), *row;

	for (size_t i = 0; i < past->n_waits; i++)
		add_waits(add_row(waits), &past->waits[i]);
	for (size_t i = 0; i < past->n_cpus; i++) {
		row = add_row(cpus);
		add_number(row, "cpu", past->cpus[i].cpu);
		add_number(row, "taken_ns", past->cpus[i].taken_ns);
	}
	json_object_object_add(json, "vcpus", waits);
	json_object_object_add(json, "cpus", cpus);
}

void past_to_json(const struct past *past, struct json_object *json)
{
	struct json_object *vms = json_object_new_array();

	add_number(json, "time_ns", past->time);
	add_number(json, "observer_start_ns", past->start);
	add_number(json, "switches", past->switches);
	add_number(json, "lost_events", past->events_lost);
	add_violations(json, &past->total);
	for (size_t i = 0; i < past->n_vms; i++) {
		struct json_object *row = add_row(vms);

		add_number(row, "pid", (uint64_t)past->vms[i].pid);
		add_number(row, "start_time", past->vms[i].start_time);
		add_violations(row, &past->vms[i].counted);
	}
	json_object_object_add(json, "vms", vms);
	if (past->full)
		add_rest(json, past);
}

/* ---- in ---- */

static bool get_number(struct json_object *json, const char *key, uint64_t *ret)
{
	struct json_object *member;

	if (!json_object_object_get_ex(json, key, &member) ||
		!json_object_is_type(member, json_type_int))
		return false;
	*ret = json_object_get_uint64(member);
	return true;
}

static bool get_tally(struct json_object *json, const char *key, struct tally *ret)
{
	struct json_object *member;

	*ret = (struct tally){};
	return !json_object_object_get_ex(json, key, &member) ||
	       (get_number(member, "count", &ret->count) &&
		       get_number(member, "ns", &ret->ns));
}

static bool get_violations(struct json_object *json, struct violations *ret)
{
	bool good = get_tally(json, "off_set", &ret->off_set) &&
		    get_tally(json, "settling", &ret->settling);

	for (int cause = 0; good && cause < CAUSE_COUNT; cause++)
		good = get_tally(
			json, cause_name((enum cause)cause), &ret->foreign[cause]);
	return good;
}

static bool get_pid(struct json_object *json, const char *key, pid_t *ret)
{
	uint64_t number;

	if (!get_number(json, key, &number) || number > INT_MAX)
		return false;
	*ret = (pid_t)number;
	return true;
}

static bool get_vm(struct json_object *row, void *item)
{
	struct past_vm *vm = item;

	return get_pid(row, "pid", &vm->pid) &&
	       get_number(row, "start_time", &vm->start_time) &&
	       get_violations(row, &vm->counted);
}

static bool get_waits(struct json_object *row, void *item)
{
	struct past_waits *vcpu = item;
	struct json_object *waits, *one;

	if (!get_pid(row, "pid", &vcpu->pid) || !get_pid(row, "tid", &vcpu->tid) ||
		!json_object_object_get_ex(row, "waits", &waits) ||
		!json_object_is_type(waits, json_type_array) ||
		json_object_array_length(waits) != WAIT_BUCKETS)
		return false;
	for (unsigned int i = 0; i < WAIT_BUCKETS; i++) {
		one = json_object_array_get_idx(waits, i);
		if (!json_object_is_type(one, json_type_int))
			return false;
		vcpu->waits[i] = json_object_get_uint64(one);
	}
	return true;
}

static bool get_cpu(struct json_object *row, void *item)
{
	struct past_cpu *taken = item;
	uint64_t cpu;

	if (!get_number(row, "cpu", &cpu) || cpu >= CPUSET_CPUS)
		return false;
	taken->cpu = (unsigned int)cpu;
	return get_number(row, "taken_ns", &taken->taken_ns);
}

/* The array of that name, or NULL. */
static struct json_object *rows_of(struct json_object *json, const char *key)
{
	struct json_object *rows;

	return json_object_object_get_ex(json, key, &rows) &&
			       json_object_is_type(rows, json_type_array)
		       ? rows
		       : NULL;
}

static int get_rows(struct json_object *rows, void **items, size_t *n_items, size_t size,
	bool (*get)(struct json_object *row, void *item))
{
	size_t n = rows ? json_object_array_length(rows) : 0;

	for (size_t i = 0; i < n; i++) {
		void *item = array_push_size(items, n_items, size);

		if (!item)
			return -ENOMEM;
		if (!get(json_object_array_get_idx(rows, i), item))
			return -EINVAL;
	}
	return rows ? 0 : -EINVAL;
}

#define GET_ROWS(json, key, items, n_items, get) \
	get_rows(rows_of(json, key), (void **)(items), n_items, sizeof(**(items)), get)

static int get_past(struct json_object *json, struct past *past)
{
	int r;

	if (!get_number(json, "time_ns", &past->time) ||
		!get_number(json, "observer_start_ns", &past->start) ||
		!get_number(json, "switches", &past->switches) ||
		!get_number(json, "lost_events", &past->events_lost) ||
		!get_violations(json, &past->total))
		return -EINVAL;
	past->full = rows_of(json, "vcpus") && rows_of(json, "cpus");
	r = GET_ROWS(json, "vms", &past->vms, &past->n_vms, get_vm);
	if (!r && past->full)
		r = GET_ROWS(json, "vcpus", &past->waits, &past->n_waits, get_waits);
	if (!r && past->full)
		r = GET_ROWS(json, "cpus", &past->cpus, &past->n_cpus, get_cpu);
	return r;
}

int past_from_json(struct json_object *json, struct past *ret_past)
{
	struct past past = {};
	int r = get_past(json, &past);

	if (r)
		past_deinit(&past);
	else
		*ret_past = past;
	return r;
}
