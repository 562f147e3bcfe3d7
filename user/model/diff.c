// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of steps, and why:
 *
 * What was found is recorded before the first change, and dropped after the last.
 *
 * CPUs are added to a parent before a child gets them, and taken from it after the child
 * gave them up: a parent that shrinks from under a child damages it silently.
 *
 * Groups are complete, and their partitions valid, before the VM's threads come. If the
 * kernel refuses, no thread was touched.
 *
 * Rules widen before the first thing that moves a thread, and narrow after the last.
 *
 * Children are members before their parent is made a partition again: otherwise they say
 * valid and have the wrong CPUs. A group that is as it should be is not written.
 */
#include "user/model/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/model/diff_parts.h"

void actual_deinit(struct actual *actual)
{
	tree_deinit(&actual->tree);
	for (size_t i = 0; i < actual->n_vms; i++)
		rule_vm_deinit(&actual->vms[i].rules);
	free(actual->vms);
	for (size_t i = 0; i < actual->n_records; i++)
		found_vm_deinit(&actual->records[i]);
	free(actual->records);
	memset(actual, 0, sizeof(*actual));
}

struct step *diff_add(
	struct diff *diff, enum step_kind kind, const char *path, const char *why)
{
	static struct step sink;
	struct step *step = unit_add(diff->unit, kind, path, why);

	if (!step)
		diff->failed = true;
	return step ? step : &sink;
}

void diff_set_cpus(
	struct diff *diff, const char *path, const struct cpuset *cpus, const char *why)
{
	diff_add(diff, STEP_SET_CPUS, path, why)->cpus = *cpus;
}

void diff_set_partition(
	struct diff *diff, const char *path, enum partition partition, const char *why)
{
	diff_add(diff, STEP_SET_PARTITION, path, why)->partition = partition;
}

bool group_is_partition(const struct group *group, enum partition kind)
{
	return group && group->has_cpuset && group->partition.valid &&
	       group->partition.kind == kind;
}

bool group_has_cpus(const struct group *group, const struct cpuset *cpus)
{
	return group && group->has_cpuset && cpuset_equal(&group->cpus, cpus);
}

void diff_begin(struct diff *diff, const struct desired_group *root)
{
	diff->root = root;
	diff->slice = tree_find(diff->tree, SLICE);
	diff->top = tree_find(diff->tree, root->path);
	diff->below = tree_below(diff->tree, root->path);
}

void diff_name_unit(struct unit *unit, const char *name, pid_t pid, uint64_t start_time)
{
	memcpy(unit->vm, name, sizeof(unit->vm));
	unit->pid = pid;
	unit->start_time = start_time;
}

int diff_finish(struct diff *diff, struct unit *ret_unit)
{
	if (diff->failed) {
		unit_deinit(diff->unit);
		return -ENOMEM;
	}
	*ret_unit = *diff->unit;
	return 0;
}

static bool sets_partition(const struct unit *unit)
{
	for (size_t i = 0; i < unit->n_steps; i++)
		if (unit->steps[i].kind == STEP_SET_PARTITION)
			return true;
	return false;
}

static const struct above {
	void (*grow)(struct diff *diff);
	void (*shrink)(struct diff *diff);
} own = {diff_own_grow, diff_own_shrink}, in_class = {diff_class_grow, diff_class_shrink},
  libvirts = {diff_libvirt_grow, diff_libvirt_shrink};

/* Who brings the groups above the leaves. */
static const struct above *above_leaves(const struct desired_vm *vm)
{
	if (vm->layout == LAYOUT_LIBVIRT)
		return &libvirts;
	return vm->scheme == SCHEME_CLASS ? &in_class : &own;
}

static struct cpuset reserved_by_others(const struct diff *diff)
{
	return holders_all_other(diff->tree, diff->root->path);
}

static bool lacks_record(const struct diff *diff)
{
	return !diff->actual->has_record ||
	       (diff->vm->layout == LAYOUT_LIBVIRT && diff_libvirt_lacks_record(diff));
}

static void diff_placed(struct diff *diff, const struct actual_vm *actual)
{
	const struct above *above = above_leaves(diff->vm);
	struct unit *unit = diff->unit, *inside = &diff->inside;
	bool rules_hold = actual->rules_known && !actual->settling &&
			  rule_vm_holds(&actual->rules, &diff->vm->rules);
	/* They are kept off a class's CPUs when that is brought. */
	bool strays = actual->has_strays && diff->vm->scheme != SCHEME_CLASS;

	if (lacks_record(diff))
		diff_add(diff, STEP_RECORD, NULL, NULL);
	if (!diff->tree->root_gives_cpuset)
		diff_add(diff, STEP_GIVE_CPUSET, "", NULL);
	above->grow(diff);

	diff->unit = inside;
	diff_inside(diff);
	above->shrink(diff);
	if (!inside->n_steps && rules_hold)
		diff->unit = unit;
	/* Last: when an isolated partition comes or goes, newer kernels bind theirs anew.
	 */
	if (strays || sets_partition(unit) || sets_partition(inside)) {
		struct cpuset reserved = reserved_by_others(diff);

		cpuset_or(&reserved, &diff->vm->reserved);
		diff_add(diff, STEP_KEEP_OFF, NULL, NULL)->cpus = reserved;
	}
	if (diff->unit == unit)
		return;
	diff->unit = unit;
	diff_add(diff, STEP_BEGIN_RULES, NULL, NULL);
	for (size_t i = 0; i < inside->n_steps; i++) {
		struct step *step = array_push(&unit->steps, &unit->n_steps);

		if (!step) {
			diff->failed = true;
			break;
		}
		*step = inside->steps[i];
		inside->steps[i].path = NULL;
	}
	unit_deinit(inside);
	diff_add(diff, STEP_COMMIT_RULES, NULL, NULL);
}

/* A VM that is only watched needs rules and nothing else. */
static void diff_rules(struct diff *diff, const struct actual_vm *actual)
{
	if (actual->rules_known && diff->vm->kind == DESIRED_KEPT)
		return;
	if (actual->rules_known && !actual->settling &&
		rule_vm_holds(&actual->rules, &diff->vm->rules))
		return;
	diff_add(diff, STEP_BEGIN_RULES, NULL, NULL);
	diff_add(diff, STEP_COMMIT_RULES, NULL, NULL);
}

int diff_vm(const struct desired_vm *vm, const struct actual_vm *actual,
	const struct tree *tree, bool has_host_record, struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.vm = vm, .actual = actual, .tree = tree, .unit = &unit};

	diff_name_unit(&unit, vm->vm->name, vm->vm->pid, vm->vm->start_time);
	if (vm->kind != DESIRED_PLACED) {
		diff_rules(&diff, actual);
		return diff_finish(&diff, ret_unit);
	}
	diff_begin(&diff, &vm->groups[0]);
	if (!has_host_record)
		diff_add(&diff, STEP_RECORD_HOST, NULL, NULL);
	diff_placed(&diff, actual);
	return diff_finish(&diff, ret_unit);
}

int diff_class(const struct desired_class *class, bool has_strays,
	const struct tree *tree, bool has_host_record, struct unit *ret_unit)
{
	const struct desired_group root = {
		.path = class->path, .partition = PARTITION_ROOT, .cpus = class->cpus};
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};

	diff_begin(&diff, &root);
	if (!has_host_record)
		diff_add(&diff, STEP_RECORD_HOST, NULL, NULL);
	if (!tree->root_gives_cpuset)
		diff_add(&diff, STEP_GIVE_CPUSET, "", NULL);
	diff_own_grow(&diff);
	if (has_strays || sets_partition(&unit)) {
		struct cpuset reserved = reserved_by_others(&diff);

		cpuset_or(&reserved, &class->cpus);
		diff_add(&diff, STEP_KEEP_OFF, NULL, NULL)->cpus = reserved;
	}
	return diff_finish(&diff, ret_unit);
}
