// SPDX-License-Identifier: GPL-2.0-or-later
/* Drift, for the verbs that show it: who changed what is the VMs'. */
#include "user/cli/drift.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"

int cli_drift_read(const struct cycle *cycle, struct cli_drift *ret_drift)
{
	struct cli_drift drift = {.cycle = cycle};
	int r = 0;

	if (cycle->observer)
		r = observer_read_drift(
			cycle->observer, 0, &drift.notes, &drift.n, &drift.total);
	if (!r)
		*ret_drift = drift;
	return r;
}

void cli_drift_deinit(struct cli_drift *drift)
{
	free(drift->notes);
}

/* NULL: none, or it is gone. The caller frees. */
static char *find_path(const struct cycle *cycle, uint64_t id)
{
	char *path = NULL;

	if (id && cycle->hierarchy.root >= 0)
		(void)group_path_of_id(&cycle->hierarchy, id, &path);
	return path;
}

/* With a slash in front, as in /proc/PID/cgroup. */
static void add_group(
	struct json_object *json, const char *key, const struct cycle *cycle, uint64_t id)
{
	cleanup_free char *path = find_path(cycle, id);
	struct problem text;

	if (path)
		problem_set(&text, 0, "/%s", path);
	cli_json_string(json, key, path ? text.text : NULL);
}

/* What anybody may choose, and the kernel may have cut within a character. */
static void add_text(struct json_object *json, const char *key, const char *value)
{
	struct problem text;

	problem_set(&text, 0, "%s", value);
	for (char *c = text.text; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	cli_json_string(json, key, text.text);
}

/* Whose thread or, without one, which group. */
static struct json_object *target_of(
	const struct cycle *cycle, const struct drift_note *note)
{
	struct json_object *json = json_object_new_object();
	bool thread = note->target.tid;

	if (thread) {
		cli_json_number(json, "pid", (uint64_t)note->target.tgid);
		cli_json_number(json, "tid", (uint64_t)note->target.tid);
		cli_json_string(json, "comm", note->target.comm);
	} else {
		cli_json_string(json, "pid", NULL);
		cli_json_string(json, "tid", NULL);
		cli_json_string(json, "comm", NULL);
	}
	add_group(json, "group", cycle, thread ? note->target.cgroup : note->group);
	cli_json_string(json, "file", drift_file(note->change));
	return json;
}

static struct json_object *by_of(const struct cycle *cycle, const struct drift_note *note)
{
	struct json_object *json = json_object_new_object();

	cli_json_number(json, "pid", (uint64_t)note->by.tgid);
	cli_json_number(json, "tid", (uint64_t)note->by.tid);
	cli_json_string(json, "comm", note->by.comm);
	add_group(json, "cgroup", cycle, note->by.cgroup);
	return json;
}

static void add_change(struct json_object *json, const struct cycle *cycle,
	const struct drift_note *note)
{
	switch (note->change) {
	case CHANGED_GROUP:
		add_group(json, "before", cycle, note->group);
		add_group(json, "after", cycle, note->group_to);
		return;
	case CHANGED_PARTITION:
		cli_json_string(json, "before", drift_state(note->state_before));
		cli_json_string(json, "after", drift_state(note->state_after));
		return;
	default:
		cli_json_cpus(json, "before", &note->before);
		cli_json_cpus(json, "after", &note->after);
	}
}

static struct json_object *note_json(
	const struct cycle *cycle, const struct drift_note *note)
{
	struct json_object *json = json_object_new_object();

	cli_json_string(json, "kind", drift_kind(note->change));
	cli_json_number(json, "time_ns", note->time);
	cli_json_string(json, "vm", *note->vm ? note->vm : NULL);
	json_object_object_add(json, "target", target_of(cycle, note));
	json_object_object_add(json, "by", by_of(cycle, note));
	add_change(json, cycle, note);
	if (drift_file(note->change))
		add_text(json, "text", note->text);
	else
		cli_json_string(json, "text", NULL);
	json_object_object_add(json, "result", json_object_new_int(note->result));
	return json;
}

struct json_object *cli_drift_list(const struct cli_drift *drift, const char *only)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < drift->n; i++)
		if (!only || !strcmp(drift->notes[i].vm, only) || drift->notes[i].shared)
			json_object_array_add(
				list, note_json(drift->cycle, &drift->notes[i]));
	return list;
}

static const struct drift_note *find_note(
	const struct cli_drift *drift, const struct drift_question *question)
{
	struct drift_question with_rules = *question;
	const struct actual *actual;
	struct cpuset cpus;

	if (!drift->n)
		return NULL; /* perhaps nothing was read */
	actual = &drift->cycle->actual;
	for (size_t i = 0; i < actual->n_vms; i++) {
		const struct rule_vm *rules = &actual->vms[i].rules;

		if (!actual->vms[i].rules_known || strcmp(rules->name, question->vm) != 0)
			continue;
		rule_vm_owned(rules, &cpus);
		with_rules.cpus = &cpus;
		if (question->since)
			continue;
		/* A change that was mended since, which wrote the rules anew, explains
		 * what began before that was done, and nothing that is now. */
		if (!question->time ||
			(rules->committed && question->began >= rules->committed))
			with_rules.since = rules->since;
		else if (question->began >= rules->committed_before)
			with_rules.since = rules->committed_before;
	}
	return drift_find(drift->notes, drift->n, &with_rules);
}

struct json_object *cli_drift_latest(const struct cli_drift *drift, const char *vm)
{
	const struct drift_question question = {.vm = vm};
	const struct drift_note *note = find_note(drift, &question);

	return note ? note_json(drift->cycle, note) : NULL;
}

void cli_drift_tell(const struct cli_drift *drift, const struct drift_question *question,
	struct problem *sentence)
{
	const struct drift_note *note = find_note(drift, question);
	cleanup_free char *group = note ? find_path(drift->cycle, note->by.cgroup) : NULL;
	struct problem before = *sentence;
	char who[PROBLEM_SIZE];

	if (!note)
		return;
	drift_sentence(note, group, who, sizeof(who));
	problem_set(sentence, 0, "%s; %s", before.text, who);
}
