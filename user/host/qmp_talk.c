// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A QMP session is a greeting and then one answer for each command, with events strewn in
 * (QEMU's docs/interop/qmp-spec.txt). So the talk is a list of turns: each knows the
 * member that the awaited message bears, the reader of its value, and the command that
 * leads to the next.
 *
 * JSON is handed to json-c as it comes, but a few bytes of it can cost hundreds in
 * memory: an empty object is a hash table. So opening brackets and commas are counted
 * before json-c sees them, with room for the largest honest VM and little more.
 */
#include "user/host/qmp_talk.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/vm.h"

enum {
	OPENINGS_MAX = 8 * VCPUS_MAX, /* a vCPU of query-cpus-fast has 2, an iothread 1 */
	COMMAS_MAX = 32 * VCPUS_MAX,  /* a vCPU has 8, an iothread 7 */
};

struct qmp_talk {
	json_tokener *tokener;
	bool within; /* tokener holds the start of a message */
	const struct turn *turn;
	bool to_say;
	size_t n_bytes, n_openings, n_commas, n_events;
	bool index_seen[VCPUS_MAX];
	struct qmp_answer answer;
};

struct turn {
	const char
		*member; /* of the awaited message; NULL: nothing is awaited any more */
	int (*read)(struct qmp_talk *talk, json_object *value, struct problem *problem);
	const char *name, *command; /* the command that is said after it */
};

static int read_nothing(
	struct qmp_talk *talk, json_object *value, struct problem *problem);
static int read_vcpus(struct qmp_talk *talk, json_object *value, struct problem *problem);
static int read_iothreads(
	struct qmp_talk *talk, json_object *value, struct problem *problem);

static const struct turn turns[] = {
	{"QMP", read_nothing, "greeting", "{\"execute\":\"qmp_capabilities\"}\n"},
	{"return", read_nothing, "qmp_capabilities",
		"{\"execute\":\"query-cpus-fast\"}\n"},
	{"return", read_vcpus, "query-cpus-fast", "{\"execute\":\"query-iothreads\"}\n"},
	{"return", read_iothreads, "query-iothreads", NULL},
	{NULL, NULL, NULL, NULL},
};

void qmp_answer_deinit(struct qmp_answer *answer)
{
	free(answer->vcpus);
	free(answer->iothreads);
	*answer = (struct qmp_answer){0};
}

struct qmp_talk *qmp_talk_new(void)
{
	cleanup_free struct qmp_talk *talk = calloc(1, sizeof(*talk));

	if (!talk)
		return NULL;
	talk->tokener = json_tokener_new_ex(QMP_DEPTH_MAX);
	if (!talk->tokener)
		return NULL; // cppcheck-suppress memleak ; the cleanup attribute frees it
	json_tokener_set_flags(talk->tokener, JSON_TOKENER_STRICT |
						      JSON_TOKENER_ALLOW_TRAILING_CHARS |
						      JSON_TOKENER_VALIDATE_UTF8);
	talk->turn = turns;
	return take_ptr(talk);
}

void qmp_talk_free(struct qmp_talk *talk)
{
	if (!talk)
		return;
	json_tokener_free(talk->tokener);
	qmp_answer_deinit(&talk->answer);
	free(talk);
}

/* An integer member; no float, no string, no number beyond int64 (json-c clamps those).
 */
static bool get_int(json_object *object, const char *member, int64_t max, int *ret_value)
{
	json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(object, member, &value) ||
		!json_object_is_type(value, json_type_int))
		return false;
	number = json_object_get_int64(value);
	if (number < 0 || number > max)
		return false;
	*ret_value = (int)number;
	return true;
}

static int read_nothing(
	struct qmp_talk *talk, json_object *value, struct problem *problem)
{
	(void)talk;
	if (!json_object_is_type(value, json_type_object))
		return problem_set(problem, -EBADMSG, "an object was expected");
	return 0;
}

static int read_vcpu(struct qmp_talk *talk, json_object *entry, struct problem *problem)
{
	struct told_vcpu vcpu = {0}, *slot;

	if (!json_object_is_type(entry, json_type_object) ||
		!get_int(entry, "cpu-index", VCPUS_MAX - 1, &vcpu.index))
		return problem_set(problem, -EBADMSG, "a vCPU has no valid cpu-index");
	if (!get_int(entry, "thread-id", PID_MAX, &vcpu.tid) || !vcpu.tid)
		return problem_set(
			problem, -EBADMSG, "vCPU %d has no valid thread-id", vcpu.index);
	if (talk->index_seen[vcpu.index])
		return problem_set(
			problem, -EBADMSG, "vCPU %d is named twice", vcpu.index);
	slot = array_push(&talk->answer.vcpus, &talk->answer.n_vcpus);
	if (!slot)
		return problem_nomem(problem);
	talk->index_seen[vcpu.index] = true;
	*slot = vcpu;
	return 0;
}

static int read_vcpus(struct qmp_talk *talk, json_object *value, struct problem *problem)
{
	size_t n;
	int r = 0;

	if (!json_object_is_type(value, json_type_array))
		return problem_set(problem, -EBADMSG, "a list of vCPUs was expected");
	n = json_object_array_length(value);
	if (!n)
		return problem_set(problem, -EBADMSG, "it names no vCPU");
	for (size_t i = 0; !r && i < n; i++)
		r = read_vcpu(talk, json_object_array_get_idx(value, i), problem);
	return r;
}

static int read_iothread(
	struct qmp_talk *talk, json_object *entry, struct problem *problem)
{
	struct qmp_iothread *slot;
	json_object *id;
	size_t len;
	int tid;

	if (!json_object_is_type(entry, json_type_object) ||
		!json_object_object_get_ex(entry, "id", &id) ||
		!json_object_is_type(id, json_type_string))
		return problem_set(problem, -EBADMSG, "an iothread has no valid id");
	if (!get_int(entry, "thread-id", PID_MAX, &tid) || !tid)
		return problem_set(
			problem, -EBADMSG, "an iothread has no valid thread-id");
	slot = array_push(&talk->answer.iothreads, &talk->answer.n_iothreads);
	if (!slot)
		return problem_nomem(problem);
	slot->tid = tid;
	len = strnlen(json_object_get_string(id), sizeof(slot->id) - 1);
	memcpy(slot->id, json_object_get_string(id),
		len); /* array_push() zeroed the rest */
	return 0;
}

static int read_iothreads(
	struct qmp_talk *talk, json_object *value, struct problem *problem)
{
	size_t n;
	int r = 0;

	if (!json_object_is_type(value, json_type_array))
		return problem_set(problem, -EBADMSG, "a list of iothreads was expected");
	n = json_object_array_length(value);
	if (n > IOTHREADS_MAX)
		return problem_set(problem, -EBADMSG, "it names more than %d iothreads",
			IOTHREADS_MAX);
	for (size_t i = 0; !r && i < n; i++)
		r = read_iothread(talk, json_object_array_get_idx(value, i), problem);
	return r;
}

static int take_message(
	struct qmp_talk *talk, json_object *message, struct problem *problem)
{
	json_object *value;
	int r;

	if (!json_object_is_type(message, json_type_object))
		return problem_set(problem, -EBADMSG, "a message is no object");
	if (json_object_object_get_ex(message, "event", NULL)) {
		if (++talk->n_events > QMP_EVENTS_MAX)
			return problem_set(problem, -EBADMSG,
				"more than %d events came before %s", QMP_EVENTS_MAX,
				qmp_talk_awaits(talk));
		return 0;
	}
	/* An answer before its question, or after the last one. */
	if (talk->to_say || !talk->turn->member)
		return problem_set(problem, -EBADMSG, "a message came unasked");
	if (!json_object_object_get_ex(message, talk->turn->member, &value)) {
		if (json_object_object_get_ex(message, "error", NULL))
			return problem_set(problem, -EBADMSG,
				"%s was answered with an error", qmp_talk_awaits(talk));
		return problem_set(
			problem, -EBADMSG, "a message has no \"%s\"", talk->turn->member);
	}
	r = talk->turn->read(talk, value, problem);
	if (r)
		return problem_prefix(problem, r, "%s", qmp_talk_awaits(talk));
	talk->to_say = talk->turn->command != NULL;
	talk->turn++;
	return 0;
}

static int count(
	struct qmp_talk *talk, const char *bytes, size_t len, struct problem *problem)
{
	talk->n_bytes += len;
	for (size_t i = 0; i < len; i++) {
		talk->n_openings += bytes[i] == '{' || bytes[i] == '[';
		talk->n_commas += bytes[i] == ',';
	}
	if (talk->n_bytes > QMP_BYTES_MAX || talk->n_openings > OPENINGS_MAX ||
		talk->n_commas > COMMAS_MAX)
		return problem_set(
			problem, -EBADMSG, "it says more than any honest QEMU would");
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int qmp_talk_hear(
	struct qmp_talk *talk, const char *bytes, size_t len, struct problem *problem)
{
	enum json_tokener_error error;
	json_object *message;
	int r = count(talk, bytes, len, problem);

	while (!r && len) {
		size_t used = 1;

		if (!talk->within && is_space(*bytes)) {
			bytes++, len--;
			continue;
		}
		/* At most QMP_BYTES_MAX, so the length fits into an int. */
		message = json_tokener_parse_ex(talk->tokener, bytes, (int)len);
		error = json_tokener_get_error(talk->tokener);
		if (error == json_tokener_continue) {
			talk->within = true;
			return 0;
		}
		if (error != json_tokener_success)
			return problem_set(problem, -EBADMSG,
				"what it says is no valid JSON (%s)",
				json_tokener_error_desc(error));
		talk->within = false;
		used = json_tokener_get_parse_end(talk->tokener);
		r = take_message(talk, message, problem);
		json_object_put(message);
		bytes += used;
		len -= used;
	}
	return r;
}

const char *qmp_talk_say(struct qmp_talk *talk)
{
	if (!talk->to_say)
		return NULL;
	talk->to_say = false;
	return talk->turn[-1].command;
}

const char *qmp_talk_awaits(const struct qmp_talk *talk)
{
	return talk->turn->name ? talk->turn->name : "end";
}

bool qmp_talk_done(struct qmp_talk *talk, struct qmp_answer *ret_answer)
{
	if (talk->turn->member)
		return false;
	*ret_answer = talk->answer;
	talk->answer = (struct qmp_answer){0};
	return true;
}
