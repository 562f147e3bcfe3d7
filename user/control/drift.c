// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/drift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/proc.h"

struct found_groups {
	const struct hierarchy *hierarchy;
	struct watched_group *items;
	size_t n;
};

static int add_id(struct found_groups *groups, uint64_t id, bool shared)
{
	struct watched_group *slot;

	for (size_t i = 0; i < groups->n; i++)
		if (groups->items[i].id == id) {
			groups->items[i].shared &= shared;
			return 0;
		}
	slot = array_push(&groups->items, &groups->n);
	if (!slot)
		return -ENOMEM;
	*slot = (struct watched_group){.id = id, .shared = shared};
	return 0;
}

/* A group and those above it but the root. One that is not there yet comes later. */
static int add_path(struct found_groups *groups, const char *path, bool shared)
{
	cleanup_free char *above = strdup(path);
	uint64_t id;
	int r = 0;

	if (!above)
		return -ENOMEM;
	while (!r && *above) {
		char *slash = strrchr(above, '/');

		if (!group_id(groups->hierarchy, above, &id))
			r = add_id(groups, id, shared);
		shared = true;
		*(slash ? slash : above) = '\0';
	}
	return r;
}

static int find_groups(const struct desired_vm *vm, struct found_groups *groups)
{
	int r = 0;

	for (size_t i = 0; !r && i < vm->n_groups; i++)
		r = add_path(groups, vm->groups[i].path, false);
	for (size_t i = 0; !r && !vm->n_groups && i < vm_born(vm->vm); i++)
		r = add_path(groups, vm->vm->threads[i].cgroup, false);
	return r;
}

int drift_watch_groups(
	const struct cycle *cycle, const struct desired_vm *vm, struct problem *problem)
{
	struct found_groups groups = {.hierarchy = &cycle->hierarchy};
	int r = 0;

	if (cycle->hierarchy.root >= 0)
		r = find_groups(vm, &groups);
	if (!r)
		r = observer_watch_groups(cycle->observer, vm->vm->pid,
			vm->vm->start_time, groups.items, groups.n);
	free(groups.items);
	return r ? problem_set(problem, r,
			   "the observer cannot watch over the groups of VM %s: %s",
			   vm->vm->name, strerror(-r))
		 : 0;
}

void drift_begin_own(const struct cycle *cycle)
{
	uint64_t start_time;

	if (cycle->observer && !proc_start_time(getpid(), getpid(), &start_time))
		observer_set_controller(cycle->observer, getpid(), start_time);
}

void drift_end_own(const struct cycle *cycle)
{
	if (cycle->observer)
		observer_set_controller(cycle->observer, 0, 0);
}

void drift_attend_own(const struct cycle *cycle)
{
	uint64_t start_time;

	if (cycle->observer && !proc_start_time(getpid(), getpid(), &start_time))
		observer_add_controller(cycle->observer, getpid(), start_time);
}
