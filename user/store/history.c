// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/parse.h"
#include "user/store/json_file.h"

void history_path(const char *run_dir, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/history.jsonl", run_dir);
}

enum { OLD_PATH_SIZE = PATH_MAX + 16 };

/* 0: the youngest. */
static void path_of(const char *run_dir, int i, char ret_path[OLD_PATH_SIZE])
{
	char path[PATH_MAX];

	history_path(run_dir, path);
	snprintf(ret_path, OLD_PATH_SIZE, i ? "%s.%d" : "%s", path, i);
}

void history_drop(const char *run_dir)
{
	char path[OLD_PATH_SIZE];

	for (int i = 0; i <= HISTORY_OLD_FILES; i++) {
		path_of(run_dir, i, path);
		(void)unlink(path);
	}
}

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

void history_to_json(const struct past *past, struct json_object *json)
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

static bool get_vm(struct json_object *row, struct past_vm *vm)
{
	return get_pid(row, "pid", &vm->pid) &&
	       get_number(row, "start_time", &vm->start_time) &&
	       get_violations(row, &vm->counted);
}

static bool get_waits(struct json_object *row, struct past_waits *item)
{
	struct json_object *waits, *one;

	if (!get_pid(row, "pid", &item->pid) || !get_pid(row, "tid", &item->tid) ||
		!json_object_object_get_ex(row, "waits", &waits) ||
		!json_object_is_type(waits, json_type_array) ||
		json_object_array_length(waits) != WAIT_BUCKETS)
		return false;
	for (unsigned int i = 0; i < WAIT_BUCKETS; i++) {
		one = json_object_array_get_idx(waits, i);
		if (!json_object_is_type(one, json_type_int))
			return false;
		item->waits[i] = json_object_get_uint64(one);
	}
	return true;
}

static bool get_cpu(struct json_object *row, struct past_cpu *item)
{
	uint64_t cpu;

	if (!get_number(row, "cpu", &cpu) || cpu >= CPUSET_CPUS)
		return false;
	item->cpu = (unsigned int)cpu;
	return get_number(row, "taken_ns", &item->taken_ns);
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

static int get_vms(struct json_object *rows, struct past *past)
{
	size_t n = rows ? json_object_array_length(rows) : 0;

	for (size_t i = 0; i < n; i++) {
		struct past_vm *item = array_push(&past->vms, &past->n_vms);

		if (!item)
			return -ENOMEM;
		if (!get_vm(json_object_array_get_idx(rows, i), item))
			return -EINVAL;
	}
	return rows ? 0 : -EINVAL;
}

static int get_vcpus(struct json_object *rows, struct past *past)
{
	size_t n = rows ? json_object_array_length(rows) : 0;

	for (size_t i = 0; i < n; i++) {
		struct past_waits *item = array_push(&past->waits, &past->n_waits);

		if (!item)
			return -ENOMEM;
		if (!get_waits(json_object_array_get_idx(rows, i), item))
			return -EINVAL;
	}
	return 0;
}

static int get_cpus(struct json_object *rows, struct past *past)
{
	size_t n = rows ? json_object_array_length(rows) : 0;

	for (size_t i = 0; i < n; i++) {
		struct past_cpu *item = array_push(&past->cpus, &past->n_cpus);

		if (!item)
			return -ENOMEM;
		if (!get_cpu(json_object_array_get_idx(rows, i), item))
			return -EINVAL;
	}
	return 0;
}

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
	r = get_vms(rows_of(json, "vms"), past);
	if (!r && past->full)
		r = get_vcpus(rows_of(json, "vcpus"), past);
	if (!r && past->full)
		r = get_cpus(rows_of(json, "cpus"), past);
	return r;
}

int history_from_json(struct json_object *json, struct past *ret_past)
{
	struct past past = {};
	int r = get_past(json, &past);

	if (r)
		past_deinit(&past);
	else
		*ret_past = past;
	return r;
}

/* ---- found again ---- */

struct search {
	uint64_t start, time;
	bool full;
	char *best_line,
		*line; /* the best so far, and the latest; HISTORY_LINE_MAX bytes */
	uint64_t best, below; /* not those of that time, or later */
};

static bool find_number(const char *line, const char *key, uint64_t *ret)
{
	const char *at = strstr(line, key), *end;

	return at && !parse_u64_prefix(at + strlen(key), UINT64_MAX, &end, ret);
}

/* One that is too long, or still being written, is none. */
static bool is_whole(const char *line)
{
	size_t len = strlen(line);

	return len > 2 && !strcmp(line + len - 2, "}\n");
}

/* Only the one that it comes to is parsed. */
static void look_at(struct search *search)
{
	const char *line = search->line;
	uint64_t time, start;

	if (!is_whole(line) || !find_number(line, "\"time_ns\":", &time) ||
		!find_number(line, "\"observer_start_ns\":", &start) ||
		start != search->start || time > search->time || time < search->best ||
		time >= search->below || (search->full && !strstr(line, "\"vcpus\":")))
		return;
	search->best = time;
	strcpy(search->best_line, line);
}

static int look_into(struct search *search, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r = 0;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r == -ENOENT ? 0 : r;
	}
	while (fgets(search->line, HISTORY_LINE_MAX, file))
		look_at(search);
	if (ferror(file))
		r = -EIO;
	fclose(file);
	return r;
}

/* 1: it is no entry. */
static int parse_line(const char *line, struct past *ret_past)
{
	cleanup_json struct json_object *json = json_tokener_parse(line);
	int r = json ? history_from_json(json, ret_past) : -EINVAL;

	return r == -EINVAL ? 1 : r;
}

int history_find(const char *run_dir, uint64_t start, uint64_t time, bool full,
	struct past *ret_past)
{
	cleanup_free char *best_line = malloc(HISTORY_LINE_MAX);
	cleanup_free char *line = malloc(HISTORY_LINE_MAX);
	struct search search = {.start = start,
		.time = time,
		.full = full,
		.best_line = best_line,
		.line = line};
	char path[OLD_PATH_SIZE];
	int r = 1;

	if (!best_line || !line)
		return -ENOMEM;
	/* From the youngest on. While it is being rotated a file may be seen twice, but
	 * none is missed. */
	for (int i = 0; r > 0 && i <= HISTORY_OLD_FILES; i++) {
		path_of(run_dir, i, path);
		search.below = UINT64_MAX;
		do {
			*best_line = '\0';
			search.best = 0;
			r = look_into(&search, path);
			if (!r)
				r = *best_line ? parse_line(best_line, ret_past) : 1;
			/* What makes no sense is passed over. */
			search.below = search.best;
		} while (r > 0 && *best_line);
	}
	return r;
}
