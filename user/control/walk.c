// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/walk.h"

#include <string.h>
#include <unistd.h>

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
		if (path_is_below(tree->groups[i].path, SLICE))
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

/* What a vCPU of libvirt's still runs on, in a partition that is invalid, is mended where
 * it is: taken back it would push the vCPU off. */
static void drop_used(const struct tree *tree, struct cpuset *cpus)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (!path_is_inside(tree->groups[i].path, SLICE) &&
			tree->groups[i].partition.kind != PARTITION_MEMBER)
			cpuset_andnot(cpus, &tree->groups[i].effective);
}

/*
 * CPUs that are neither the root's nor in any partition. Only on kernels that can lose
 * them (on 6.1 they also come back late), and only where VMs are or were placed.
 */
static int walk_lost(const struct walk *walk, struct problem *problem)
{
	const struct cycle *cycle = walk->cycle;
	struct cpuset lost = cycle->topology.online, accounted;
	struct unit unit;
	int r;

	if (cycle->hierarchy.root < 0 || !walk->tree->remote ||
		(!places_any(cycle) && !cycle->actual.has_host_record &&
			!has_groups(walk->tree)))
		return 0;
	cpuset_andnot(&lost, &walk->tree->root_effective);
	if (!cpuset_empty(&lost)) {
		r = hierarchy_accounted(&cycle->hierarchy, &accounted, problem);
		if (r)
			return r;
		cpuset_andnot(&lost, &accounted);
		drop_used(walk->tree, &lost);
	}
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

/*
 * Returns how many there were; *ret_failed: whether something of them remains; *ret_left:
 * how many VMs are still placed in libvirt's groups.
 */
static int walk_leftovers(const struct walk *walk, bool all, const char *only,
	bool *ret_failed, size_t *ret_left, struct problem *problem)
{
	struct leftover *items;
	int r, taken = 0;
	size_t n;

	*ret_left = count_in_libvirts(&walk->cycle->actual);
	r = cycle_leftovers(walk->cycle, all, &items, &n, problem);
	if (r)
		return r;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct unit unit;

		if (only && strcmp(items[i].vm.vm, only))
			continue;
		taken++;
		if (release_one(walk, &items[i], &unit))
			r = problem_nomem(problem);
		else
			r = take(walk, &unit, NULL, problem);
		*ret_failed |= r != 0;
		*ret_left -= !r && is_in_libvirts(items[i].record);
	}
	leftovers_free(items, n);
	return r < 0 ? r : taken;
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

static int walk_vms(const struct walk *walk, struct problem *problem)
{
	const struct cycle *cycle = walk->cycle;
	bool host_record = cycle->actual.has_host_record;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cycle->desired.n_vms; i++) {
		const struct desired_vm *vm = &cycle->desired.vms[i];
		struct actual_vm now = cycle->actual.vms[i];
		struct unit unit;
		bool records;

		if (vm->kind == DESIRED_PLACED && vm->layout == LAYOUT_LIBVIRT)
			now.others_claimed = claimed_by_others(walk, vm);
		if (diff_vm(vm, &now, walk->tree, host_record, &unit))
			return problem_nomem(problem);
		records = unit.n_steps && unit.steps[0].kind == STEP_RECORD_HOST;
		r = take(walk, &unit, vm, problem);
		host_record |= records && !r;
	}
	return r < 0 ? r : 0;
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
	known = !found_host_read(walk->cycle->folders.run, &host, NULL);
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
	bool failed = false;
	size_t left;
	int r = 0;

	/* What cannot be proved is not placed. */
	if (!walk->cycle->observer)
		r = take_one_step(walk, STEP_START_OBSERVER, problem);
	if (r)
		return r;
	r = walk_lost(walk, problem);
	if (r >= 0)
		r = walk_leftovers(walk, false, NULL, &failed, &left, problem);
	if (r >= 0)
		r = walk_vms(walk, problem);
	if (r >= 0 && !left && !places_any(walk->cycle))
		r = walk_host(walk, problem);
	return r < 0 ? r : 0;
}

int walk_release(const struct walk *walk, const char *vm_name, struct problem *problem)
{
	bool failed = false;
	size_t left;
	int r, n;

	n = walk_leftovers(walk, true, vm_name, &failed, &left, problem);
	if (n < 0 || failed || (vm_name && !n))
		return n;
	/* CPUs that cannot be taken back are no reason to keep the rest. */
	r = walk_lost(walk, problem);
	if (r >= 0 && !left)
		r = walk_host(walk, problem);
	if (!r && !left && !vm_name && !access(OBSERVER_DIR, F_OK))
		r = take_one_step(walk, STEP_STOP_OBSERVER, problem);
	return r < 0 ? r : n;
}
