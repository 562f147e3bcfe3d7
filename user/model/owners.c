// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/owners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/parse.h"
#include "user/model/layout.h"

const struct owner *owners_find(const struct owners *owners, unsigned int cpu)
{
	return cpuset_has(&owners->reserved, cpu) ? &owners->items[owners->by_cpu[cpu]]
						  : NULL;
}

struct cpuset owners_of_vm(const struct owners *owners, const char *vm)
{
	struct cpuset cpus = {};

	cpuset_for_each (cpu, &owners->reserved)
		if (!strcmp(owners->items[owners->by_cpu[cpu]].vm, vm))
			cpuset_add(&cpus, (unsigned int)cpu);
	return cpus;
}

void owners_deinit(struct owners *owners)
{
	free(owners->items);
	memset(owners, 0, sizeof(*owners));
}

/* Who comes last has it. */
static int add(struct owners *owners, const char *vm, size_t length, int vcpu,
	const struct cpuset *cpus)
{
	struct owner *owner;

	if (cpuset_empty(cpus))
		return 0;
	owner = array_push(&owners->items, &owners->n_items);
	if (!owner)
		return -ENOMEM;
	snprintf(owner->vm, sizeof(owner->vm), "%.*s", (int)length, vm);
	owner->vcpu = vcpu;
	cpuset_or(&owners->reserved, cpus);
	cpuset_for_each (cpu, cpus)
		owners->by_cpu[cpu] = (uint32_t)(owners->n_items - 1);
	return 0;
}

int owners_add_rules(struct owners *owners, const struct rule_vm *rules)
{
	size_t length = strlen(rules->name);
	int r = add(owners, rules->name, length, -1, &rules->owned);

	for (size_t i = 0; !r && i < rules->n_threads; i++)
		if (rules->threads[i].owns)
			r = add(owners, rules->name, length, rules->threads[i].index,
				&rules->threads[i].set);
	return r;
}

/* N of TOP/vcpuN, or -1. */
static int vcpu_of(const char *path, const char *top)
{
	static const char leaf[] = "/vcpu";
	uint64_t index;

	path += strlen(top);
	if (strncmp(path, leaf, strlen(leaf)) ||
		parse_u64(path + strlen(leaf), VCPUS_MAX - 1, &index))
		return -1;
	return (int)index;
}

static int add_inside(struct owners *owners, const struct tree *tree, const char *top,
	const char *vm, size_t length)
{
	int r = 0;

	/* The VM's group comes before its leaves. */
	for (size_t i = 0; !r && i < tree->n_groups; i++) {
		const struct group *group = tree->groups[i];

		if (partition_holds(&group->partition) &&
			path_is_inside(group->path, top))
			r = add(owners, vm, length, vcpu_of(group->path, top),
				&group->cpus);
	}
	return r;
}

int owners_add_partitions(
	struct owners *owners, const struct tree *tree, const struct vms *vms)
{
	int r = 0;

	/* One that has ended is called as its group. */
	for (size_t i = 0; !r && i < tree->n_groups; i++) {
		const char *path = tree->groups[i]->path;
		const char *name = path + strlen(SLICE "/");

		if (path_is_below(path, SLICE) && !strchr(name, '/') &&
			!is_class_group(path))
			r = add_inside(owners, tree, path, name, strlen(name));
	}
	for (size_t i = 0; !r && i < vms->n_items; i++) {
		const struct vm *vm = &vms->items[i];
		cleanup_free char *top = NULL;

		r = layout_top(vm, &top);
		if (r == -ENOENT)
			r = 0; /* its groups cannot be told: none is a partition */
		else if (!r)
			r = add_inside(owners, tree, top, vm->name, strlen(vm->name));
	}
	return r;
}
