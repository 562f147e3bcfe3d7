// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Partitions in libvirt's own groups. Each group from below the root down to the VM's
 * claims the vCPUs' CPUs as exclusive; the vCPU groups claim nothing themselves and
 * become remote partitions by their cpuset.cpus. So virsh can go on writing those: with a
 * claim of its own, a vCPU's group would make the vcpupin of libvirt fail half done.
 *
 * The groups above a VM's are shared. A VM takes out of their claims what it had, and
 * what is another's stays.
 */
#include "user/model/diff_parts.h"

#include <string.h>

struct cpuset diff_others_claims(const struct tree *tree, const struct found_vm *records,
	size_t n_records, const char *except)
{
	struct cpuset cpus = {};

	for (size_t i = 0; i < n_records; i++) {
		const char *top = found_vm_top(&records[i]);
		const struct group *group = top ? tree_find(tree, top) : NULL;

		if (group && strcmp(records[i].name, except))
			cpuset_or(&cpus, &group->exclusive);
	}
	return cpus;
}

/* Valid partitions below the top as they are: if one ended without its claim above, 6.12
 * would lose its CPUs. */
static struct cpuset held_below(const struct tree *tree, const char *top)
{
	struct group_range below = tree_below(tree, top);
	struct cpuset cpus = {};

	for (size_t i = below.first; i < below.end; i++)
		if (partition_holds(&tree->groups[i]->partition))
			cpuset_or(&cpus, &tree->groups[i]->effective);
	return cpus;
}

/* From the root down, every group of the chain claims these CPUs beside what it has. */
static void grow_chain(struct diff *diff, const char *top, const struct cpuset *cpus)
{
	for (size_t i = 0; i < diff->tree->n_groups && !cpuset_empty(cpus); i++) {
		const struct group *group = diff->tree->groups[i];
		struct cpuset grown = *cpus;

		if (!path_is_inside(top, group->path))
			continue;
		cpuset_or(&grown, &group->exclusive);
		if (!cpuset_equal(&grown, &group->exclusive))
			diff_add(diff, STEP_SET_EXCLUSIVE, group->path, NULL)->cpus =
				grown;
		if (!group->gives_cpuset)
			diff_add(diff, STEP_GIVE_CPUSET, group->path, NULL);
	}
}

/*
 * From the VM's group up, what was claimed for it and is not to be kept. `grown` is what
 * grow_chain() has been told to add.
 */
static void shrink_chain(struct diff *diff, const char *top, const struct cpuset *grown,
	const struct cpuset *keep, const struct found_vm *record,
	const struct cpuset *others_claimed)
{
	const struct group *own = tree_find(diff->tree, top);
	struct cpuset gone = *grown;

	if (own)
		cpuset_or(&gone, &own->exclusive);
	if (record)
		cpuset_or(&gone, &record->claimed);
	cpuset_andnot(&gone, keep);
	for (size_t i = diff->tree->n_groups; i-- > 0;) {
		const struct group *group = diff->tree->groups[i];
		const struct found_group *found =
			record ? found_vm_group(record, group->path) : NULL;
		struct cpuset rest = *grown, less = gone;

		if (!path_is_inside(top, group->path))
			continue;
		cpuset_or(&rest, &group->exclusive);
		if (group != own)
			cpuset_andnot(&less, others_claimed);
		if (found)
			cpuset_andnot(&less, &found->exclusive);
		if (!cpuset_intersects(&rest, &less))
			continue;
		cpuset_andnot(&rest, &less);
		diff_add(diff, STEP_SET_EXCLUSIVE, group->path, "what it no longer needs")
			->cpus = rest;
	}
}

static struct cpuset grown_cpus(const struct diff *diff)
{
	struct cpuset cpus = held_below(diff->tree, diff->vm->groups[0].path);

	/* A damaged partition may say that it has another VM's. */
	cpuset_andnot(&cpus, &diff->actual->others_claimed);
	cpuset_or(&cpus, &diff->vm->reserved);
	return cpus;
}

void diff_libvirt_grow(struct diff *diff)
{
	struct cpuset cpus = grown_cpus(diff);

	if (diff->tree->remote)
		grow_chain(diff, diff->vm->groups[0].path, &cpus);
}

void diff_libvirt_shrink(struct diff *diff)
{
	struct cpuset grown = grown_cpus(diff);

	if (diff->tree->remote)
		shrink_chain(diff, diff->vm->groups[0].path, &grown, &diff->vm->reserved,
			diff->actual->record, &diff->actual->others_claimed);
}

bool diff_libvirt_lacks_record(const struct diff *diff)
{
	const struct found_vm *record = diff->actual->record;

	if (!record || !cpuset_subset(&diff->vm->reserved, &record->claimed))
		return true;
	for (size_t i = 0; i < diff->vm->n_groups; i++) {
		const struct desired_group *wanted = &diff->vm->groups[i];
		const struct found_group *found = found_vm_group(record, wanted->path);
		const struct group *leaf = tree_find(diff->tree, wanted->path);

		if (!found)
			return true;
		if (i && !wanted->floats && !leaf_has_cpus(leaf, wanted) &&
			(!found->set || !cpuset_equal(&found->written, &wanted->cpus)))
			return true;
	}
	return false;
}

static void return_leaf(struct diff *diff, const struct found_group *found)
{
	const struct group *leaf = tree_find(diff->tree, found->path);

	if (!leaf || !leaf->has_cpuset || !found->set ||
		cpuset_equal(&leaf->cpus, &found->cpus))
		return;
	if (!found_group_wrote(found, &leaf->cpus))
		diff_add(diff, STEP_LEAVE, found->path, "somebody has set them since");
	else
		diff_set_cpus(diff, found->path, &found->cpus, "as it was found");
}

int diff_release_libvirt(const struct unit *vm, const struct found_vm *record,
	const struct cpuset *others_claimed, bool alive, const struct tree *tree,
	struct unit *ret_unit)
{
	struct unit unit = {};
	struct diff diff = {.tree = tree, .unit = &unit};
	const char *top = found_vm_top(record);
	struct cpuset held = {}, reserved, none = {};
	bool set = false;

	diff_name_unit(&unit, vm->vm, vm->pid, vm->start_time);
	diff_add(&diff, STEP_FORGET_RULES, NULL, NULL);
	if (tree->remote && top) {
		held = held_below(tree, top);
		cpuset_andnot(&held, others_claimed);
		grow_chain(&diff, top, &held);
	}
	for (size_t i = 0; i < record->n_groups; i++) {
		const struct group *leaf = tree_find(tree, record->groups[i].path);

		set |= record->groups[i].set;
		if (leaf && leaf->partition.kind != record->groups[i].partition)
			diff_set_partition(&diff, leaf->path, record->groups[i].partition,
				"as it was found");
	}
	for (size_t i = 0; i < record->n_groups; i++)
		return_leaf(&diff, &record->groups[i]);
	if (tree->remote && top)
		shrink_chain(&diff, top, &held, &none, record, others_claimed);
	if (alive)
		diff_add(&diff, STEP_RETURN_VM, NULL, NULL);
	if (alive && set)
		diff_add(&diff, STEP_RETURN_AFFINITY, NULL, NULL);
	reserved = holders_all_other(tree, top ? top : "");
	diff_add(&diff, STEP_KEEP_OFF, NULL, NULL)->cpus = reserved;
	diff_add(&diff, STEP_DROP_RECORD, NULL, NULL);
	return diff_finish(&diff, ret_unit);
}
