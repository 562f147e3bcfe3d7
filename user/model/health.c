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

static int check_groups(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	struct cpuset left = vm->groups[0].cpus;
	int r = check_partition(tree, SLICE,
		tree->remote ? PARTITION_MEMBER : PARTITION_ROOT, ret_reason);

	for (size_t i = 0; !r && i < vm->n_groups; i++) {
		r = check_partition(
			tree, vm->groups[i].path, vm->groups[i].partition, ret_reason);
		if (i && vm->groups[i].partition != PARTITION_MEMBER)
			cpuset_andnot(&left, &vm->groups[i].cpus);
	}
	if (!r)
		r = check_claim(tree, SLICE, &vm->groups[0].cpus, ret_reason);
	if (!r)
		r = check_claim(
			tree, vm->groups[0].path, &vm->groups[0].cpus, ret_reason);
	for (size_t i = 0; !r && i < vm->n_groups; i++)
		r = check_cpus(tree, &vm->groups[i], i ? &vm->groups[i].cpus : &left,
			ret_reason);
	return r;
}

static int check_threads(const struct desired_vm *vm, char **ret_reason)
{
	for (size_t i = 0; i < vm->vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->vm->threads[i];
		const struct desired_group *group = &vm->groups[vm->thread_groups[i]];
		cleanup_free char *should = NULL, *is = NULL;

		if (strcmp(thread->cgroup, group->path))
			return fault(ret_reason,
				"thread %d (%s) should be in /%s and is in /%s",
				thread->tid, thread->comm, group->path, thread->cgroup);
		if (cpuset_equal(&thread->affinity, &group->cpus))
			continue;
		should = cpulist_format(&group->cpus);
		is = cpulist_format(&thread->affinity);
		if (!should || !is)
			return -ENOMEM;
		return fault(ret_reason,
			"the affinity of thread %d (%s) should be %s and is %s",
			thread->tid, thread->comm, should, is);
	}
	return 0;
}

/* The whole proof that nobody else may come: what the VM holds is gone from the root. */
static int check_root(
	const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	struct cpuset open = vm->groups[0].cpus;
	cleanup_free char *list = NULL;

	cpuset_and(&open, &tree->root_effective);
	if (cpuset_empty(&open))
		return 0;
	list = cpulist_format(&open);
	if (!list)
		return -ENOMEM;
	return fault(ret_reason,
		"CPUs %s are still open to the whole host, whatever the partition says",
		list);
}

int health_check(const struct desired_vm *vm, const struct tree *tree, char **ret_reason)
{
	char *reason = NULL;
	int r;

	r = check_groups(vm, tree, &reason);
	if (!r)
		r = check_root(vm, tree, &reason);
	if (!r)
		r = check_threads(vm, &reason);
	if (r < 0)
		return r;
	*ret_reason = reason;
	return 0;
}
