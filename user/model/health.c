// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/health.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"

__attribute__((format(printf, 2, 3))) static int fault(
	char **ret_reason, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(ret_reason, format, args);
	va_end(args);
	if (n < 0)
		*ret_reason = NULL;
	else
		make_printable(*ret_reason);
	return n < 0 ? -ENOMEM : 1;
}

static int check_partition(const struct tree *tree, const char *path,
	enum partition wanted, char **ret_reason)
{
	const struct group *group = tree_find(tree, path);
	char state[REASON_SIZE + 32];

	if (!group || !group->has_cpuset)
		return fault(ret_reason, "the group /%s is missing", path);
	if (group->partition.valid && group->partition.kind == wanted)
		return 0;
	partition_state_format(&group->partition, state, sizeof(state));
	return fault(ret_reason, "the partition of /%s should be %s and is: %s", path,
		partition_name(wanted), state);
}

static int check_cpus(const struct tree *tree, const struct desired_group *wanted,
	const struct cpuset *effective, char **ret_reason)
{
	const struct group *group = tree_find(tree, wanted->path);
	cleanup_free char *should = NULL, *is = NULL;
	bool declared = cpuset_equal(&group->cpus, &wanted->cpus);

	if (declared && cpuset_equal(&group->effective, effective))
		return 0;
	should = cpulist_format(declared ? effective : &wanted->cpus);
	is = cpulist_format(declared ? &group->effective : &group->cpus);
	if (!should || !is)
		return -ENOMEM;
	return fault(ret_reason, "the %s of /%s should be %s and are %s",
		declared ? "effective CPUs" : "CPUs", wanted->path,
		*should ? should : "none", *is ? is : "none");
}

/* A remote partition whose claim is gone above it goes on, and is damaged for good by the
 * next change to it (6.12). */
static int check_claim(const struct tree *tree, const char *path,
	const struct cpuset *needed, char **ret_reason)
{
	const struct group *group = tree_find(tree, path);
	cleanup_free char *should = NULL, *is = NULL;

	if (!tree->remote || cpuset_subset(needed, &group->exclusive))
		return 0;
	should = cpulist_format(needed);
	is = cpulist_format(&group->exclusive);
	if (!should || !is)
		return -ENOMEM;
	return fault(ret_reason, "the exclusive CPUs of /%s should include %s and are %s",
		path, should, *is ? is : "none");
}

/* With a claim of its own a leaf would not follow its cpuset.cpus. */
static int check_own_claims(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	for (size_t i = 1; i < vm->n_groups; i++) {
		const struct group *group = tree_find(tree, vm->groups[i].path);
		cleanup_free char *is = NULL;

		if (!group || cpuset_empty(&group->exclusive))
			continue;
		is = cpulist_format(&group->exclusive);
		return is ? fault(ret_reason,
				    "the exclusive CPUs of /%s should be none and are %s",
				    vm->groups[i].path, is)
			  : -ENOMEM;
	}
	return 0;
}

/* The class's group: a partition root with at least what its VM is to have, all of it
 * effective. */
static int check_class(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	cleanup_free char *path = NULL;
	struct desired_group wanted = {};
	int r;

	r = class_of_group(vm->groups[0].path, &path);
	if (r || !path)
		return r;
	wanted.path = path;
	r = check_partition(tree, path, PARTITION_ROOT, ret_reason);
	if (r)
		return r;
	wanted.cpus = tree_find(tree, path)->cpus;
	if (!cpuset_subset(&vm->groups[0].cpus, &wanted.cpus))
		wanted.cpus = vm->groups[0].cpus;
	r = check_claim(tree, SLICE, &wanted.cpus, ret_reason);
	if (!r)
		r = check_claim(tree, path, &wanted.cpus, ret_reason);
	return r ? r : check_cpus(tree, &wanted, &wanted.cpus, ret_reason);
}

static int check_own_groups(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	bool in_class = vm->scheme == SCHEME_CLASS;
	struct cpuset left = vm->groups[0].cpus;
	int r = check_partition(tree, SLICE,
		tree->remote ? PARTITION_MEMBER : PARTITION_ROOT, ret_reason);

	if (!r && in_class)
		r = check_class(vm, tree, ret_reason);
	for (size_t i = 0; !r && i < vm->n_groups; i++) {
		r = check_partition(
			tree, vm->groups[i].path, vm->groups[i].partition, ret_reason);
		if (i && vm->groups[i].partition != PARTITION_MEMBER)
			cpuset_andnot(&left, &vm->groups[i].cpus);
	}
	if (!r && !in_class)
		r = check_claim(tree, SLICE, &vm->reserved, ret_reason);
	if (!r && !in_class)
		r = check_claim(tree, vm->groups[0].path, &vm->reserved, ret_reason);
	for (size_t i = 0; !r && i < vm->n_groups; i++)
		r = check_cpus(tree, &vm->groups[i], i ? &vm->groups[i].cpus : &left,
			ret_reason);
	return r;
}

/* A group of libvirt's that is no partition has what others leave it of its CPUs. */
static int check_shared(
	const struct tree *tree, const struct desired_group *wanted, char **ret_reason)
{
	const struct group *group = tree_find(tree, wanted->path);
	struct desired_group shared = *wanted;

	shared.cpus = group->cpus;
	if (!wanted->floats && !cpuset_equal(&group->cpus, &wanted->cpus))
		return check_cpus(tree, wanted, &wanted->cpus, ret_reason);
	if (!cpuset_empty(&group->effective) &&
		cpuset_subset(&group->effective, &wanted->cpus))
		return 0;
	return check_cpus(tree, &shared, &wanted->cpus, ret_reason);
}

static int check_libvirt_groups(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	int r = 0;

	for (size_t i = 1; !r && i < vm->n_groups; i++)
		r = check_partition(
			tree, vm->groups[i].path, vm->groups[i].partition, ret_reason);
	for (size_t i = 0; !r && i < tree->n_groups; i++)
		if (path_is_inside(vm->groups[0].path, tree->groups[i]->path))
			r = check_claim(
				tree, tree->groups[i]->path, &vm->reserved, ret_reason);
	for (size_t i = 1; !r && i < vm->n_groups; i++)
		r = vm->groups[i].partition == PARTITION_MEMBER
			    ? check_shared(tree, &vm->groups[i], ret_reason)
			    : check_cpus(tree, &vm->groups[i], &vm->groups[i].cpus,
				      ret_reason);
	return r;
}

/* To what a thread of a sound group is bound. */
static const struct cpuset *expected_affinity(const struct desired_vm *vm,
	const struct tree *tree, const struct desired_group *group)
{
	return vm->layout == LAYOUT_LIBVIRT && group->partition == PARTITION_MEMBER
		       ? &tree_find(tree, group->path)->effective
		       : &group->cpus;
}

static int check_threads(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	for (size_t i = 0; i < vm_born(vm->vm); i++) {
		const struct vm_thread *thread = &vm->vm->threads[i];
		const struct desired_group *group = &vm->groups[vm->thread_groups[i]];
		cleanup_free char *should = NULL, *is = NULL;

		if (strcmp(thread->cgroup, group->path))
			return fault(ret_reason,
				"thread %d (%s) should be in /%s and is in /%s",
				thread->tid, thread->comm, group->path, thread->cgroup);
		if (group->floats || cpuset_equal(&thread->affinity,
					     expected_affinity(vm, tree, group)))
			continue;
		should = cpulist_format(expected_affinity(vm, tree, group));
		is = cpulist_format(&thread->affinity);
		if (!should || !is)
			return -ENOMEM;
		return fault(ret_reason,
			"the affinity of thread %d (%s) should be %s and is %s",
			thread->tid, thread->comm, should, is);
	}
	return 0;
}

static int check_memory(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	const struct desired_group *wanted = &vm->groups[0];
	const struct group *group = tree_find(tree, wanted->path);
	cleanup_free char *should = NULL, *is = NULL;

	if (cpuset_empty(&wanted->mems) || cpuset_equal(&group->mems, &wanted->mems))
		return 0;
	should = cpulist_format(&wanted->mems);
	is = cpulist_format(&group->mems);
	if (!should || !is)
		return -ENOMEM;
	return fault(ret_reason, "the memory nodes of /%s should be %s and are %s",
		wanted->path, should, *is ? is : "not set");
}

/*
 * The whole proof that nobody else may come: what the VM holds is gone from the root, and
 * what is isolated the kernel counts as such. 7.2 can have a group whose own files are
 * right, and these not.
 */
static int check_root(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	struct cpuset open = vm->reserved, uncounted = {};
	cleanup_free char *list = NULL;

	if (vm->scheme == SCHEME_CLASS)
		open = vm->groups[0].cpus;
	cpuset_and(&open, &tree->root_effective);
	for (size_t i = 1; i < vm->n_groups; i++)
		if (vm->groups[i].partition == PARTITION_ISOLATED)
			cpuset_or(&uncounted, &vm->groups[i].cpus);
	cpuset_andnot(&uncounted, &tree->isolated);
	if (cpuset_empty(&open) && cpuset_empty(&uncounted))
		return 0;
	list = cpulist_format(cpuset_empty(&open) ? &uncounted : &open);
	if (!list)
		return -ENOMEM;
	if (cpuset_empty(&open))
		return fault(ret_reason,
			"the kernel does not count CPUs %s as isolated, whatever the partition "
			"says",
			list);
	return fault(ret_reason,
		"CPUs %s are still open to the whole host, whatever the partition says",
		list);
}

int health_check(const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	char *reason = NULL;
	int r;

	r = vm->layout == LAYOUT_LIBVIRT ? check_libvirt_groups(vm, tree, &reason)
					 : check_own_groups(vm, tree, &reason);
	if (!r)
		r = check_own_claims(vm, tree, &reason);
	if (!r)
		r = check_root(vm, tree, &reason);
	if (!r)
		r = check_threads(vm, tree, &reason);
	if (!r)
		r = check_memory(vm, tree, &reason);
	if (r < 0)
		return r;
	*ret_reason = reason;
	return 0;
}
