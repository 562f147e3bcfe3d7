/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to the execution (execute.h): what would undo each step that was done. Undoing
 * needs no second plan: it is the same few actions with the values that were there.
 */
#include "user/control/execute.h"
#include "user/model/found.h"

struct undo {
	enum step_kind kind; /* of the step that would undo */
	const char *path;    /* of the step that was done */
	struct cpuset cpus;
	enum partition partition;
	bool valid; /* what was there, with STEP_SET_PARTITION */
};

struct journal {
	const struct execution *execution;
	const struct unit *unit;
	const struct desired_vm *vm;
	struct undo *entries;
	size_t n_entries;
	struct found_vm before; /* where the threads were */
	struct rule_vm rules;	/* that were in force */
	bool rules_known;
};

/* Undoes all that can be undone. The first thing that could not is added to the sentence.
 */
void journal_undo(struct journal *journal, struct problem *problem);

/* Sets what a step of that kind (cpus, exclusive CPUs, memory nodes) sets. */
int journal_set_list(const struct journal *journal, enum step_kind kind, const char *path,
	const struct cpuset *set, struct problem *problem);

static inline const struct hierarchy *hierarchy_of(const struct journal *journal)
{
	return &journal->execution->cycle->hierarchy;
}
