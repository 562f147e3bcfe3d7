/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the daemon has written down: which of it is asked for, and the sentence that tells
 * it. Pure. Whatever is in an event may have been chosen by anybody.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/problem.h"

/* A line of events.jsonl. Texts are the owner's of the line; NULL: not told. */
struct event {
	int64_t time; /* ns since 1970 */
	const char *type;
	const char *vm; /* NULL: the host, or nobody's in particular */
	const char *class, *cause;
	const char *comm, *kind, *step, *cgroup, *text, *reason;
	int64_t pid, tid, cpu, vcpu, ns, count, lines; /* -1: not told */
	uint64_t cgroup_id;			       /* 0: not told */
	bool refused;
};

/* Types of lines, classes and causes of violations: a bit each. */
struct event_filter {
	int64_t since, until; /* both are within */
	const char *const *vms;
	size_t n_vms;	       /* 0: all */
	unsigned int kinds[2]; /* [0]: as the lines' types, [1]: of violations; 0: all */
};

/* Everything. */
void event_filter_init(struct event_filter *ret_filter);

/* Adds kinds, which commas separate. -EINVAL: one is none, and the sentence lists what
 * there is; the filter stays as it is. */
int event_filter_add_kinds(
	struct event_filter *filter, const char *list, struct problem *problem);

bool event_matches(const struct event *event, const struct event_filter *filter);

enum { EVENT_SENTENCE_SIZE = 4096 };

/*
 * What happened, in printable ASCII, cut at `size`. `group`: the path of cgroup_id, with
 * or without its leading slash; NULL: it is not known.
 */
void event_sentence(const struct event *event, const char *group, char *buf, size_t size);
