// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/base/text.h"

/* A sentence that grows. */
struct out {
	char *buf;
	size_t size, used;
};

typedef void tell_fn(const struct event *event, const char *group, struct out *out);

static tell_fn tell_violation, tell_violations, tell_drift, tell_drifts, tell_repair,
	tell_reason, tell_recovered, tell_started, tell_ended, tell_lost;

static const struct {
	const char *name;
	tell_fn *tell;
} types[] = {
	{"violation", tell_violation},
	{"violations", tell_violations},
	{"drift", tell_drift},
	{"drifts", tell_drifts},
	{"repair", tell_repair},
	{"degraded", tell_reason},
	{"recovered", tell_recovered},
	{"started", tell_started},
	{"ended", tell_ended},
	{"lost", tell_lost},
};

static const char *const classes[] = {
	"off_set", "foreign", "user", "other_vm", "own_vm", "kthread"};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Selecting ---------------------------------------------------------------------------
 */

void event_filter_init(struct event_filter *ret_filter)
{
	*ret_filter = (struct event_filter){.since = INT64_MIN, .until = INT64_MAX};
}

static bool is_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && !memcmp(word, text, len);
}

/* False: it is none. */
static bool add_kind(struct event_filter *filter, const char *text, size_t len)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (is_word(types[i].name, text, len)) {
			filter->kinds[0] |= 1u << i;
			return true;
		}
	for (size_t i = 0; i < COUNT(classes); i++)
		if (is_word(classes[i], text, len)) {
			filter->kinds[1] |= 1u << i;
			return true;
		}
	return false;
}

static int refuse_kind(const char *text, size_t len, struct problem *problem)
{
	char quoted[64], list[256] = "";
	char word[sizeof(quoted)];

	snprintf(word, sizeof(word), "%.*s", (int)(len < 60 ? len : 60), text);
	text_escape(word, quoted, sizeof(quoted));
	for (size_t i = 0; i < COUNT(types) + COUNT(classes); i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
			i < COUNT(types) ? types[i].name : classes[i - COUNT(types)]);
	}
	return problem_set(problem, -EINVAL, "'%s' is no class of events; there are %s",
		quoted, list);
}

int event_filter_add_kinds(
	struct event_filter *filter, const char *list, struct problem *problem)
{
	struct event_filter wider = *filter;

	for (const char *at = list;; at++) {
		size_t len = strcspn(at, ",");

		if (!add_kind(&wider, at, len))
			return refuse_kind(at, len, problem);
		at += len;
		if (!*at)
			break;
	}
	*filter = wider;
	return 0;
}

static bool wants_type(const struct event_filter *filter, const char *type)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if ((filter->kinds[0] & 1u << i) && !strcmp(type, types[i].name))
			return true;
	return false;
}

static bool is_kind(const struct event *event, const struct event_filter *filter)
{
	if (wants_type(filter, event->type))
		return true;
	if (strcmp(event->type, "violation") != 0)
		return false;
	for (size_t i = 0; i < COUNT(classes); i++)
		if ((filter->kinds[1] & 1u << i) &&
			((event->class && !strcmp(event->class, classes[i])) ||
				(event->cause && !strcmp(event->cause, classes[i]))))
			return true;
	return false;
}

/* What says that others were not told: whoever asks for those is to know. */
static bool tells_of_untold(const struct event *event, const struct event_filter *filter)
{
	bool violations = filter->kinds[1] || wants_type(filter, "violation"),
	     drift = wants_type(filter, "drift");

	if (event->vm)
		return false;
	if (!filter->kinds[0] && !filter->kinds[1])
		violations = drift = true;
	return (!strcmp(event->type, "violations") && violations) ||
	       (!strcmp(event->type, "drifts") && drift) || !strcmp(event->type, "lost");
}

bool event_matches(const struct event *event, const struct event_filter *filter)
{
	bool of_vm = !filter->n_vms;

	if (event->time < filter->since || event->time > filter->until)
		return false;
	if (tells_of_untold(event, filter))
		return true;
	for (size_t i = 0; event->vm && !of_vm && i < filter->n_vms; i++)
		of_vm = !strcmp(event->vm, filter->vms[i]);
	if (!of_vm)
		return false;
	return (!filter->kinds[0] && !filter->kinds[1]) || is_kind(event, filter);
}

/* Telling -----------------------------------------------------------------------------
 */

static void put(struct out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct out *out, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out->buf + out->used, out->size - out->used, format, args);
	va_end(args);
	if (n > 0)
		out->used += (size_t)n;
	if (out->used >= out->size)
		out->used = out->size - 1;
}

/* What anybody may have chosen. */
static void put_text(struct out *out, const char *text)
{
	text_escape(text, out->buf + out->used, out->size - out->used);
	out->used += strlen(out->buf + out->used);
}

static void put_who(struct out *out, const struct event *event, const char *group)
{
	put_text(out, event->comm && *event->comm ? event->comm : "a task");
	if (event->pid < 0)
		return;
	put(out, " (pid %" PRId64, event->pid);
	if (event->tid >= 0 && event->tid != event->pid)
		put(out, ", thread %" PRId64, event->tid);
	if (group) {
		put(out, ", in /");
		put_text(out, group + (*group == '/'));
	} else if (event->cgroup_id) {
		put(out, ", cgroup %" PRIu64, event->cgroup_id);
	}
	put(out, ")");
}

static void tell_violation(const struct event *event, const char *group, struct out *out)
{
	bool off_set = event->class && !strcmp(event->class, "off_set");
	char length[32];

	put_who(out, event, group);
	put(out, off_set ? " ran off its set" : " ran");
	if (event->cpu >= 0)
		put(out, " on CPU %" PRId64, event->cpu);
	if (event->vcpu >= 0)
		put(out, " (vCPU %" PRId64 ")", event->vcpu);
	if (event->ns >= 0) {
		duration_format((uint64_t)event->ns, length, sizeof(length));
		put(out, " for %s", length);
	}
	if (event->class) {
		put(out, ": ");
		put_text(out, event->class);
	}
	if (event->cause) {
		put(out, " by ");
		put_text(out, event->cause);
	}
}

/* `12 WHAT`, or `WHAT` where the number is not told. */
static void put_count(struct out *out, int64_t count, const char *what)
{
	if (count >= 0)
		put(out, "%" PRId64 " ", count);
	put(out, "%s", what);
}

static void put_reason(struct out *out, const struct event *event)
{
	if (!event->reason)
		return;
	put(out, ": ");
	put_text(out, event->reason);
}

static void tell_violations(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put_count(out, event->count, "more that are not told one by one");
	put_reason(out, event);
}

static void tell_drift(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	if (event->text) {
		put_text(out, event->text);
		if (event->tid >= 0 && event->tid != event->pid)
			put(out, ", thread %" PRId64, event->tid);
		return;
	}
	put_text(out, event->kind ? event->kind : "something");
	put(out, event->refused ? " refused to " : " changed by ");
	put_who(out, event, NULL);
}

static void tell_drifts(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put_count(out, event->count, "more changes that are not told one by one");
	put_reason(out, event);
}

static void tell_repair(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	if (event->text) {
		put_text(out, event->text);
		return;
	}
	put_text(out, event->step ? event->step : "a step that is not told");
	if (event->cgroup) {
		put(out, " /");
		put_text(out, event->cgroup);
	}
}

static void tell_reason(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put_text(out, event->reason ? event->reason : event->text ? event->text : "");
}

static void tell_recovered(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put(out, event->vm ? "is as it should be again"
			   : "the host is as it should be again");
}

static void tell_started(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put(out, "is there");
	if (event->pid >= 0)
		put(out, " (pid %" PRId64 ")", event->pid);
}

static void tell_ended(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put(out, "has ended");
	if (event->pid >= 0)
		put(out, " (pid %" PRId64 ")", event->pid);
}

static void tell_lost(const struct event *event, const char *group, struct out *out)
{
	(void)group;
	put_count(out, event->lines, "events before this one could not be written");
}

void event_sentence(const struct event *event, const char *group, char *buf, size_t size)
{
	struct out out = {.buf = buf, .size = size};
	tell_fn *tell = tell_reason; /* of a daemon that is newer than this program */

	*buf = '\0';
	for (size_t i = 0; i < COUNT(types); i++)
		if (!strcmp(event->type, types[i].name))
			tell = types[i].tell;
	tell(event, group, &out);
}
