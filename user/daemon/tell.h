/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What happened, as a line of the log and an object of events.jsonl. */
#include "user/daemon/event_file.h"
#include "user/model/counters.h"
#include "user/model/drift.h"
#include "user/model/plan.h"

/* A step that changed the host. */
void tell_step(struct event_file *file, const struct unit *unit, const struct step *step);

/* A VM ("": the host) that is not as it should be; it is, or is gone. */
void tell_failure(struct event_file *file, const char *vm, const char *why);
void tell_recovery(struct event_file *file, const char *vm);

/* A VM that is there since the last look, or no longer. */
void tell_life(struct event_file *file, const char *vm, pid_t pid, bool started);

void tell_drift(struct event_file *file, const struct drift_note *note);
void tell_violation(struct event_file *file, const struct culprit *culprit);

/* So many violations, of which no more than the counters is known. */
void tell_unheard(struct event_file *file, uint64_t violations, const char *why);

/* So many changes, our own among them perhaps, whose notes others have replaced. */
void tell_unnoted(struct event_file *file, uint64_t changes);
