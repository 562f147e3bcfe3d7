/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the tables and the JSON of `status` are made of. */
#include "user/cli/cli.h"
#include "user/cli/drift.h"

struct status_view {
	struct cycle cycle;
	struct counters counters; /* zeroes without an observer */
	bool counted;
	struct cli_drift drift;
	struct owners owners;
	struct cpuset housekeeping;
};

/* What is said of a thread beside its own facts. */
struct status_standing {
	struct cpuset declared, effective;
	char partition[REASON_SIZE + 32]; /* "" outside of our groups */
	struct tally off_set;
	const struct thread_tally *tally; /* NULL: it is not counted */
};

/* status.c: of the VM's thread with that index. The counters keep the tally. */
struct status_standing status_standing_of(const struct cycle *cycle,
	const struct counters *counters, const struct desired_vm *vm, size_t index);

/* `absent`, `blind` or `running`. Whether it counts at all takes two looks: that is for
 * `check`. */
const char *status_observer_state(const struct status_view *view);

/* status_json.c: all of it, or of the VM that was asked for. -ENOMEM. */
int status_print_json(const struct request *request, const struct status_view *view);
