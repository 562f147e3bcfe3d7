/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to the execution (execute.h): what would undo each step that was done. Undoing
 * needs no second plan: it is the same few actions with the values that were there. And
 * the steps that set something of a group.
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
	bool committed;	      /* the new ones are in force, whatever failed then */
	uint64_t fingerprint; /* by which it was placed: see observer_fingerprint() */
	bool repairs;	      /* a step changed what was made then */
};

/* Adds what would undo a step. The path is the step's. NULL: out of memory. */
struct undo *journal_push(struct journal *journal, enum step_kind kind, const char *path);

/* Undoes all that can be undone. The first thing that could not is added to the sentence.
 */
void journal_undo(struct journal *journal, struct problem *problem);

/* Sets what a step of that kind (cpus, exclusive CPUs, memory nodes) sets. */
int journal_set_list(const struct journal *journal, enum step_kind kind, const char *path,
	const struct cpuset *set, struct problem *problem);

/* Steps return 1 when there was nothing to do: what is already so is not written. */
enum { NOTHING_TO_DO = 1 };

/* step_groups.c */
int step_make_group(
	struct journal *journal, const struct step *step, struct problem *problem);
int step_give_cpuset(
	struct journal *journal, const struct step *step, struct problem *problem);
/* `cpuset.cpus`, `cpuset.cpus.exclusive` or `cpuset.mems`. */
int step_set_list(
	struct journal *journal, const struct step *step, struct problem *problem);
int step_set_partition(
	struct journal *journal, const struct step *step, struct problem *problem);

static inline const struct hierarchy *hierarchy_of(const struct journal *journal)
{
	return &journal->execution->cycle->hierarchy;
}
