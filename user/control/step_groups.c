// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps that set something of a group: each reads what is there, and writes what is not
 * so already. */
#include "user/control/journal.h"

#include <errno.h>

int step_make_group(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	struct group group = {};
	int r = group_read(hierarchy_of(journal), step->path, &group, problem);

	if (!r) {
		group_deinit(&group);
		return NOTHING_TO_DO;
	}
	if (r != -ENOENT)
		return r;
	if (!journal_push(journal, STEP_REMOVE_GROUP, step->path))
		return problem_nomem(problem);
	return group_make(hierarchy_of(journal), step->path, problem);
}

int step_give_cpuset(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	struct group group = {};
	bool given;
	int r;

	if (*step->path) {
		r = group_read(hierarchy_of(journal), step->path, &group, problem);
		if (r)
			return r;
		given = group.gives_cpuset;
		group_deinit(&group);
	} else {
		given = journal->execution->cycle->actual.tree.root_gives_cpuset;
	}
	if (given)
		return NOTHING_TO_DO;
	if (!journal_push(journal, STEP_TAKE_CPUSET, step->path))
		return problem_nomem(problem);
	return group_give_cpuset(hierarchy_of(journal), step->path, true, problem);
}

int step_set_list(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	struct group group = {};
	struct cpuset now;
	struct undo *undo;
	int r;

	r = group_read(hierarchy_of(journal), step->path, &group, problem);
	if (r)
		return r;
	now = step->kind == STEP_SET_CPUS   ? group.cpus
	      : step->kind == STEP_SET_MEMS ? group.mems
					    : group.exclusive;
	group_deinit(&group);
	if (cpuset_equal(&now, &step->cpus))
		return NOTHING_TO_DO;
	undo = journal_push(journal, step->kind, step->path);
	if (!undo)
		return problem_nomem(problem);
	undo->cpus = now;
	return journal_set_list(journal, step->kind, step->path, &step->cpus, problem);
}

int step_set_partition(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	struct partition_state now;
	struct group group = {};
	struct undo *undo;
	int r;

	r = group_read(hierarchy_of(journal), step->path, &group, problem);
	if (r)
		return r;
	now = group.partition;
	group_deinit(&group);
	if (now.valid && now.kind == step->partition)
		return NOTHING_TO_DO;
	undo = journal_push(journal, STEP_SET_PARTITION, step->path);
	if (!undo)
		return problem_nomem(problem);
	undo->partition = now.kind;
	undo->valid = now.valid;
	return group_set_partition(
		hierarchy_of(journal), step->path, step->partition, problem);
}
