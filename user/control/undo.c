// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/journal.h"

#include <errno.h>

#include "user/base/array.h"
#include "user/control/give_back.h"
#include "user/control/keep_off.h"
#include "user/store/found.h"

struct undo *journal_push(struct journal *journal, enum step_kind kind, const char *path)
{
	struct undo *undo = array_push(&journal->entries, &journal->n_entries);

	if (undo) {
		undo->kind = kind;
		undo->path = path;
	}
	return undo;
}

/* The rules of before, in force with those that are. */
static int begin_to_undo_rules(struct journal *journal)
{
	struct observer *observer = journal->execution->cycle->observer;

	if (!journal->rules_known)
		return observer_forget(
			observer, journal->unit->pid, journal->unit->start_time);
	return observer_begin(observer, &journal->rules, NULL);
}

static int undo_rules(struct journal *journal)
{
	struct observer *observer = journal->execution->cycle->observer;
	int r = begin_to_undo_rules(journal);

	if (!journal->rules_known)
		return r;
	if (!r)
		r = observer_commit(observer, &journal->rules, NULL);
	if (!r)
		observer_note_placed(observer, journal->rules.pid,
			journal->rules.start_time, journal->fingerprint, false);
	return r;
}

int journal_set_list(const struct journal *journal, enum step_kind kind, const char *path,
	const struct cpuset *set, struct problem *problem)
{
	const struct hierarchy *hierarchy = hierarchy_of(journal);

	if (kind == STEP_SET_CPUS)
		return group_set_cpus(hierarchy, path, set, problem);
	if (kind == STEP_SET_MEMS)
		return group_set_mems(hierarchy, path, set, problem);
	return group_set_exclusive(hierarchy, path, set, problem);
}

static int undo_one(
	struct journal *journal, const struct undo *undo, struct problem *problem)
{
	const struct hierarchy *hierarchy = hierarchy_of(journal);
	const char *run = journal->execution->cycle->folders.run;
	int r;

	switch (undo->kind) {
	case STEP_REMOVE_GROUP:
		return group_remove(hierarchy, undo->path, problem);
	case STEP_TAKE_CPUSET:
		return group_give_cpuset(hierarchy, undo->path, false, problem);
	case STEP_SET_CPUS:
	case STEP_SET_EXCLUSIVE:
	case STEP_SET_MEMS:
		return journal_set_list(
			journal, undo->kind, undo->path, &undo->cpus, problem);
	case STEP_SET_PARTITION:
		r = group_set_partition(hierarchy, undo->path, undo->partition, problem);
		return r && undo->valid ? r : 0;
	case STEP_KEEP_OFF:
		return keep_off(run, &undo->cpus,
			       &journal->execution->cycle->topology.online, problem) < 0
			       ? -EIO
			       : 0;
	case STEP_RETURN_VM:
		return return_to_groups(journal->execution->cycle, &journal->before,
			journal->vm->groups[0].path, problem);
	case STEP_BEGIN_RULES:
		return undo_rules(journal);
	case STEP_DROP_RECORD:
		return found_vm_drop(run, journal->unit->vm, problem) < 0 ? -EIO : 0;
	case STEP_DROP_HOST_RECORD:
		return found_host_drop(run, problem) < 0 ? -EIO : 0;
	default:
		return 0;
	}
}

void journal_undo(struct journal *journal, struct problem *problem)
{
	struct problem stuck = {}, why = *problem;
	int failed = 0;

	/* Or threads on their way back would be where they no longer belong. */
	if (journal->committed)
		(void)begin_to_undo_rules(journal);
	for (size_t i = journal->n_entries; i-- > 0;) {
		struct problem now = {};

		if (undo_one(journal, &journal->entries[i], &now) && !failed++)
			stuck = now;
	}
	/* Once more, now that the CPUs are the host's again. */
	if (journal->before.n_threads)
		return_affinities(NULL, &journal->before, NULL);
	if (failed)
		problem_set(problem, 0, "%s; undoing it failed too: %s", why.text,
			stuck.text);
	else
		problem_set(problem, 0, "%s (undone)", why.text);
}
