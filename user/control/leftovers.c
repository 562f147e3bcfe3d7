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

/* A VM of ours, by what its group is called wherever that is. */
struct namesake {
	char *path; /* as if it was directly below the slice; owned */
	const char *name;
	const struct vm *vm;
	const struct desired_vm *desired; /* NULL: it is ignored */
};

struct search {
	const struct cycle *cycle;
	bool all;
	struct namesake *namesakes; /* by name */
	size_t n_namesakes;
	const char **places; /* groups of VMs in the tree, by name */
	size_t n_places;
	struct leftover *items;
	size_t n;
};

void leftovers_free(struct leftover *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].group);
	free(items);
}

static void search_deinit(struct search *search)
{
	for (size_t i = 0; i < search->n_namesakes; i++)
		free(search->namesakes[i].path);
	free(search->namesakes);
	free(search->places);
}

static int compare_namesakes(const void *a, const void *b)
{
	return strcmp(
		((const struct namesake *)a)->name, ((const struct namesake *)b)->name);
}

static int compare_namesake(const void *name, const void *namesake)
{
	return strcmp(name, ((const struct namesake *)namesake)->name);
}

static const char *own_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int find_namesakes(struct search *search)
{
	const struct vms *vms = &search->cycle->vms;
	const struct desired *desired = &search->cycle->desired;
	size_t next = 0;

	for (size_t i = 0; i < vms->n_items; i++) {
		bool wanted =
			next < desired->n_vms && desired->vms[next].vm == &vms->items[i];
		const struct desired_vm *vm = wanted ? &desired->vms[next++] : NULL;
		struct namesake *namesake;

		if (vms->items[i].libvirt)
			continue;
		namesake = array_push(&search->namesakes, &search->n_namesakes);
		if (namesake)
			namesake->path = vm_group_path(vms->items[i].name);
		if (!namesake || !namesake->path)
			return -ENOMEM;
		namesake->name = own_name(namesake->path);
		namesake->vm = &vms->items[i];
		namesake->desired = vm;
	}
	if (search->n_namesakes)
		qsort(search->namesakes, search->n_namesakes, sizeof(*search->namesakes),
			compare_namesakes);
	return 0;
}

/* Whose is a group of that path? NULL: no living VM's. */
static const struct namesake *find_namesake(const struct search *search, const char *path)
{
	if (!search->n_namesakes)
		return NULL;
	return bsearch(own_name(path), search->namesakes, search->n_namesakes,
		sizeof(*search->namesakes), compare_namesake);
}

static const struct vm *find_alive(
	const struct cycle *cycle, const char *name, pid_t pid, uint64_t start_time)
{
	const struct vm *vm = vms_find(&cycle->vms, name);

	if (vm && vm->pid == pid && vm->start_time == start_time)
		return vm;
	for (size_t i = 0; i < cycle->vms.n_items; i++)
		if (cycle->vms.items[i].pid == pid &&
			cycle->vms.items[i].start_time == start_time)
			return &cycle->vms.items[i];
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
	vm = find_alive(search->cycle, name, pid, start_time);
	item->alive = vm && (recorded || has_thread_below(vm, group));
	return 0;
}

/* A VM whose groups and record are to stay. */
static bool is_kept(const struct search *search, const struct desired_vm *desired)
{
	return !search->all && desired && desired->kind != DESIRED_OBSERVED;
}

/* A VM is placed in one group only: what there is of it elsewhere goes first. */
static bool is_misplaced(const struct desired_vm *desired, const char *path)
{
	return desired->kind == DESIRED_PLACED && strcmp(path, desired->groups[0].path);
}

static int compare_places(const void *a, const void *b)
{
	return strcmp(
		own_name(*(const char *const *)a), own_name(*(const char *const *)b));
}

static int find_places(struct search *search)
{
	const struct tree *tree = &search->cycle->actual.tree;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const char **place;

		if (!is_vm_group(tree->groups[i]->path))
			continue;
		place = array_push(&search->places, &search->n_places);
		if (!place)
			return -ENOMEM;
		*place = tree->groups[i]->path;
	}
	if (search->n_places)
		qsort(search->places, search->n_places, sizeof(*search->places),
			compare_places);
	return 0;
}

/*
 * Where the VM of a record has its group: there where it should not be before all, and
 * where one would be if there is none. *ret_misplaced: it should not be there. The caller
 * frees.
 */
static int find_group(const struct search *search, const char *name,
	const struct desired_vm *desired, char **ret_group, bool *ret_misplaced)
{
	cleanup_free char *direct = vm_group_path(name);
	const char *found = direct;
	bool misplaced = false;
	size_t first = 0, end = search->n_places;

	if (!direct)
		return -ENOMEM;
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(own_name(search->places[middle]), own_name(direct)) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	for (; first < search->n_places && !misplaced &&
		!strcmp(own_name(search->places[first]), own_name(direct));
		first++) {
		found = search->places[first];
		misplaced = desired && is_misplaced(desired, found);
	}
	*ret_group = strdup(found);
	*ret_misplaced = misplaced;
	return *ret_group ? 0 : -ENOMEM;
}

static int add_record(struct search *search, const struct found_vm *found)
{
	const struct vm *alive =
		find_alive(search->cycle, found->name, found->pid, found->start_time);
	const struct desired_vm *desired =
		alive ? desired_find(&search->cycle->desired, alive->name) : NULL;
	cleanup_free char *group = NULL;
	const struct namesake *namesake;
	bool misplaced;

	if (find_group(search, found->name,
		    desired && desired->layout == LAYOUT_OWN ? desired : NULL, &group,
		    &misplaced))
		return -ENOMEM;
	if (is_kept(search, desired) && !misplaced)
		return 0;
	/* The name may be another process's by now, which makes a record of its own. */
	namesake = find_namesake(search, group);
	if (!desired && namesake && is_kept(search, namesake->desired))
		return 0;
	return add(search, found->name, found->pid, found->start_time, true, group);
}

static int add_records(struct search *search)
{
	const struct actual *actual = &search->cycle->actual;
	int r = 0;

	for (size_t i = 0; !r && i < actual->n_records; i++)
		r = add_record(search, &actual->records[i]);
	return r;
}

static int add_groups(struct search *search)
{
	int r = 0;

	for (size_t i = 0; !r && i < search->n_places; i++) {
		const char *path = search->places[i];
		const struct namesake *namesake = find_namesake(search, path);

		if (namesake && is_kept(search, namesake->desired) &&
			!is_misplaced(namesake->desired, path))
			continue;
		r = add(search, namesake ? namesake->vm->name : own_name(path),
			namesake ? namesake->vm->pid : 0,
			namesake ? namesake->vm->start_time : 0, false, path);
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
		const struct vm *vm = find_alive(
			search->cycle, vms[i].name, vms[i].pid, vms[i].start_time);
		cleanup_free char *group = NULL;
		bool misplaced;

		if (!search->all && vm && desired_find(&search->cycle->desired, vm->name))
			continue;
		r = find_group(search, vms[i].name, NULL, &group, &misplaced);
		if (!r)
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
	CLEANUP(search_deinit) struct search search = {.cycle = cycle, .all = all};
	int r;

	r = find_namesakes(&search);
	if (!r)
		r = find_places(&search);
	if (!r)
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
