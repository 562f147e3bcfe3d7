/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * For tests of single plans in libvirt's groups: what a plan is word for word, and that
 * nothing is left to do then. The kernel is a simple one here: a remote partition is
 * valid while all groups above claim its CPUs. What it must not be asked for is refused.
 */
#include "tests/unit/fake_steps.h"
#include "tests/unit/libvirt_host.h"
#include "tests/unit/scratch.h"
#include "user/control/record.h"
#include "user/model/health.h"
#include "user/store/found.h"

#define WEB1 TOP("web1")
#define WEB2 TOP("web2")
#define M "/" MACHINE
#define C "/" SCOPE("web1")
#define T "/" WEB1
#define CLAIM(list)                                     \
	"set the exclusive CPUs of " M " to " list "\n" \
	"set the exclusive CPUs of " C " to " list "\n" \
	"set the exclusive CPUs of " T " to " list "\n"
/* From the VM's group up. */
#define UNCLAIM(list)                                   \
	"set the exclusive CPUs of " T " to " list "\n" \
	"set the exclusive CPUs of " C " to " list "\n" \
	"set the exclusive CPUs of " M " to " list "\n"
#define BEGIN "put the rules of web1 in force, runs on old CPUs settling\n"
#define COMMIT "narrow the rules of web1 to the new CPUs\n"
#define AWAY(list) "keep kernel threads that can run elsewhere off CPUs " list "\n"

static struct host host;
static struct fake fake;

static inline bool claims_above(const struct group *group, struct cpuset needed)
{
	for (size_t i = 0; i < host.tree.n_groups; i++)
		if (path_is_below(group->path, host.tree.groups[i]->path) &&
			!cpuset_subset(&needed, &host.tree.groups[i]->exclusive))
			return false;
	return !cpuset_empty(&needed);
}

static inline bool holds(const struct group *group)
{
	return group->partition.kind != PARTITION_MEMBER && group->partition.valid;
}

/* What follows from what was written: partitions, effective CPUs, where threads may run.
 */
static inline void settle_groups(void)
{
	struct tree *tree = &host.tree;

	tree->root_effective = host.topology.online;
	memset(&tree->isolated, 0, sizeof(tree->isolated));
	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = tree->groups[i];

		group->partition.valid = group->partition.kind == PARTITION_MEMBER ||
					 claims_above(group, group->cpus);
		if (!holds(group))
			continue;
		group->effective = group->cpus;
		cpuset_andnot(&tree->root_effective, &group->cpus);
		if (group->partition.kind == PARTITION_ISOLATED)
			cpuset_or(&tree->isolated, &group->cpus);
	}
	for (size_t i = 0; i < tree->n_groups; i++) {
		struct group *group = tree->groups[i];
		const struct group *above = parent_of(tree, group->path);
		struct cpuset ground = above ? above->effective : tree->root_effective;

		if (holds(group))
			continue;
		group->effective = group->cpus;
		cpuset_and(&group->effective, &ground);
		if (cpuset_empty(&group->effective))
			group->effective = ground;
	}
	for (size_t i = 0; i < host.vms.n_items; i++)
		for (size_t j = 0; j < host.vms.items[i].n_threads; j++) {
			struct vm_thread *thread = &host.vms.items[i].threads[j];
			const struct group *group = tree_find(tree, thread->cgroup);

			thread->affinity =
				group ? group->effective : tree->root_effective;
		}
}

/* The record that apply would make now takes the place of the one before. */
static inline void record(const char *name)
{
	struct found_vm *to = record_of(&host, name);
	struct cycle cycle = {.folders.run = scratch,
		.topology.online = host.topology.online,
		.actual = {.tree = host.tree,
			.records = host.records,
			.n_records = host.n_records}};
	bool fresh;

	if (to->n_groups)
		assert_int_equal(found_vm_write(scratch, to, NULL), 0);
	assert_int_equal(record_vm(&cycle, wanted(&host, name), &fresh, NULL), 0);
	found_vm_deinit(to);
	assert_int_equal(found_vm_read(scratch, name, to, NULL), 0);
	assert_int_equal(found_vm_drop(scratch, name, NULL), 0);
	fake.vms[vm_index(&fake, name)].actual.has_record = true;
}

/* As a cycle reads it, before anything is planned. */
static inline void look(void)
{
	compute(&host);
	for (size_t i = 0; i < host.vms.n_items; i++) {
		struct actual_vm *actual = &fake.vms[i].actual;
		const char *name = host.vms.items[i].name;

		actual->record = found_vm_find(host.records, host.n_records, name);
		actual->others_claimed = diff_others_claims(
			&host.tree, host.records, host.n_records, name);
	}
}

/* What a kernel would be damaged by, or what changes nothing. */
static inline void check_step(const struct step *step)
{
	const struct group *group = step->path ? tree_find(&host.tree, step->path) : NULL;

	if (step->kind == STEP_SET_CPUS && group &&
		(holds(group) || cpuset_equal(&group->cpus, &step->cpus)))
		fail_msg("CPUs of a valid partition, or as they are: %s", step->path);
	if (step->kind == STEP_SET_EXCLUSIVE && group &&
		cpuset_equal(&group->exclusive, &step->cpus))
		fail_msg("claimed already: %s", step->path);
	if (step->kind == STEP_SET_PARTITION && group &&
		group->partition.kind == step->partition)
		fail_msg("it is that already: %s", step->path);
	if (step->kind == STEP_SET_PARTITION && step->partition == PARTITION_MEMBER &&
		group && group->partition.valid && !claims_above(group, group->effective))
		fail_msg("it ends without its claim: %s", step->path);
}

static inline void carry_out(struct unit *unit, const char *name)
{
	struct fake_vm *to = &fake.vms[vm_index(&fake, name)];

	for (size_t i = 0; i < unit->n_steps; i++) {
		const struct step *step = &unit->steps[i];
		struct unit one = {.steps = unit->steps + i, .n_steps = 1};
		struct vm *vm = find_vm(&host, name);

		check_step(step);
		if (step->kind == STEP_RECORD_HOST)
			fake.host_record = true;
		else if (step->kind == STEP_RECORD)
			record(name);
		else if (step->kind == STEP_COMMIT_RULES)
			commit_rules(to, wanted(&host, name));
		for (size_t j = 0; step->kind == STEP_MOVE_THREAD && j < vm->n_threads;
			j++)
			if (vm->threads[j].tid == step->tid)
				move_to(&fake, vm, j, step->path);
		assert_int_equal(diff_assume(&host.tree, &one), 0);
		settle_groups();
		for (size_t j = 0;
			step->kind == STEP_SET_PARTITION && j < host.tree.n_groups; j++)
			if (!host.tree.groups[j]->partition.valid &&
				!strcmp(host.tree.groups[j]->path, step->path))
				fail_msg("it comes out invalid: %s", step->path);
	}
	to->actual.has_strays = false;
	unit_deinit(unit);
}

/* What is to be done for the VM, and that it is enough. */
static inline void expect_plan(const char *name, const char *expected)
{
	cleanup_free char *fault = NULL;
	struct unit unit;

	look();
	expect_placed(&host, name);
	plan_vm(&fake, name, &unit);
	expect_steps(&unit, expected);
	carry_out(&unit, name);
	look();
	plan_vm(&fake, name, &unit);
	expect_steps(&unit, "");
	unit_deinit(&unit);
	assert_int_equal(health_check(wanted(&host, name), &host.tree, &fault), 0);
	if (fault)
		fail_msg("%s", fault);
}

static inline void place(const char *name)
{
	struct unit unit;

	look();
	expect_placed(&host, name);
	plan_vm(&fake, name, &unit);
	carry_out(&unit, name);
	look();
}

static inline void expect_why(const struct unit *unit, size_t step, const char *why)
{
	assert_true(step < unit->n_steps);
	assert_non_null(unit->steps[step].why);
	assert_string_equal(unit->steps[step].why, why);
}

/* web1 with vCPU 0 on 4, vCPU 1 on 5 and the emulator on 0-1, by libvirt. */
static inline int enter(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0");
	host.tree.remote = host.tree.root_gives_cpuset = true;
	add_domain(&host, "web1", 2, 0);
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "0-1");
	fake_init(&fake, &host);
	settle_groups();
	return 0;
}

static inline int enter_placed(void **state)
{
	int r = enter(state);

	place("web1");
	return r;
}

/* web2 with vCPU 0 on 6, and an emulator that floats. */
static inline int enter_two(void **state)
{
	int r = enter_placed(state);

	add_domain(&host, "web2", 1, 0);
	virsh(&host, WEB2 "/vcpu0", "6");
	settle_groups();
	place("web2");
	return r;
}

static inline int leave(void **state)
{
	(void)state;
	fake_deinit(&fake);
	host_deinit(&host);
	return 0;
}

#define fresh(f) cmocka_unit_test_setup_teardown(f, enter, leave)
#define placed(f) cmocka_unit_test_setup_teardown(f, enter_placed, leave)
#define two(f) cmocka_unit_test_setup_teardown(f, enter_two, leave)
