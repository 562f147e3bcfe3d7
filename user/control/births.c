// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A thread is born in the group of its maker, so a vCPU would run with the emulator until
 * somebody moves it. Instead QEMU's main thread is put into the group in which the new
 * thread belongs before its clone() begins, and put back when that returns. Who is about
 * to be born its memory tells (host/newborn.h). A QEMU whose memory tells nothing loses
 * only this: its threads are found later, as those of any other are.
 */
#include "user/control/births.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/threads.h"
#include "user/base/array.h"
#include "user/control/drift.h"
#include "user/host/unborn.h"

void births_deinit(struct births *births)
{
	for (size_t i = 0; i < births->n_items; i++)
		free(births->items[i].leaf);
	free(births->items);
	free(births->emulator);
	hierarchy_close(&births->hierarchy);
	*births = (struct births){.hierarchy.root = -1};
}

static int add_birth(
	struct births *births, const struct vm_thread *thread, const char *path)
{
	struct birth *birth = array_push(&births->items, &births->n_items);

	if (!birth)
		return -ENOMEM;
	birth->thread = *thread;
	birth->thread.cgroup = NULL;
	birth->leaf = strdup(path);
	return birth->leaf ? 0 : -ENOMEM;
}

static int births_of(const struct desired_vm *vm, struct births *ret_births)
{
	const char *emulator = vm->groups[1].path;
	struct births births = {.hierarchy.root = -1, .emulator = strdup(emulator)};
	int r = births.emulator ? 0 : -ENOMEM;

	for (size_t i = vm_born(vm->vm); !r && i < vm->vm->n_threads; i++) {
		const char *path = vm->groups[vm->thread_groups[i]].path;

		/* Whoever runs with the emulator is born there anyway. */
		if (strcmp(path, emulator))
			r = add_birth(&births, &vm->vm->threads[i], path);
	}
	if (r)
		births_deinit(&births);
	else
		*ret_births = births;
	return r;
}

int births_read(const struct folders *folders, const struct asking *asking,
	const char *vm_name, struct births *ret_births, struct problem *problem)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	const struct desired_vm *vm;
	int r;

	r = cycle_read_asking(folders, asking, &cycle, problem);
	if (r)
		return r;
	vm = desired_find(&cycle.desired, vm_name);
	if (!vm || vm->kind != DESIRED_PLACED)
		return problem_set(problem, -ESRCH, "%s is not to be placed", vm_name);
	if (births_of(vm, ret_births))
		return problem_nomem(problem);
	drift_attend_own(&cycle);
	ret_births->hierarchy = cycle.hierarchy;
	cycle.hierarchy.root = -1;
	return 0;
}

static struct birth *find_birth(const struct births *births, const char *name)
{
	for (size_t i = 0; i < births->n_items; i++)
		if (!births->items[i].done &&
			unborn_is_called(&births->items[i].thread, name))
			return &births->items[i];
	return NULL;
}

bool births_are_done(const struct births *births)
{
	for (size_t i = 0; i < births->n_items; i++)
		if (!births->items[i].done)
			return false;
	return true;
}

void births_enter(
	struct births *births, pid_t tid, uint64_t nr, const uint64_t args[SYSCALL_ARGS])
{
	char name[NEWBORN_NAME_SIZE];
	struct birth *birth;

	if (!newborn_is_birth(nr) || newborn_name(tid, nr, args, name))
		return;
	birth = find_birth(births, name);
	if (birth && !thread_move(&births->hierarchy, birth->leaf, tid, NULL))
		births->now = birth;
}

bool births_leave(struct births *births, pid_t tid, int64_t result)
{
	struct birth *birth = births->now;

	if (!birth)
		return false;
	births->now = NULL;
	birth->done = result > 0;
	/* If this fails, whoever looks afterwards finds it. */
	(void)thread_move(&births->hierarchy, births->emulator, tid, NULL);
	return birth->done;
}
