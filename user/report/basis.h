/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a verdict stands on, as JSON and back: all that verdict_decide() is given. What is
 * read back gives the same verdict, or a report would prove nothing.
 */
#include <json-c/json.h>

#include "user/model/verdict.h"

struct basis {
	struct counters counters;
	bool counted; /* else `absent` says why */
	char *absent, *only, *unwatched, *degraded, *repaired, *culprit; /* owned */
	struct cpuset online;
	bool alive;
	uint64_t window_ns;
	struct past before; /* what was counted before the window */
	bool has_before;
};

/*
 * Adds "question" (which VM, which window), "evidence" (sentences, online CPUs), "before"
 * (the daemon's history, null without it) and "observer" (all counters, null without
 * them). `build`: which program counted.
 */
void basis_add(
	struct json_object *report, const struct verdict_input *input, uint64_t build);

/* -EINVAL with a sentence: it is not of that form. -ENOMEM. The caller owns the basis:
 * basis_deinit(). */
int basis_read(
	struct json_object *report, struct basis *ret_basis, struct problem *problem);
void basis_deinit(struct basis *basis);

/* Points into the basis. */
struct verdict_input basis_input(const struct basis *basis);

/*
 * Counters that have to agree and do not, each as a sentence, to `failed`: CPUs against
 * their sum, VMs against it (of those that are gone nothing is left, so theirs are no
 * more than it), waits against runs. Returns how many comparisons were made.
 */
size_t basis_check_sums(const struct basis *basis,
	void (*failed)(const char *sentence, void *data), void *data);
