// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

static const char *const step_names[] = {
	[STEP_START_OBSERVER] = "start-observer",
	[STEP_STOP_OBSERVER] = "stop-observer",
	[STEP_RECORD_HOST] = "record-host",
	[STEP_RECORD] = "record",
	[STEP_GIVE_CPUSET] = "give-cpuset",
	[STEP_TAKE_CPUSET] = "take-cpuset",
	[STEP_MAKE_GROUP] = "make-group",
	[STEP_MAKE_THREADED] = "make-threaded",
	[STEP_SET_CPUS] = "set-cpus",
	[STEP_SET_EXCLUSIVE] = "set-exclusive",
	[STEP_SET_MEMS] = "set-mems",
	[STEP_SET_PARTITION] = "set-partition",
	[STEP_BEGIN_RULES] = "begin-rules",
	[STEP_COMMIT_RULES] = "commit-rules",
	[STEP_FORGET_RULES] = "forget-rules",
	[STEP_MOVE_PROCESS] = "move-process",
	[STEP_MOVE_THREAD] = "move-thread",
	[STEP_SET_AFFINITY] = "set-affinity",
	[STEP_RETURN_VM] = "return-vm",
	[STEP_KEEP_OFF] = "keep-off",
	[STEP_RETURN_AFFINITY] = "return-affinity",
	[STEP_RETURN_HOST] = "return-host",
	[STEP_RECLAIM] = "reclaim",
	[STEP_REMOVE_GROUP] = "remove-group",
	[STEP_LEAVE] = "leave",
	[STEP_DROP_RECORD] = "drop-record",
	[STEP_DROP_HOST_RECORD] = "drop-host-record",
};

const char *step_name(enum step_kind kind)
{
	return step_names[kind];
}

void unit_deinit(struct unit *unit)
{
	for (size_t i = 0; i < unit->n_steps; i++)
		free(unit->steps[i].path);
	free(unit->steps);
	memset(unit, 0, sizeof(*unit));
}

void plan_deinit(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_units; i++)
		unit_deinit(&plan->units[i]);
	free(plan->units);
	memset(plan, 0, sizeof(*plan));
}

struct step *unit_add(
	struct unit *unit, enum step_kind kind, const char *path, const char *why)
{
	char *copy = path ? strdup(path) : NULL;
	struct step *step = NULL;

	if (copy || !path)
		step = array_push(&unit->steps, &unit->n_steps);
	if (!step) {
		free(copy);
		return NULL;
	}
	step->kind = kind;
	step->path = copy;
	step->why = why;
	return step;
}

char *step_describe(const struct step *step, const struct unit *unit)
{
	cleanup_free char *list = cpulist_format(&step->cpus);
	const char *path = step->path ? step->path : "";
	char *text = NULL;
	int n = -1;

	if (!list)
		return NULL;
	switch (step->kind) {
	case STEP_START_OBSERVER:
		n = asprintf(&text, "start the observer");
		break;
	case STEP_STOP_OBSERVER:
		n = asprintf(&text, "stop the observer and remove its pins");
		break;
	case STEP_RECORD_HOST:
		n = asprintf(&text, "record what the host is like now");
		break;
	case STEP_RECORD:
		n = asprintf(&text, "record where the threads of %s are now", unit->vm);
		break;
	case STEP_GIVE_CPUSET:
		n = asprintf(&text, "enable cpuset below /%s", path);
		break;
	case STEP_TAKE_CPUSET:
		n = asprintf(&text, "disable cpuset below /%s", path);
		break;
	case STEP_MAKE_GROUP:
		n = asprintf(&text, "make the group /%s", path);
		break;
	case STEP_MAKE_THREADED:
		n = asprintf(&text, "make /%s threaded", path);
		break;
	case STEP_SET_CPUS:
		n = asprintf(&text, "set the CPUs of /%s to %s", path,
			*list ? list : "nothing");
		break;
	case STEP_SET_EXCLUSIVE:
		n = asprintf(&text, "set the exclusive CPUs of /%s to %s", path,
			*list ? list : "nothing");
		break;
	case STEP_SET_MEMS:
		n = asprintf(&text, "set the memory nodes of /%s to %s", path,
			*list ? list : "nothing");
		break;
	case STEP_SET_PARTITION:
		n = asprintf(&text, "set the partition of /%s to %s", path,
			partition_name(step->partition));
		break;
	case STEP_BEGIN_RULES:
		n = asprintf(&text,
			"put the rules of %s in force, runs on old CPUs settling",
			unit->vm);
		break;
	case STEP_COMMIT_RULES:
		n = asprintf(&text, "narrow the rules of %s to the new CPUs", unit->vm);
		break;
	case STEP_FORGET_RULES:
		n = asprintf(&text, "end the rules of %s", unit->vm);
		break;
	case STEP_MOVE_PROCESS:
		n = asprintf(&text, "move process %d with its threads into /%s",
			step->tid, path);
		break;
	case STEP_MOVE_THREAD:
		n = asprintf(&text, "move thread %d into /%s, on CPUs %s", step->tid,
			path, list);
		break;
	case STEP_SET_AFFINITY:
		n = asprintf(
			&text, "set the affinity of thread %d to %s", step->tid, list);
		break;
	case STEP_RETURN_VM:
		n = asprintf(&text, "return the threads of %s to where they were found",
			unit->vm);
		break;
	case STEP_RETURN_AFFINITY:
		n = asprintf(&text, "return the affinities of %s's threads", unit->vm);
		break;
	case STEP_KEEP_OFF:
		n = asprintf(&text,
			"keep kernel threads that can run elsewhere off CPUs %s",
			*list ? list : "of nobody");
		break;
	case STEP_RETURN_HOST:
		n = asprintf(&text, "return what was changed of the host's threads");
		break;
	case STEP_RECLAIM:
		n = asprintf(&text,
			"take back CPUs %s, which the kernel keeps from the host for no partition",
			*list ? list : "of nobody");
		break;
	case STEP_REMOVE_GROUP:
		n = asprintf(&text, "remove the group /%s", path);
		break;
	case STEP_LEAVE:
		n = *path ? asprintf(&text, "leave the CPUs of /%s as they are", path)
			  : asprintf(&text, "leave cpuset enabled below /");
		break;
	case STEP_DROP_RECORD:
	case STEP_DROP_HOST_RECORD:
		n = asprintf(&text, "drop the record");
		break;
	}
	return n < 0 ? NULL : text;
}
