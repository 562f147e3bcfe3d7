// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/tell.h"

#include <inttypes.h>

#include "user/base/cleanup.h"
#include "user/daemon/log.h"

static void add_string(struct json_object *event, const char *key, const char *value)
{
	json_object_object_add(
		event, key, value && *value ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *event, const char *key, int64_t value)
{
	json_object_object_add(event, key, json_object_new_int64(value));
}

void tell_step(struct event_file *file, const struct unit *unit, const struct step *step)
{
	cleanup_free char *text = step_describe(step, unit);
	const struct log_fields fields = {.vm = unit->vm, .cpu = -1};
	struct json_object *event = event_new("repair", 0);

	log_say(LOG_INFO, &fields, "%s", text ? text : "?");
	if (event) {
		add_string(event, "vm", unit->vm);
		add_string(event, "step", step_name(step->kind));
		add_string(event, "cgroup", step->path);
		add_string(event, "text", text);
	}
	event_file_write(file, event);
}

static void tell_state(struct event_file *file, const char *type, const char *vm,
	const char *why, int level, const char *text)
{
	const struct log_fields fields = {.vm = vm, .cpu = -1};
	struct json_object *event = event_new(type, 0);

	log_say(level, &fields, "%s", text);
	if (event) {
		add_string(event, "vm", vm);
		if (why)
			add_string(event, "reason", why);
	}
	event_file_write(file, event);
}

void tell_failure(struct event_file *file, const char *vm, const char *why)
{
	tell_state(file, "degraded", vm, why, LOG_WARNING, why);
}

void tell_recovery(struct event_file *file, const char *vm)
{
	tell_state(file, "recovered", vm, NULL, LOG_NOTICE,
		*vm ? "is as it should be again" : "the host is as it should be again");
}

void tell_life(struct event_file *file, const char *vm, pid_t pid, bool started)
{
	const struct log_fields fields = {.vm = vm, .cpu = -1};
	struct json_object *event = event_new(started ? "started" : "ended", 0);

	log_say(LOG_NOTICE, &fields, "%s (pid %d)", started ? "is there" : "has ended",
		pid);
	if (event) {
		add_string(event, "vm", vm);
		add_number(event, "pid", pid);
	}
	event_file_write(file, event);
}

void tell_drift(struct event_file *file, const struct drift_note *note)
{
	const struct log_fields fields = {.vm = note->vm, .cpu = -1};
	struct json_object *event = event_new("drift", note->time);
	char text[512];

	drift_sentence(note, NULL, text, sizeof(text));
	log_say(LOG_WARNING, &fields, "%s", text);
	if (event) {
		add_string(event, "vm", note->vm);
		add_string(event, "kind", drift_kind(note->change));
		add_number(event, "pid", note->by.tgid);
		add_number(event, "tid", note->by.tid);
		add_string(event, "comm", note->by.comm);
		add_string(event, "text", text);
		json_object_object_add(
			event, "refused", json_object_new_boolean(note->result != 0));
	}
	event_file_write(file, event);
}

void tell_violation(struct event_file *file, const struct culprit *culprit)
{
	const char *class = culprit->off_set ? "off_set" : "foreign",
		   *cause = culprit->off_set ? NULL : cause_name(culprit->cause);
	const struct log_fields fields = {.vm = culprit->vm,
		.class = class,
		.cause = cause,
		.cpu = (int)culprit->cpu};
	struct json_object *event = event_new("violation", culprit->time);

	log_say(LOG_WARNING, &fields, "%s%s%s: %s (pid %d) on CPU %u for %" PRIu64 " us",
		class, cause ? " by " : "", cause ? cause : "", culprit->comm,
		culprit->tgid, culprit->cpu, culprit->ns / 1000);
	if (event) {
		add_string(event, "vm", culprit->vm);
		add_string(event, "class", class);
		add_string(event, "cause", cause);
		add_number(event, "cpu", culprit->cpu);
		json_object_object_add(event, "vcpu",
			culprit->vcpu < 0 ? NULL : json_object_new_int64(culprit->vcpu));
		add_number(event, "pid", culprit->tgid);
		add_number(event, "tid", culprit->tid);
		add_string(event, "comm", culprit->comm);
		add_number(event, "cgroup_id", (int64_t)culprit->cgroup);
		add_number(event, "ns", (int64_t)culprit->ns);
	}
	event_file_write(file, event);
}

static void tell_number(struct event_file *file, const char *type, const char *what,
	uint64_t n, const char *why)
{
	struct json_object *event = event_new(type, 0);

	log_say(LOG_WARNING, NULL, "%" PRIu64 " more %s: %s", n, what, why);
	if (event) {
		add_number(event, "count", (int64_t)n);
		add_string(event, "reason", why);
	}
	event_file_write(file, event);
}

void tell_unheard(struct event_file *file, uint64_t violations, const char *why)
{
	tell_number(file, "violations", "violations", violations, why);
}

void tell_unnoted(struct event_file *file, uint64_t changes)
{
	tell_number(file, "drifts", "changes of affinities, groups and partitions",
		changes, "only the latest are kept, and who made these is not known");
}
