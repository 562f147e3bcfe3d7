// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/control/lost.h"
#include "user/model/diff.h"
#include "user/store/found.h"

static int take(const struct walk *walk, struct unit *unit, const struct desired_vm *vm,
	struct problem *problem)
{
	if (unit->n_steps)
		return walk->take(unit, vm, walk->data, problem);
	unit_deinit(unit);
	return 0;
}

static int take_one_step(
	const struct walk *walk, enum step_kind kind, struct problem *problem)
{
	struct unit unit = {};

	if (!unit_add(&unit, kind, NULL, NULL))
		return problem_nomem(problem);
	return take(walk, &unit, NULL, problem);
}

static bool has_groups(const struct tree *tree)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i]->path, SLICE))
			return true;
	return false;
}

static bool places_any(const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->desired.n_vms; i++)
		if (cycle->desired.vms[i].kind == DESIRED_PLACED)
			return true;
	return false;
}

/* Only on kernels that can lose CPUs (on 6.1 they also come back late), and only where
 * VMs are or were placed. */
static int walk_lost(const struct walk *walk, struct problem *problem)
{
	const struct cycle *cycle = walk->cycle;
	struct cpuset lost;
	struct unit unit;
	int r;

	if (cycle->hierarchy.root < 0 || !walk->tree->remote ||
		(!places_any(cycle) && !cycle->actual.has_host_record &&
			!has_groups(walk->tree)))
		return 0;
	r = lost_find(cycle, walk->tree, &lost, problem);
	if (r)
		return r;
	if (cpuset_empty(&lost) && !hierarchy_has_reclaim(&cycle->hierarchy))
		return 0;
	if (diff_reclaim(&lost, walk->tree, &unit))
		return problem_nomem(problem);
	return take(walk, &unit, NULL, problem);
}

static bool is_in_libvirts(const struct found_vm *record)
{
	return record && record->n_groups;
}

static size_t count_in_libvirts(const struct actual *actual)
{
	size_t n = 0;

	for (size_t i = 0; i < actual->n_records; i++)
		n += is_in_libvirts(&actual->records[i]);
	return n;
}

static int release_one(
	const struct walk *walk, const struct leftover *item, struct unit *ret_unit)
{
	const struct actual *actual = &walk->cycle->actual;
	struct cpuset others;

	if (!is_in_libvirts(item->record))
		return diff_release(
			&item->vm, item->group, item->alive, walk->tree, ret_unit);
	others = diff_others_claims(
		walk->tree, actual->records, actual->n_records, item->vm.vm);
	return diff_release_libvirt(
		&item->vm, item->record, &others, item->alive, walk->tree, ret_unit);
}

struct given_up {
	struct leftover *items;
	size_t n;
	bool failed; /* something of them remains */
	size_t left; /* VMs that are still placed in libvirt's groups */
};

static void given_up_deinit(struct given_up *given_up)
{
	leftovers_free(given_up->items, given_up->n);
}

/* Returns how many there were. */
static int walk_leftovers(const struct walk *walk, bool all, const char *only,
	struct given_up *given_up, struct problem *problem)
{
	int r, taken = 0;

	given_up->left = count_in_libvirts(&walk->cycle->actual);
	r = cycle_leftovers(walk->cycle, all, &given_up->items, &given_up->n, problem);
	for (size_t i = 0; r >= 0 && i < given_up->n; i++) {
		const struct leftover *item = &given_up->items[i];
		struct unit unit;

		if (only && strcmp(item->vm.vm, only) && (all || item->alive))
			continue;
		taken++;
		if (release_one(walk, item, &unit))
			r = problem_nomem(problem);
		else
			r = take(walk, &unit, NULL, problem);
		given_up->failed |= r != 0;
		given_up->left -= !r && is_in_libvirts(item->record);
	}
	return r < 0 ? r : taken;
}

static bool was_given_up(const struct given_up *given_up, const struct vm *vm)
{
	for (size_t i = 0; i < given_up->n; i++)
		if (given_up->items[i].vm.pid == vm->pid &&
			given_up->items[i].vm.start_time == vm->start_time)
			return true;
	return false;
}

/* By the groups as they are after the VMs before; also of VMs whose first record was made
 * a moment ago. */
static struct cpuset claimed_by_others(
	const struct walk *walk, const struct desired_vm *except)
{
	const struct desired *desired = &walk->cycle->desired;
	const struct actual *actual = &walk->cycle->actual;
	struct cpuset cpus = diff_others_claims(
		walk->tree, actual->records, actual->n_records, except->vm->name);

	for (size_t i = 0; i < desired->n_vms; i++) {
		const struct desired_vm *vm = &desired->vms[i];
		const struct group *group =
			vm->n_groups && vm->layout == LAYOUT_LIBVIRT
				? tree_find(walk->tree, vm->groups[0].path)
				: NULL;

		if (group && vm != except)
			cpuset_or(&cpus, &group->exclusive);
	}
	return cpus;
}

struct paths {
	char **items;
	size_t n;
};

static void paths_deinit(struct paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->items[i]);
	free(paths->items);
}

/* By name, for the tree is another one after each unit. */
static int find_class_groups(const struct tree *tree, struct paths *paths)
{
	struct group_range below = tree_below(tree, SLICE);

	for (size_t i = below.first; i < below.end; i++) {
		char **path;

		if (!is_class_group(tree->groups[i]->path))
			continue;
		path = array_push(&paths->items, &paths->n);
		if (path)
			*path = strdup(tree->groups[i]->path);
		if (!path || !*path)
			return -ENOMEM;
	}
	return 0;
}

/*
 * Classes let go of CPUs, those without VMs of all. `desired` is NULL where nothing is
 * asked for. `empty`: only those that are not desired, as long as VMs are to come.
 */
static int settle_classes(const struct walk *walk, const struct desired *desired,
	bool empty, struct problem *problem)
{
	CLEANUP(paths_deinit) struct paths paths = {};
	int r = find_class_groups(walk->tree, &paths) ? problem_nomem(problem) : 0;

	for (size_t i = 0; r >= 0 && i < paths.n; i++) {
		const struct desired_class *class =
			desired ? desired_find_class(desired, paths.items[i]) : NULL;
		struct unit unit;

		if (empty && class)
			continue;
		if (diff_class_settle(paths.items[i], class ? &class->cpus : NULL,
			    walk->tree, &unit))
			r = problem_nomem(problem);
		else
			r = take(walk, &unit, NULL, problem);
	}
	return r < 0 ? r : 0;
}

struct placing {
	const struct walk *walk;
	const struct given_up *given_up;
	bool host_record;
	/* Classes that could not be brought: their VMs are left as they are. */
	struct paths failed;
};

/* Takes a unit; the first one records the host. */
static int take_placing(struct placing *placing, struct unit *unit,
	const struct desired_vm *vm, struct problem *problem)
{
	bool records = unit->n_steps && unit->steps[0].kind == STEP_RECORD_HOST;
	int r = take(placing->walk, unit, vm, problem);

	placing->host_record |= records && !r;
	return r;
}

static int walk_classes(struct placing *placing, struct problem *problem)
{
	const struct cycle *cycle = placing->walk->cycle;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cycle->desired.n_classes; i++) {
		const struct desired_class *class = &cycle->desired.classes[i];
		struct unit unit;
		char **path;

		if (diff_class(class,
			    cpuset_intersects(&cycle->actual.kernel_cpus, &class->cpus),
			    placing->walk->tree, placing->host_record, &unit))
			return problem_nomem(problem);
		r = take_placing(placing, &unit, NULL, problem);
		if (r <= 0)
			continue;
		path = array_push(&placing->failed.items, &placing->failed.n);
		if (path)
			*path = strdup(class->path);
		if (!path || !*path)
			return problem_nomem(problem);
	}
	return r < 0 ? r : 0;
}

static bool lacks_class(const struct placing *placing, const struct desired_vm *vm)
{
	for (size_t i = 0;
		vm->scheme == SCHEME_CLASS && vm->n_groups && i < placing->failed.n; i++)
		if (path_is_below(vm->groups[0].path, placing->failed.items[i]))
			return true;
	return false;
}

static int diff_one(const struct walk *walk, const struct desired_vm *vm,
	struct actual_vm *now, bool host_record, struct unit *ret_unit)
{
	if (vm->kind == DESIRED_PLACED && vm->layout == LAYOUT_LIBVIRT)
		now->others_claimed = claimed_by_others(walk, vm);
	return diff_vm(vm, now, walk->tree, host_record, ret_unit);
}

int walk_diff(const struct walk *walk, size_t index, struct unit *ret_unit)
{
	const struct cycle *cycle = walk->cycle;
	struct actual_vm now = cycle->actual.vms[index];

	return diff_one(walk, &cycle->desired.vms[index], &now,
		cycle->actual.has_host_record, ret_unit);
}

static int walk_vms(struct placing *placing, struct problem *problem)
{
	const struct walk *walk = placing->walk;
	const struct cycle *cycle = walk->cycle;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cycle->desired.n_vms; i++) {
		const struct desired_vm *vm = &cycle->desired.vms[i];
		struct actual_vm now = cycle->actual.vms[i];
		struct unit unit;

		r = 0; /* one that failed is no reason */
		if (walk->only && strcmp(vm->vm->name, walk->only))
			continue;
		if (lacks_class(placing, vm))
			continue;
		if (walk->look)
			r = walk->look(vm, walk->data, problem);
		if (r)
			return r;
		/* It is as it was found by now. */
		if (was_given_up(placing->given_up, vm->vm))
			now = (struct actual_vm){.has_strays = now.has_strays};
		if (diff_one(walk, vm, &now, placing->host_record, &unit))
			return problem_nomem(problem);
		r = take_placing(placing, &unit, vm, problem);
	}
	return r < 0 ? r : 0;
}

/* A class's group has its VMs' CPUs before they come, and until they have gone. */
static int walk_placing(
	const struct walk *walk, const struct given_up *given_up, struct problem *problem)
{
	const struct desired *desired = &walk->cycle->desired;
	struct placing placing = {.walk = walk,
		.given_up = given_up,
		.host_record = walk->cycle->actual.has_host_record};
	int r = settle_classes(walk, desired, true, problem);

	if (!r)
		r = walk_classes(&placing, problem);
	if (!r)
		r = walk_vms(&placing, problem);
	if (!r)
		r = settle_classes(walk, desired, false, problem);
	paths_deinit(&placing.failed);
	return r;
}

/* The host is given back when the last VM's group is gone. */
static int walk_host(const struct walk *walk, struct problem *problem)
{
	struct found_host host;
	struct unit unit;
	bool known, used;
	int r;

	if (walk->cycle->hierarchy.root < 0 || has_groups(walk->tree))
		return 0;
	r = found_host_read(walk->cycle->folders.run, &host, problem);
	if (r && !found_is_none(r))
		return r;
	known = !r;
	/* Only who has enabled cpuset asks whether it may be taken back. */
	used = known && !host.cpuset_given &&
	       hierarchy_uses_cpuset(&walk->cycle->hierarchy);
	r = diff_release_host(known ? &host : NULL, used, walk->tree, &unit);
	if (known)
		found_host_deinit(&host);
	return r ? problem_nomem(problem) : take(walk, &unit, NULL, problem);
}

int walk_apply(const struct walk *walk, struct problem *problem)
{
	CLEANUP(given_up_deinit) struct given_up given_up = {};
	struct observer_wish wish = cycle_observer_wish(walk->cycle);
	int r = 0;

	/* What cannot be proved is not placed. */
	if (!walk->cycle->observer || !observer_is_current(walk->cycle->observer, &wish))
		r = take_one_step(walk, STEP_START_OBSERVER, problem);
	if (r)
		return r;
	r = walk_lost(walk, problem);
	if (r >= 0)
		r = walk_leftovers(walk, false, walk->only, &given_up, problem);
	if (r >= 0)
		r = walk_placing(walk, &given_up, problem);
	if (r >= 0 && !given_up.left && !places_any(walk->cycle))
		r = walk_host(walk, problem);
	return r < 0 ? r : 0;
}

int walk_release(const struct walk *walk, const char *vm_name, struct problem *problem)
{
	CLEANUP(given_up_deinit) struct given_up given_up = {};
	int r, n;

	n = walk_leftovers(walk, true, vm_name, &given_up, problem);
	if (n < 0 || given_up.failed || (vm_name && !n))
		return n;
	/* CPUs that cannot be taken back are no reason to keep the rest. */
	r = walk_lost(walk, problem);
	if (r >= 0)
		r = settle_classes(walk, NULL, false, problem);
	if (r >= 0 && !given_up.left)
		r = walk_host(walk, problem);
	if (!r && !given_up.left && !vm_name &&
		(!access(OBSERVER_DIR, F_OK) || errno != ENOENT))
		r = take_one_step(walk, STEP_STOP_OBSERVER, problem);
	return r < 0 ? r : n;
}
