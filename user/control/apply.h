/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The two verbs that change a host. Their caller holds the lock (store/lock.h). */
#include "user/control/cycle.h"
#include "user/model/plan.h"

struct report {
	/* A step that changed something. NULL: nobody asks. */
	void (*done)(const struct unit *unit, const struct step *step, void *data);
	/* See struct execution. NULL: nobody asks. */
	void (*ended)(const struct unit *unit, int result, void *data);
	/* A VM, or "" for the host, that is not as it should be, and why. */
	void (*failed)(const char *vm, const char *why, void *data);
	void *data;
};

/*
 * Brings the host to what is desired: again and again until nothing is left to do, which
 * is the proof that it holds. A VM whose change fails is put back and left alone; the
 * others go on. Returns the number of VMs (the host counts as one) that are not as they
 * should be, or a negative errno.
 */
int control_apply(
	struct cycle *cycle, const struct report *report, struct problem *problem);

/*
 * The same for one VM; the others keep what they have. Only what keeps that VM from being
 * as it should be counts, and is told under its name: what else fails on the way, such as
 * clearing up after a VM that has ended, is told under other names.
 */
int control_apply_one(struct cycle *cycle, const char *vm_name,
	const struct report *report, struct problem *problem);

/*
 * Gives one VM back, or with a NULL name everything, the observer included. -ESRCH: there
 * is nothing of such a VM. Else as control_apply().
 */
int control_release(struct cycle *cycle, const char *vm_name, const struct report *report,
	struct problem *problem);
