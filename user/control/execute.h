/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Carries out one unit of a plan, all or nothing: each step is read back, and when one
 * fails those before it are undone in reverse order.
 */
#include "user/control/cycle.h"
#include "user/model/plan.h"

struct execution {
	struct cycle *cycle;
	/* Told of each step that changed something; may be NULL. */
	void (*done)(const struct unit *unit, const struct step *step, void *data);
	/* And of the unit's end: 0, or its failure, by which its steps were undone. */
	void (*ended)(const struct unit *unit, int result, void *data);
	void *data;
};

/*
 * `vm` is the VM that the unit is for, or NULL for units that need no more than their
 * steps. On failure the problem says what failed, and what could not be undone.
 */
int unit_execute(const struct execution *execution, const struct unit *unit,
	const struct desired_vm *vm, struct problem *problem);
