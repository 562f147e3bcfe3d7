// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Before a step changes something, what would undo it is put on the journal's stack.
 * Where the VM's threads were is noted once, before the first that moves one.
 */
#include "user/control/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/threads.h"
#include "user/control/drift.h"
#include "user/control/give_back.h"
#include "user/control/guard.h"
#include "user/control/keep_off.h"
#include "user/control/record.h"
#include "user/base/cleanup.h"
#include "user/host/interrupts.h"
#include "user/host/proc.h"
#include "user/store/found.h"

static int do_begin_rules(struct journal *journal, struct problem *problem)
{
	struct observer *observer = journal->execution->cycle->observer;
	bool settling;
	int r;

	if (!observer)
		return problem_set(problem, -ENOENT, "no observer is running");
	r = observer_get_vm(observer, journal->unit->pid, journal->unit->start_time,
		&journal->rules, &settling);
	if (r && r != -ENOENT)
		return problem_set(
			problem, r, "cannot read the rules of VM %s", journal->unit->vm);
	journal->rules_known = !r;
	if (!journal_push(journal, STEP_BEGIN_RULES, NULL))
		return problem_nomem(problem);
	r = observer_begin(observer, &journal->vm->rules, problem);
	return r ? r
		 : drift_watch_groups(journal->execution->cycle, journal->vm, problem);
}

/* Groups that were not there when the rules began are there by now. */
static int do_commit_rules(struct journal *journal, struct problem *problem)
{
	const struct cycle *cycle = journal->execution->cycle;
	int r;

	journal->committed = true;
	r = observer_commit(cycle->observer, &journal->vm->rules, problem);
	return r ? r : drift_watch_groups(cycle, journal->vm, problem);
}

/* Called before a step that moves threads: the first time it notes where all of them are.
 */
static int note_threads(struct journal *journal, struct problem *problem)
{
	if (journal->before.n_threads)
		return 0;
	if (found_vm_of(journal->vm->vm, &journal->before) ||
		!journal_push(journal, STEP_RETURN_VM, NULL))
		return problem_nomem(problem);
	return 0;
}

static int do_move(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	pid_t pid = journal->unit->pid;
	int r;

	r = note_threads(journal, problem);
	if (r)
		return r;
	/* A thread that has ended meanwhile is no failure; its tid may be another's by
	 * now. */
	if (!proc_is_alive(pid, step->tid, step->start_time))
		return NOTHING_TO_DO;
	if (step->kind == STEP_MOVE_PROCESS)
		return process_move(hierarchy_of(journal), step->path, pid, problem);
	if (step->kind == STEP_MOVE_THREAD)
		r = thread_move(hierarchy_of(journal), step->path, step->tid, problem);
	if (r)
		return r == -ESRCH ? NOTHING_TO_DO : r;
	/* A binding that its user made earlier survives the move, and may be narrower. */
	r = thread_bind(pid, step->tid, step->start_time, &step->cpus, problem);
	return r > 0 && step->kind == STEP_MOVE_THREAD ? 0 : r;
}

static int do_record(struct journal *journal, struct problem *problem)
{
	bool is_new;
	int r = record_vm(journal->execution->cycle, journal->vm, &is_new, problem);

	if (!r && is_new && !journal_push(journal, STEP_DROP_RECORD, NULL))
		r = problem_nomem(problem);
	return r;
}

static int do_record_host(struct journal *journal, struct problem *problem)
{
	int r = record_host(journal->execution->cycle, problem);

	if (!r && !journal_push(journal, STEP_DROP_HOST_RECORD, NULL))
		r = problem_nomem(problem);
	return r;
}

static int do_return_vm(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	const struct cycle *cycle = journal->execution->cycle;
	struct found_thread main_thread = {.pid = journal->unit->pid,
		.tid = journal->unit->pid,
		.start_time = journal->unit->start_time,
		.cgroup = (char[1]){""},
		.affinity = cycle->topology.online};
	const struct found_vm none = {.pid = journal->unit->pid,
		.start_time = journal->unit->start_time,
		.threads = &main_thread,
		.n_threads = 1};
	struct found_vm found = {};
	bool known;
	int r = found_vm_read(cycle->folders.run, journal->unit->vm, &found, problem);

	if (r && !found_is_none(r))
		return r;
	known = !r &&
		found_vm_is_of(&found, journal->unit->pid, journal->unit->start_time);
	/* Without a record the root group and all CPUs are the best that is known. */
	if (step->kind == STEP_RETURN_VM)
		r = return_to_groups(cycle, known ? &found : &none,
			known && found.n_groups ? found_vm_top(&found) : SLICE, problem);
	else
		r = return_affinities(
			cycle->folders.run, known ? &found : &none, problem);
	found_vm_deinit(&found);
	return r;
}

static int do_return_host(struct journal *journal, struct problem *problem)
{
	struct found_host found;
	int r;

	r = found_host_read(journal->execution->cycle->folders.run, &found, problem);
	if (r)
		return r;
	r = keep_off(journal->execution->cycle->folders.run, &(struct cpuset){},
		&journal->execution->cycle->topology.online, problem);
	if (r >= 0)
		r = return_bindings(&found, problem);
	found_host_deinit(&found);
	return r;
}

static int do_keep_off(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	struct undo *undo =
		journal->vm ? journal_push(journal, STEP_KEEP_OFF, NULL) : NULL;

	if (undo) {
		undo->cpus = step->cpus;
		/* In a class its CPUs are the class's. */
		if (journal->vm->scheme != SCHEME_CLASS)
			cpuset_andnot(&undo->cpus, &journal->vm->reserved);
	}
	return keep_off(journal->execution->cycle->folders.run, &step->cpus,
		&journal->execution->cycle->topology.online, problem);
}

static int do_start_observer(struct journal *journal, struct problem *problem)
{
	struct cycle *cycle = journal->execution->cycle;
	CLEANUP(interrupt_counts_deinit) struct interrupt_counts counts = {};
	struct observer_wish wish = cycle_observer_wish(cycle);
	int r;

	/* Without them it counts from the boot on. */
	if (!interrupts_here(&counts, NULL))
		wish.base = &counts;
	if (cycle->observer && observer_is_current(cycle->observer, &wish))
		return NOTHING_TO_DO;
	/* A view holds what a takeover is to let go of. */
	observer_close(cycle->observer);
	cycle->observer = NULL;
	r = observer_start(OBSERVER_DIR, &wish, &cycle->observer, problem);
	/* One that could not be taken over goes on, and is as good as before. */
	if (r && observer_open(OBSERVER_DIR, &cycle->observer, NULL))
		cycle->observer = NULL;
	drift_begin_own(cycle);
	return r;
}

static int do_stop_observer(struct journal *journal, struct problem *problem)
{
	struct cycle *cycle = journal->execution->cycle;

	observer_close(cycle->observer);
	cycle->observer = NULL;
	return observer_remove(OBSERVER_DIR, problem);
}

/* That of a later process of the same name is not this unit's. */
static int do_drop_record(const struct journal *journal, struct problem *problem)
{
	const char *run = journal->execution->cycle->folders.run;
	const struct unit *unit = journal->unit;
	struct found_vm found;
	bool other = false;
	int r = unit->pid ? found_vm_read(run, unit->vm, &found, problem) : -ENOENT;

	if (r && !found_is_none(r))
		return r;
	if (!r) {
		other = !found_vm_is_of(&found, unit->pid, unit->start_time);
		found_vm_deinit(&found);
	}
	return other ? NOTHING_TO_DO : found_vm_drop(run, unit->vm, problem);
}

static int do_step(
	struct journal *journal, const struct step *step, struct problem *problem)
{
	const struct cycle *cycle = journal->execution->cycle;
	const struct unit *unit = journal->unit;

	switch (step->kind) {
	case STEP_START_OBSERVER:
		return do_start_observer(journal, problem);
	case STEP_STOP_OBSERVER:
		return do_stop_observer(journal, problem);
	case STEP_RECORD_HOST:
		return do_record_host(journal, problem);
	case STEP_RECORD:
		return do_record(journal, problem);
	case STEP_GIVE_CPUSET:
		return step_give_cpuset(journal, step, problem);
	case STEP_TAKE_CPUSET:
		return group_give_cpuset(
			hierarchy_of(journal), step->path, false, problem);
	case STEP_MAKE_GROUP:
		return step_make_group(journal, step, problem);
	case STEP_MAKE_THREADED:
		return group_make_threaded(hierarchy_of(journal), step->path, problem);
	case STEP_SET_CPUS:
	case STEP_SET_EXCLUSIVE:
	case STEP_SET_MEMS:
		return step_set_list(journal, step, problem);
	case STEP_SET_PARTITION:
		return step_set_partition(journal, step, problem);
	case STEP_BEGIN_RULES:
		return do_begin_rules(journal, problem);
	case STEP_COMMIT_RULES:
		return do_commit_rules(journal, problem);
	case STEP_FORGET_RULES:
		return cycle->observer ? observer_forget(cycle->observer, unit->pid,
						 unit->start_time)
				       : NOTHING_TO_DO;
	case STEP_MOVE_PROCESS:
	case STEP_MOVE_THREAD:
	case STEP_SET_AFFINITY:
		return do_move(journal, step, problem);
	case STEP_RETURN_VM:
	case STEP_RETURN_AFFINITY:
		return do_return_vm(journal, step, problem);
	case STEP_KEEP_OFF:
		return do_keep_off(journal, step, problem);
	case STEP_RETURN_HOST:
		return do_return_host(journal, problem);
	case STEP_RECLAIM:
		return hierarchy_reclaim(hierarchy_of(journal), &step->cpus, problem);
	case STEP_REMOVE_GROUP:
		return group_remove(hierarchy_of(journal), step->path, problem);
	case STEP_LEAVE:
		return 0;
	case STEP_DROP_RECORD:
		return do_drop_record(journal, problem);
	case STEP_DROP_HOST_RECORD:
		return found_host_drop(cycle->folders.run, problem);
	}
	return -EINVAL;
}

/* Units that give back are never undone: what is done is done, and the rest is tried all
 * the same. */
static bool gives_back(const struct unit *unit)
{
	for (size_t i = 0; i < unit->n_steps; i++)
		if (unit->steps[i].kind == STEP_FORGET_RULES ||
			unit->steps[i].kind == STEP_RECLAIM ||
			unit->steps[i].kind == STEP_RETURN_HOST ||
			unit->steps[i].kind == STEP_DROP_RECORD)
			return true;
	return false;
}

static bool drops_record(const struct step *step)
{
	return step->kind == STEP_DROP_RECORD || step->kind == STEP_DROP_HOST_RECORD;
}

/* Of the VM's own groups and threads. A thread that the rules in force do not name is one
 * that is placed for the first time. */
static bool is_repair(const struct journal *journal, const struct step *step)
{
	switch (step->kind) {
	case STEP_SET_CPUS:
	case STEP_SET_EXCLUSIVE:
	case STEP_SET_MEMS:
	case STEP_SET_PARTITION:
		return journal->vm && desired_find_group(journal->vm, step->path);
	case STEP_MOVE_PROCESS:
		return true;
	case STEP_MOVE_THREAD:
	case STEP_SET_AFFINITY:
		return rule_vm_lists(&journal->rules, step->tid, step->start_time);
	default:
		return false;
	}
}

/* What was wanted just so before, and was so, was repaired. */
static void note_placed(const struct journal *journal)
{
	struct observer *observer = journal->execution->cycle->observer;
	uint64_t fingerprint;

	if (!journal->vm || !observer)
		return;
	fingerprint = desired_fingerprint(journal->vm);
	observer_note_placed(observer, journal->unit->pid, journal->unit->start_time,
		fingerprint, journal->repairs && journal->fingerprint == fingerprint);
}

static void loosen(const struct execution *execution, const struct unit *unit, bool loose)
{
	bool changes = false;

	for (size_t i = 0; i < unit->n_steps; i++)
		changes |= unit->steps[i].kind == STEP_SET_PARTITION ||
			   unit->steps[i].kind == STEP_RECLAIM ||
			   unit->steps[i].kind == STEP_REMOVE_GROUP;
	if (changes && execution->cycle->observer)
		observer_loosen(execution->cycle->observer, loose);
}

int unit_execute(const struct execution *execution, const struct unit *unit,
	const struct desired_vm *vm, struct problem *problem)
{
	struct journal journal = {.execution = execution, .unit = unit, .vm = vm};
	bool back = gives_back(unit);
	int result = 0;

	guard_prepare(execution->cycle);
	drift_begin_own(execution->cycle);
	loosen(execution, unit, true);
	if (execution->cycle->observer)
		journal.fingerprint = observer_fingerprint(
			execution->cycle->observer, unit->pid, unit->start_time);

	for (size_t i = 0; i < unit->n_steps; i++) {
		struct problem now = {};
		int r;

		/* A record is kept until all of it was given back. */
		if (result && (!back || drops_record(&unit->steps[i])))
			continue;
		r = do_step(&journal, &unit->steps[i], &now);
		journal.repairs |= !r && is_repair(&journal, &unit->steps[i]);
		if (!r && execution->done)
			execution->done(unit, &unit->steps[i], execution->data);
		if (r >= 0 || result)
			continue;
		result = r;
		*problem = now;
		if (!*now.text)
			problem_set(problem, r, "%s: %s", step_name(unit->steps[i].kind),
				strerror(-r));
	}
	if (!result)
		note_placed(&journal);
	if (result && !back)
		journal_undo(&journal, problem);
	loosen(execution, unit, false);
	drift_end_own(execution->cycle);
	if (execution->ended)
		execution->ended(unit, result, execution->data);
	free(journal.entries);
	found_vm_deinit(&journal.before);
	rule_vm_deinit(&journal.rules);
	return result;
}
