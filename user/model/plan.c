// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

/* For scripts, and for people; step_describe() has what stands for words in braces. */
static const struct {
	const char *name, *line;
} kinds[] = {
	[STEP_START_OBSERVER] = {"start-observer", "start the observer"},
	[STEP_STOP_OBSERVER] = {"stop-observer", "stop the observer and remove its pins"},
	[STEP_RECORD_HOST] = {"record-host", "record what the host is like now"},
	[STEP_RECORD] = {"record", "record where the threads of {vm} are now"},
	[STEP_GIVE_CPUSET] = {"give-cpuset", "enable cpuset below /{path}"},
	[STEP_TAKE_CPUSET] = {"take-cpuset", "disable cpuset below /{path}"},
	[STEP_MAKE_GROUP] = {"make-group", "make the group /{path}"},
	[STEP_MAKE_THREADED] = {"make-threaded", "make /{path} threaded"},
	[STEP_SET_CPUS] = {"set-cpus", "set the CPUs of /{path} to {cpus or nothing}"},
	[STEP_SET_EXCLUSIVE] = {"set-exclusive",
		"set the exclusive CPUs of /{path} to {cpus or nothing}"},
	[STEP_SET_MEMS] = {"set-mems",
		"set the memory nodes of /{path} to {cpus or nothing}"},
	[STEP_SET_PARTITION] = {"set-partition",
		"set the partition of /{path} to {partition}"},
	[STEP_BEGIN_RULES] = {"begin-rules",
		"put the rules of {vm} in force, runs on old CPUs settling"},
	[STEP_COMMIT_RULES] = {"commit-rules",
		"narrow the rules of {vm} to the new CPUs"},
	[STEP_FORGET_RULES] = {"forget-rules", "end the rules of {vm}"},
	[STEP_MOVE_PROCESS] = {"move-process",
		"move process {tid} with its threads into /{path}"},
	[STEP_MOVE_THREAD] = {"move-thread",
		"move thread {tid} into /{path}, on CPUs {cpus}"},
	[STEP_SET_AFFINITY] = {"set-affinity",
		"set the affinity of thread {tid} to {cpus}"},
	[STEP_RETURN_VM] = {"return-vm",
		"return the threads of {vm} to where they were found"},
	[STEP_KEEP_OFF] = {"keep-off",
		"keep kernel threads that can run elsewhere off CPUs {cpus or of nobody}"},
	[STEP_RETURN_AFFINITY] = {"return-affinity",
		"return the affinities of {vm}'s threads"},
	[STEP_RETURN_HOST] = {"return-host",
		"return what was changed of the host's threads"},
	[STEP_RECLAIM] = {"reclaim",
		"take back CPUs {cpus or of nobody}, which the kernel keeps from the host for no partition"},
	[STEP_REMOVE_GROUP] = {"remove-group", "remove the group /{path}"},
	[STEP_LEAVE] = {"leave", "leave the CPUs of /{path} as they are"},
	[STEP_DROP_RECORD] = {"drop-record", "drop the record"},
	[STEP_DROP_HOST_RECORD] = {"drop-host-record", "drop the record"},
};

const char *step_name(enum step_kind kind)
{
	return kinds[kind].name;
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

/* In a line for people: a word in braces, and what stands in its place. */
struct word {
	const char *name, *text;
};

/* `line` begins with one of them. */
static const struct word *find_word(const char *line, const struct word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(line, words[i].name, strlen(words[i].name)))
			return &words[i];
	return NULL;
}

static char *fill_in(const char *line, const struct word *words, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	while (*line) {
		const struct word *word = find_word(line, words, n);

		if (word)
			fputs(word->text, to);
		else
			fputc(*line, to);
		line += word ? strlen(word->name) : 1;
	}
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

char *step_describe(const struct step *step, const struct unit *unit)
{
	cleanup_free char *list = cpulist_format(&step->cpus);
	const char *path = step->path ? step->path : "";
	const char *line = kinds[step->kind].line;
	bool any = list && *list;
	char tid[16];
	const struct word words[] = {
		{"{path}", path},
		{"{vm}", unit->vm},
		{"{cpus}", list},
		{"{cpus or nothing}", any ? list : "nothing"},
		{"{cpus or of nobody}", any ? list : "of nobody"},
		{"{partition}", partition_name(step->partition)},
		{"{tid}", tid},
	};

	if (!list)
		return NULL;
	snprintf(tid, sizeof(tid), "%d", step->tid);
	/* At the root that can only be that cpuset stays enabled. */
	if (step->kind == STEP_LEAVE && !*path)
		line = "leave cpuset enabled below /";
	return fill_in(line, words, sizeof(words) / sizeof(words[0]));
}
