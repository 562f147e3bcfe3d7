// SPDX-License-Identifier: GPL-2.0-or-later
/* The VM's leaves and threads: groups for each thread class, and who sits in them. */
#include "user/model/diff_parts.h"

#include <string.h>

/* What a leaf keeps from the others: in a class nothing. virsh may write what it likes: a
 * remote partition has what is effective. */
static const struct cpuset *held_by(const struct diff *diff, const struct group *leaf)
{
	static const struct cpuset none;

	if (diff->vm->scheme == SCHEME_CLASS)
		return &none;
	if (diff->vm->layout == LAYOUT_OWN)
		return &leaf->cpus;
	return leaf->partition.kind == PARTITION_MEMBER ? &none : &leaf->effective;
}

/* Will some other leaf be given CPUs that this one, as it is now, holds? */
static bool is_in_the_way(const struct diff *diff, const struct group *leaf)
{
	for (size_t i = 1; i < diff->vm->n_groups; i++)
		if (strcmp(diff->vm->groups[i].path, leaf->path) &&
			cpuset_intersects(&diff->vm->groups[i].cpus, held_by(diff, leaf)))
			return true;
	return false;
}

/* Does some other leaf, as it is now, hold CPUs that this one will be given? */
static bool finds_in_its_way(const struct diff *diff, const struct desired_group *wanted)
{
	for (size_t i = diff->below.first; i < diff->below.end; i++) {
		const struct group *leaf = diff->tree->groups[i];

		if (strcmp(leaf->path, wanted->path) &&
			cpuset_intersects(held_by(diff, leaf), &wanted->cpus))
			return true;
	}
	return false;
}

/*
 * A remote partition does not take other CPUs: 7.2
 * then has the new ones both in it and open to the host, and the old ones in neither.
 */
static const char *why_reset_remote(const struct diff *diff, const struct group *leaf,
	const struct desired_group *wanted)
{
	if (!wanted)
		return "no thread of the VM belongs there";
	if (!leaf_has_cpus(leaf, wanted))
		return "it moves to other CPUs";
	return cpuset_intersects(&diff->tree->root_effective, &leaf->cpus)
		       ? "its CPUs are still open to the whole host"
		       : NULL;
}

/* Why a leaf must stop being a partition first, or NULL. */
static const char *why_reset(const struct diff *diff, const struct group *leaf)
{
	const struct desired_group *wanted = desired_find_group(diff->vm, leaf->path);
	const char *why = NULL;

	if (diff->rebuild || leaf->partition.kind == PARTITION_MEMBER)
		return NULL;
	if (is_in_the_way(diff, leaf))
		return "its CPUs go to another";
	if (wanted && !leaf->partition.valid)
		return "the kernel calls it invalid";
	if (wanted && !cpuset_equal(&leaf->effective, &leaf->cpus))
		return "it says valid, and has other CPUs";
	if (diff->vm->scheme == SCHEME_LEAVES)
		why = why_reset_remote(diff, leaf, wanted);
	if (why || !wanted)
		return why;
	if (leaf->partition.kind == PARTITION_ISOLATED &&
		!cpuset_subset(&leaf->cpus, &diff->tree->isolated))
		return "the kernel does not count its CPUs as isolated";
	if (finds_in_its_way(diff, wanted))
		return "its new CPUs are another's yet";
	return wanted->partition == PARTITION_MEMBER ? "it is to be none" : NULL;
}

/* Leaves that must stop being partitions: to be mended, to let go of CPUs, or to take
 * others. */
static void reset_leaves(struct diff *diff)
{
	for (size_t i = diff->below.first; i < diff->below.end; i++) {
		const struct group *leaf = diff->tree->groups[i];
		const char *why = why_reset(diff, leaf);

		if (why)
			diff_set_partition(diff, leaf->path, PARTITION_MEMBER, why);
	}
	if (diff->vm->layout == LAYOUT_LIBVIRT)
		return;
	/* A stale leaf goes only when it is empty; until then it must not share with a
	 * partition, and must be within one. */
	for (size_t i = diff->below.first; i < diff->below.end; i++) {
		const struct group *leaf = diff->tree->groups[i];
		bool out = diff->late && !cpuset_subset(&leaf->cpus, &diff->root->cpus);

		if (!desired_find_group(diff->vm, leaf->path) &&
			(out || is_in_the_way(diff, leaf)) &&
			!group_has_cpus(leaf, &diff->vm->groups[1].cpus))
			diff_set_cpus(diff, leaf->path, &diff->vm->groups[1].cpus,
				out ? "it was on CPUs of the host's"
				    : "its CPUs go to another");
	}
}

static bool keeps_partition(const struct diff *diff, const struct group *leaf,
	const struct desired_group *wanted)
{
	return group_is_partition(leaf, wanted->partition) && !diff->rebuild &&
	       !why_reset(diff, leaf);
}

static const struct group *find_leaf(
	const struct diff *diff, const struct desired_group *wanted)
{
	return tree_find_within(diff->tree, diff->below, wanted->path);
}

static void bring_leaves(struct diff *diff)
{
	static const struct cpuset none;

	for (size_t i = 1; i < diff->vm->n_groups; i++) {
		const struct desired_group *wanted = &diff->vm->groups[i];
		const struct group *leaf = find_leaf(diff, wanted);

		if (!leaf)
			diff_add(diff, STEP_MAKE_GROUP, wanted->path, NULL);
		if (!leaf || leaf->type != GROUP_THREADED)
			diff_add(diff, STEP_MAKE_THREADED, wanted->path, NULL);
		if (leaf && !cpuset_empty(&leaf->exclusive))
			diff_add(diff, STEP_SET_EXCLUSIVE, wanted->path,
				"its CPUs say it all");
		if (!leaf_has_cpus(leaf, wanted))
			diff_set_cpus(diff, wanted->path,
				wanted->floats ? &none : &wanted->cpus, NULL);
	}
}

static void make_partitions(struct diff *diff)
{
	for (size_t i = 1; i < diff->vm->n_groups; i++) {
		const struct desired_group *wanted = &diff->vm->groups[i];
		const struct group *leaf = find_leaf(diff, wanted);

		if (wanted->partition != PARTITION_MEMBER &&
			!keeps_partition(diff, leaf, wanted))
			diff_set_partition(diff, wanted->path, wanted->partition, NULL);
	}
}

/* Is a thread that is in its leaf bound as it should be? Only in a healthy leaf does its
 * affinity say anything by itself. */
static bool is_bound_well(const struct diff *diff, const struct vm_thread *thread,
	const struct desired_group *group)
{
	const struct group *leaf = find_leaf(diff, group);

	/* Where libvirt has set nothing there is nothing to be kept to. */
	if (!leaf_has_cpus(leaf, group) || group->floats)
		return true;
	/* What libvirt's other threads are left with depends on who else is there. */
	if (diff->vm->layout == LAYOUT_LIBVIRT && group->partition == PARTITION_MEMBER)
		return cpuset_equal(&thread->affinity, &leaf->effective);
	return !cpuset_equal(&leaf->effective, &group->cpus) ||
	       cpuset_equal(&thread->affinity, &group->cpus);
}

/* The main thread of a VM that is being started is where the thread is to be born that
 * it makes, until that is there: who put it there puts it back. */
static bool gives_birth(const struct diff *diff, const struct vm_thread *thread)
{
	const struct vm *facts = diff->vm->vm;

	return thread->tid == facts->pid && vm_born(facts) < facts->n_threads &&
	       desired_find_group(diff->vm, thread->cgroup) &&
	       strcmp(thread->cgroup, diff->vm->groups[0].path);
}

static void move_threads(struct diff *diff)
{
	const struct desired_vm *vm = diff->vm;
	const struct vm *facts = vm->vm;
	bool inside = true;
	struct step *step;

	for (size_t i = 0; i < vm_born(facts); i++)
		if (facts->threads[i].tid == facts->pid)
			inside = path_is_inside(
				facts->threads[i].cgroup, vm->groups[0].path);
	if (!inside) {
		step = diff_add(diff, STEP_MOVE_PROCESS, vm->groups[1].path, NULL);
		step->tid = facts->pid;
		step->start_time = facts->start_time;
		step->cpus = vm->groups[1].cpus;
	}
	for (size_t i = 0; i < vm_born(facts); i++) {
		const struct vm_thread *thread = &facts->threads[i];
		const struct desired_group *group = &vm->groups[vm->thread_groups[i]];
		enum step_kind kind = STEP_MOVE_THREAD;

		if (!inside && vm->thread_groups[i] == 1)
			continue;
		if (gives_birth(diff, thread) && strcmp(thread->cgroup, group->path))
			continue;
		if (inside && !strcmp(thread->cgroup, group->path)) {
			if (is_bound_well(diff, thread, group))
				continue;
			kind = STEP_SET_AFFINITY;
		}
		step = diff_add(diff, kind, group->path, NULL);
		step->tid = thread->tid;
		step->start_time = thread->start_time;
		step->cpus = group->cpus;
	}
}

static void drop_stale_leaves(struct diff *diff)
{
	for (size_t i = diff->below.end; i-- > diff->below.first;) {
		const char *path = diff->tree->groups[i]->path;

		if (!desired_find_group(diff->vm, path))
			diff_add(diff, STEP_REMOVE_GROUP, path,
				"no thread of the VM belongs there");
	}
}

/* Before the threads come, so that it can be undone once they have gone: later kernels
 * refuse to clear it while they are there. */
static void bring_memory(struct diff *diff)
{
	const struct desired_group *wanted = &diff->vm->groups[0];
	const struct group *top = diff->top;

	if (!cpuset_empty(&wanted->mems) &&
		(!top || !cpuset_equal(&top->mems, &wanted->mems)))
		diff_add(diff, STEP_SET_MEMS, wanted->path,
			"the kernel moves pages of the VM that are on other nodes there")
			->cpus = wanted->mems;
}

void diff_inside(struct diff *diff)
{
	reset_leaves(diff);
	bring_leaves(diff);
	diff_own_turn(diff);
	make_partitions(diff);
	bring_memory(diff);
	move_threads(diff);
	if (diff->vm->layout == LAYOUT_OWN)
		drop_stale_leaves(diff);
}
