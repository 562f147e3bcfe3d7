/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Carries out the units of classes on the fake kernel: they change nothing before the
 * host was recorded, and do nothing to the threads of their VMs. And what keeps a VM or a
 * class from being brought at all.
 */
#include "tests/unit/fake_steps.h"
#include "user/model/holders.h"

/* What a step of a class's unit may do to threads of its VMs: nothing. */
static inline bool check_class_threads(struct fake *fake, const struct step *step,
	struct cpuset before[FAKE_VMS][FAKE_THREADS])
{
	if (step->path && !fake->host_record)
		return refuse(fake, "something is changed before it was recorded");
	for (size_t i = 0; i < fake->host->vms.n_items; i++) {
		const struct vm *vm = &fake->host->vms.items[i];

		for (size_t j = 0; j < vm->n_threads; j++) {
			const struct vm_thread *thread = &vm->threads[j];

			if (cpuset_empty(&thread->affinity))
				return refuse(
					fake, "thread %d is without CPUs", thread->tid);
			if (path_is_below(thread->cgroup, fake->scope) &&
				leaves_order(fake, thread, &before[i][j], fake->scope))
				return refuse(fake, "thread %d is moved", thread->tid);
		}
	}
	return true;
}

static inline void note_affinities(
	const struct fake *fake, struct cpuset before[FAKE_VMS][FAKE_THREADS])
{
	for (size_t i = 0; i < fake->host->vms.n_items; i++)
		for (size_t j = 0; j < fake->host->vms.items[i].n_threads; j++)
			before[i][j] = fake->host->vms.items[i].threads[j].affinity;
}

/* Carries out the first `limit` steps of a class's unit. */
static inline void run_class_steps(struct fake *fake, const char *path,
	const struct unit *unit, size_t limit, const char *what)
{
	static struct cpuset before[FAKE_VMS][FAKE_THREADS];

	fake->scope = path;
	for (size_t s = 0; s < unit->n_steps && s < limit; s++) {
		bool done;

		note_affinities(fake, before);
		done = do_step(fake, unit, &unit->steps[s], NULL);
		if (done)
			settle(fake);
		if (done && check_class_threads(fake, &unit->steps[s], before))
			continue;
		fail_step(fake, unit, s, what);
	}
	fake->scope = NULL;
}

/* CPUs that another group holds the kernel refuses: the unit would be undone. */
static inline bool is_blocked(
	const struct fake *fake, const char *path, const struct cpuset *wanted)
{
	struct cpuset others = holders_other(&fake->host->tree, path);

	return cpuset_intersects(&others, wanted);
}

/* Or its class is not there, or has not what the VM is to have. */
static inline bool is_blocked_vm(const struct fake *fake, const struct desired_vm *vm)
{
	const struct group *class;

	if (vm->kind != DESIRED_PLACED || vm->layout != LAYOUT_OWN)
		return false;
	if (vm->scheme != SCHEME_CLASS)
		return is_blocked(fake, vm->groups[0].path, &vm->reserved);
	class = parent_of(&fake->host->tree, vm->groups[0].path);
	return !class || !class->gives_cpuset || !says_partition(class) ||
	       !cpuset_subset(&vm->groups[0].cpus, &class->cpus);
}

/* Brings the groups of all classes; with a limit, those steps of the first. *ret_kept:
 * one could not be had. */
static inline size_t bring_classes(
	struct fake *fake, const size_t *limit, bool *ret_kept, const char *what)
{
	const struct desired *desired = &fake->host->desired;
	size_t n = 0;

	for (size_t i = 0; i < desired->n_classes; i++) {
		const struct desired_class *class = &desired->classes[i];
		struct unit unit;

		if (is_blocked(fake, class->path, &class->cpus)) {
			*ret_kept = true;
			continue;
		}
		assert_int_equal(diff_class(class, false, &fake->host->tree,
					 fake->host_record, &unit),
			0);
		run_class_steps(
			fake, class->path, &unit, limit ? *limit : SIZE_MAX, what);
		n += unit.n_steps;
		unit_deinit(&unit);
		if (limit)
			break;
	}
	return n;
}

/* What classes no longer need; `empty`: only those that no VM is to be in. */
static inline size_t settle_classes(struct fake *fake, bool empty, const char *what)
{
	const struct desired *desired = &fake->host->desired;
	const struct tree *tree = &fake->host->tree;
	size_t n = 0;

	for (size_t i = 0; i < tree->n_groups; i++) {
		cleanup_free char *path = must(strdup(tree->groups[i]->path));
		const struct cpuset *wanted = NULL;
		struct unit unit;

		for (size_t j = 0; j < desired->n_classes; j++)
			if (!strcmp(desired->classes[j].path, path))
				wanted = &desired->classes[j].cpus;
		if (!is_class_group(path) || (empty && wanted))
			continue;
		assert_int_equal(diff_class_settle(path, wanted, tree, &unit), 0);
		run_class_steps(fake, path, &unit, SIZE_MAX, what);
		n += unit.n_steps;
		unit_deinit(&unit);
		if (!tree_find(tree, path))
			i--;
	}
	return n;
}
