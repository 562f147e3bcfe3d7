// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is to be cleared away. A VM leaves three kinds of traces: a group in cgroupfs, a
 * record under /run, rules in the observer. After a kill any of them may be there without
 * the others, so each is looked for by itself, and one entry a VM comes out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/cycle.h"
#include "user/store/found.h"

struct search {
	const struct cycle *cycle;
	bool all;
	struct leftover *items;
	size_t n;
};

void leftovers_free(struct leftover *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].group);
	free(items);
}

static const struct vm *find_alive(
	const struct cycle *cycle, pid_t pid, uint64_t start_time)
{
	for (size_t i = 0; i < cycle->vms.n_items; i++)
		if (cycle->vms.items[i].pid == pid &&
			cycle->vms.items[i].start_time == start_time)
			return &cycle->vms.items[i];
	return NULL;
}

static const struct vm *find_by_group(const struct cycle *cycle, const char *path)
{
	for (size_t i = 0; i < cycle->vms.n_items; i++) {
		cleanup_free char *group = vm_group_path(cycle->vms.items[i].name);

		if (group && !cycle->vms.items[i].libvirt && !strcmp(group, path))
			return &cycle->vms.items[i];
	}
	return NULL;
}

static bool has_thread_below(const struct vm *vm, const char *path)
{
	for (size_t i = 0; vm && i < vm->n_threads; i++)
		if (path_is_below(vm->threads[i].cgroup, path))
			return true;
	return false;
}

static int add(struct search *search, const char *name, pid_t pid, uint64_t start_time,
	bool recorded, const char *group)
{
	struct leftover *item;
	const struct actual *actual = &search->cycle->actual;
	const struct vm *vm;

	for (size_t i = 0; i < search->n; i++)
		if (!strcmp(search->items[i].group, group) &&
			(!pid || search->items[i].vm.pid == pid))
			return 0;
	item = array_push(&search->items, &search->n);
	if (item)
		item->group = strdup(group);
	if (!item || !item->group)
		return -ENOMEM;
	snprintf(item->vm.vm, sizeof(item->vm.vm), "%s", name);
	item->vm.pid = pid;
	item->vm.start_time = start_time;
	if (recorded)
		item->record = found_vm_find(actual->records, actual->n_records, name);
	/* With a record the affinities are to be returned although the groups may be gone
	 * already. */
	vm = find_alive(search->cycle, pid, start_time);
	item->alive = vm && (recorded || has_thread_below(vm, group));
	return 0;
}

/* A VM whose groups and record are to stay. */
static bool is_kept(const struct search *search, const struct vm *vm)
{
	const struct desired_vm *desired =
		vm ? desired_find(&search->cycle->desired, vm->name) : NULL;

	return !search->all && desired && desired->kind != DESIRED_OBSERVED;
}

static int add_records(struct search *search)
{
	const struct actual *actual = &search->cycle->actual;
	int r = 0;

	for (size_t i = 0; !r && i < actual->n_records; i++) {
		const struct found_vm *found = &actual->records[i];
		cleanup_free char *group = vm_group_path(found->name);

		if (!group)
			return -ENOMEM;
		if (!is_kept(search,
			    find_alive(search->cycle, found->pid, found->start_time)) &&
			!is_kept(search, find_by_group(search->cycle, group)))
			r = add(search, found->name, found->pid, found->start_time, true,
				group);
	}
	return r;
}

static int add_groups(struct search *search)
{
	const struct tree *tree = &search->cycle->actual.tree;
	int r = 0;

	for (size_t i = 0; !r && i < tree->n_groups; i++) {
		const char *path = tree->groups[i].path, *name = path + strlen(SLICE "/");
		const struct vm *vm;

		if (!path_is_below(path, SLICE) || strchr(name, '/'))
			continue;
		vm = find_by_group(search->cycle, path);
		if (!is_kept(search, vm))
			r = add(search, vm ? vm->name : name, vm ? vm->pid : 0,
				vm ? vm->start_time : 0, false, path);
	}
	return r;
}

static int add_rules(struct search *search)
{
	struct rule_vm *vms;
	size_t n;
	int r;

	if (!search->cycle->observer)
		return 0;
	r = observer_list_vms(search->cycle->observer, &vms, &n);
	if (r)
		return r;
	for (size_t i = 0; !r && i < n; i++) {
		const struct vm *vm =
			find_alive(search->cycle, vms[i].pid, vms[i].start_time);
		cleanup_free char *group = vm_group_path(vms[i].name);

		if (!group)
			r = -ENOMEM;
		else if (search->all || !vm ||
			 !desired_find(&search->cycle->desired, vm->name))
			r = add(search, vms[i].name, vms[i].pid, vms[i].start_time, false,
				group);
	}
	free(vms);
	return r;
}

/*
 * Without a configuration nothing is asked for, so that everything would be given up: too
 * much for a mistyped folder or one that was lost.
 */
static int check_intent(const struct search *search, struct problem *problem)
{
	const char *etc = search->cycle->folders.etc;

	if (search->all || !etc || !access(etc, F_OK))
		return 0;
	for (size_t i = 0; i < search->n; i++)
		if (search->items[i].alive)
			return problem_set(problem, -ENOENT,
				"there is no folder %s, and %s is placed: to give it back is for `cpuwarden release`",
				etc, search->items[i].vm.vm);
	return 0;
}

int cycle_leftovers(const struct cycle *cycle, bool all, struct leftover **ret_items,
	size_t *ret_n, struct problem *problem)
{
	struct search search = {.cycle = cycle, .all = all};
	int r;

	r = add_records(&search);
	if (!r)
		r = add_groups(&search);
	if (!r)
		r = add_rules(&search);
	if (r)
		problem_set(problem, r, "cannot read what is left of VMs in %s/found: %s",
			cycle->folders.run, strerror(-r));
	else
		r = check_intent(&search, problem);
	if (r) {
		leftovers_free(search.items, search.n);
		return r;
	}
	*ret_items = search.items;
	*ret_n = search.n;
	return 0;
}
