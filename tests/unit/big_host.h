/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A host with 1,024 CPUs and hundreds of VMs, for what has to stay fast: a plan for it,
 * and the host as it is once the plan was carried out. Nothing here reads the machine.
 */
#include <time.h>

#include "tests/unit/build_host.h"
#include "user/model/holders.h"
#include "tests/unit/hosts.h"
#include "user/model/diff.h"

/* Two packages of four nodes, eight caches a node, eight cores with two threads each. */
enum { BIG_CPUS = 2 * 4 * 8 * 8 * 2 };

static inline void big_host_init(struct host *host)
{
	host_init(host, "0-1023", "0");
	host->topology = topology_build(2, 4, 8, 8, 2, THREADS_LAST);
	host->tree.remote = true;
}

/* VMs from this number on, each with one vCPU and an emulator. */
static inline void big_host_add(struct host *host, unsigned int first, unsigned int n)
{
	char name[16];

	for (unsigned int i = first; i < first + n; i++) {
		snprintf(name, sizeof(name), "vm%04u", i);
		add_vm(host, name, 1, 0);
	}
}

static inline struct tree copy_tree(const struct tree *tree)
{
	struct tree copy = {.root_gives_cpuset = tree->root_gives_cpuset,
		.remote = tree->remote,
		.root_effective = tree->root_effective,
		.isolated = tree->isolated};

	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = must(tree_add(&copy, tree->groups[i]->path));
		char *path = group->path;

		*group = *tree->groups[i];
		group->path = path;
	}
	/* As where trees are read. */
	assert_int_equal(holders_count(&copy), 0);
	return copy;
}

/*
 * The units of all VMs, on a tree on which each is assumed, as control/walk.c does it.
 * `actual` is by desired.vms.
 */
static inline struct plan plan_all(
	struct host *host, const struct actual_vm *actual, struct tree *tree)
{
	struct plan plan = {};

	for (size_t i = 0; i < host->desired.n_vms; i++) {
		struct unit unit, *slot;

		assert_int_equal(
			diff_vm(&host->desired.vms[i], &actual[i], tree, true, &unit), 0);
		if (!unit.n_steps) {
			unit_deinit(&unit);
			continue;
		}
		slot = must(array_push(&plan.units, &plan.n_units));
		*slot = unit;
		assert_int_equal(diff_assume(tree, slot), 0);
	}
	return plan;
}

/* The groups and threads of a VM as the kernel shows them once it is placed. */
static inline void settle_big_vm(struct host *host, const struct desired_vm *placed)
{
	struct vm *vm = find_vm(host, placed->vm->name);
	struct group *top = tree_find(&host->tree, placed->groups[0].path);

	for (size_t i = 0; i < placed->n_groups; i++) {
		struct group *group = tree_find(&host->tree, placed->groups[i].path);

		assert_non_null(group);
		group->populated = true;
		group->type = i ? GROUP_THREADED : GROUP_DOMAIN_THREADED;
		group->gives_cpuset = !i;
		group->effective = group->cpus;
		if (!i)
			continue;
		if (group->partition.kind != PARTITION_MEMBER)
			cpuset_andnot(&top->effective, &group->cpus);
		if (group->partition.kind == PARTITION_ISOLATED)
			cpuset_or(&host->tree.isolated, &group->cpus);
	}
	cpuset_andnot(&host->tree.root_effective, &placed->reserved);
	for (size_t i = 0; i < vm->n_threads; i++) {
		free(vm->threads[i].cgroup);
		vm->threads[i].cgroup =
			must(strdup(placed->groups[placed->thread_groups[i]].path));
		vm->threads[i].affinity = placed->groups[placed->thread_groups[i]].cpus;
	}
}

/* What there is of each desired VM, of which some are placed. The rules are borrowed. */
static inline struct actual_vm *actual_of(
	const struct desired *desired, const struct desired *placed)
{
	struct actual_vm *actual = must(calloc(desired->n_vms + 1, sizeof(*actual)));

	for (size_t i = 0; i < desired->n_vms; i++) {
		const struct desired_vm *vm =
			desired_find(placed, desired->vms[i].vm->name);

		if (vm)
			actual[i] = (struct actual_vm){.has_record = true,
				.rules_known = true,
				.rules = vm->rules};
	}
	return actual;
}

/* Carries out the plan for all VMs. What they were given is the caller's. */
static inline struct desired big_host_place(struct host *host)
{
	const struct desired nothing = {};
	struct actual_vm *actual;
	struct desired placed;
	struct plan plan;

	compute(host);
	actual = actual_of(&host->desired, &nothing);
	plan = plan_all(host, actual, &host->tree);
	for (size_t i = 0; i < host->desired.n_vms; i++)
		settle_big_vm(host, &host->desired.vms[i]);
	plan_deinit(&plan);
	free(actual);
	placed = host->desired;
	host->computed = false;
	return placed;
}

/* CPU time of this thread: other work on the machine does not count. */
static inline double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
