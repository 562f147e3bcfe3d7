/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A host after a placement: groups, threads and what is left for the root, as a plan that
 * was carried out leaves them. A VM that was refused stays as it was.
 */
#include "tests/unit/build_host.h"

static inline void compute_asking(struct host *host, bool rebalance, const char *explain)
{
	struct desired_input input = {.config = &host->config,
		.vms = &host->vms,
		.tree = &host->tree,
		.records = host->records,
		.n_records = host->n_records,
		.topology = &host->topology,
		.rebalance = rebalance,
		.explain = explain};

	if (host->computed)
		desired_deinit(&host->desired);
	assert_int_equal(desired_compute(&input, &host->desired), 0);
	host->computed = true;
}

/* The VM whose group this is or is in; "" for the slice and classes. */
static inline const char *vm_of_group(const char *path)
{
	char first[256];
	char *slash;

	if (!path_is_below(path, SLICE))
		return "";
	snprintf(first, sizeof(first), "%s", path);
	slash = strchr(first + strlen(SLICE "/"), '/');
	if (slash)
		*slash = '\0';
	if (!is_class_group(first))
		return path + strlen(SLICE "/");
	return slash ? path + strlen(first) + 1 : "";
}

static inline bool is_group_of(const char *path, const char *name)
{
	return path_is_inside(vm_of_group(path), name);
}

static inline void drop_groups(struct host *host,
	bool (*dropped)(const char *path, const char *what), const char *what)
{
	struct tree *tree = &host->tree;

	for (size_t i = tree->n_groups; i-- > 0;)
		if (dropped(tree->groups[i]->path, what))
			tree_remove(tree, tree->groups[i]->path);
}

static inline void put_group(struct host *host, const char *path,
	const struct cpuset *cpus_of_it, enum partition kind)
{
	struct group *group = tree_find(&host->tree, path);

	if (!group) {
		tree_sort(&host->tree);
		group = must(tree_add(&host->tree, path));
	}
	group->type = GROUP_THREADED;
	group->has_cpuset = group->partition.valid = true;
	group->cpus = group->effective = *cpus_of_it;
	group->partition.kind = kind;
	tree_sort(&host->tree);
}

/* `placed` NULL: it is ignored. */
static inline void settle_threads(
	struct host *host, struct vm *vm, const struct desired_vm *placed)
{
	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct desired_group *group =
			placed && placed->n_groups
				? &placed->groups[placed->thread_groups[i]]
				: NULL;

		vm->threads[i].affinity = group ? group->cpus : host->topology.online;
		free(vm->threads[i].cgroup);
		vm->threads[i].cgroup = must(strdup(group ? group->path : HOME));
	}
}

static inline void settle_vm(struct host *host, struct vm *facts)
{
	const struct desired_vm *vm = desired_find(&host->desired, facts->name);

	if (vm && vm->kind == DESIRED_KEPT)
		return;
	drop_groups(host, is_group_of, facts->name);
	for (size_t i = 0; vm && i < vm->n_groups; i++)
		put_group(host, vm->groups[i].path, &vm->groups[i].cpus,
			vm->groups[i].partition);
	if (vm && vm->n_groups && vm->scheme == SCHEME_LEAVES)
		tree_find(&host->tree, vm->groups[0].path)->exclusive = vm->reserved;
	settle_threads(host, facts, vm);
}

static inline bool is_that_group(const char *path, const char *what)
{
	return !strcmp(path, what);
}

static inline bool is_empty_class(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i]->path, path))
			return false;
	return is_class_group(path);
}

/* A class's group has what its VMs use, also that of one that was refused. */
static inline void settle_class_groups(struct host *host)
{
	const struct tree *tree = &host->tree;

	for (size_t i = 0; i < host->desired.n_classes; i++) {
		const struct desired_class *class = &host->desired.classes[i];
		struct cpuset all = class->cpus;

		for (size_t j = 0; j < tree->n_groups; j++)
			if (path_is_below(tree->groups[j]->path, class->path))
				cpuset_or(&all, &tree->groups[j]->cpus);
		put_group(host, class->path, &all, PARTITION_ROOT);
	}
	for (size_t i = tree->n_groups; i-- > 0;)
		if (is_empty_class(tree, tree->groups[i]->path)) {
			cleanup_free char *path = must(strdup(tree->groups[i]->path));

			drop_groups(host, is_that_group, path);
		}
}

/* What nobody's partition has. */
static inline void settle_root(struct host *host)
{
	const struct tree *tree = &host->tree;

	host->tree.root_effective = host->topology.online;
	for (size_t i = 0; i < tree->n_groups; i++) {
		cpuset_andnot(&host->tree.root_effective, &tree->groups[i]->exclusive);
		if (tree->groups[i]->partition.kind == PARTITION_ROOT)
			cpuset_andnot(&host->tree.root_effective, &tree->groups[i]->cpus);
	}
}

/* Everything that is desired comes to be. */
static inline void carry_out(struct host *host)
{
	for (size_t i = 0; i < host->vms.n_items; i++)
		settle_vm(host, &host->vms.items[i]);
	settle_class_groups(host);
	settle_root(host);
}

/* The VM has ended, and its groups are gone. */
static inline void end_vm(struct host *host, const char *name)
{
	struct vm *items = NULL;
	size_t n = 0;

	if (host->computed)
		desired_deinit(&host->desired);
	host->computed = false;
	for (size_t i = 0; i < host->vms.n_items; i++)
		if (strcmp(host->vms.items[i].name, name))
			*(struct vm *)must(array_push(&items, &n)) = host->vms.items[i];
		else
			vm_deinit(&host->vms.items[i]);
	free(host->vms.items);
	host->vms = (struct vms){items, n};
	drop_groups(host, is_group_of, name);
	settle_root(host);
}
