// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/drift.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *kind, *file, *what;
} rows[DRIFT_CHANGES] = {
	[CHANGED_AFFINITY] = {"affinity", NULL, "affinity"},
	[CHANGED_CPUS] = {"cpuset", "cpuset.cpus", "cpuset.cpus"},
	[CHANGED_EXCLUSIVE] = {"cpuset", "cpuset.cpus.exclusive",
		"cpuset.cpus.exclusive"},
	[CHANGED_MEMS] = {"cpuset", "cpuset.mems", "cpuset.mems"},
	[CHANGED_PARTITION] = {"partition", "cpuset.cpus.partition",
		"cpuset.cpus.partition"},
	[CHANGED_GROUP] = {"move", NULL, "group"},
};

const char *drift_kind(enum drift_change change)
{
	return rows[change].kind;
}

const char *drift_file(enum drift_change change)
{
	return rows[change].file;
}

const char *drift_state(int state)
{
	static const char *const names[] = {
		"isolated invalid", "root invalid", "member", "root", "isolated"};

	return state >= -2 && state <= 2 ? names[state + 2] : "unknown";
}

/*
 * Has the change from CPUs to CPUs to do with where he ran? None stands for whatever the
 * group above has, and of CPUs that a note has no place for nothing is known. What takes
 * one of a VM's CPUs may end its partition, and so let somebody on all of them.
 */
static bool is_about(const struct drift_note *note, const struct drift_question *question)
{
	struct cpuset where = *question->where;

	if (drift_file(note->change) && question->cpus)
		cpuset_or(&where, question->cpus);
	return cpuset_empty(&note->before) || cpuset_empty(&note->after) ||
	       cpuset_next(&where, DRIFT_CPUS) >= 0 ||
	       cpuset_intersects(&note->before, &where) ||
	       cpuset_intersects(&note->after, &where);
}

/* Groups say for all threads in them where those run. */
static bool concerns(const struct drift_note *note, const struct drift_question *question)
{
	const struct drift_task *target = &note->target;
	bool of_group = drift_file(note->change);

	/* Where memory comes from puts nobody on a CPU. */
	if (question->time && note->change == CHANGED_MEMS)
		return false;
	if (note->shared ? !of_group : strcmp(note->vm, question->vm) != 0)
		return false;
	if (note->beside && question->cpus &&
		!cpuset_intersects(&note->before, question->cpus) &&
		!cpuset_intersects(&note->after, question->cpus))
		return false;
	if (question->time && note->time > question->time)
		return false;
	if (question->where && !is_about(note, question))
		return false;
	return !question->tid || of_group || target->tid == question->tid ||
	       (note->change == CHANGED_GROUP && target->tid == target->tgid &&
		       target->tgid == question->tgid);
}

const struct drift_note *drift_find(const struct drift_note *notes, size_t n_notes,
	const struct drift_question *question)
{
	for (size_t i = 0; i < n_notes; i++)
		if (!notes[i].result && notes[i].time >= question->since &&
			concerns(&notes[i], question))
			return &notes[i];
	return NULL;
}

void drift_sentence(
	const struct drift_note *note, const char *by_group, char *buf, size_t size)
{
	snprintf(buf, size, "%s %s %s (pid %d%s%s)", rows[note->change].what,
		note->result ? "refused to" : "changed by",
		*note->by.comm ? note->by.comm : "a task", note->by.tgid,
		by_group ? ", in /" : "", by_group ? by_group : "");
}
