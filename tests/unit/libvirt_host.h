/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Domains: VMs in groups that libvirt made, with what it has pinned, and records of them.
 */
#include "tests/unit/build_host.h"

#define MACHINE "machine.slice"
#define SCOPE(name) MACHINE "/machine-qemu\\x2d1\\x2d" name ".scope"
#define TOP(name) SCOPE(name) "/libvirt"

/* A group of libvirt's; without CPUs of its own it has those of the host. */
static inline void add_libvirt_group(
	struct host *host, const char *path, enum group_type type)
{
	struct group *group;

	if (tree_find(&host->tree, path))
		return;
	group = add_group(host, path, "", PARTITION_MEMBER);
	group->type = type;
	group->gives_cpuset = type != GROUP_THREADED;
	group->effective = host->tree.root_effective;
}

/* A VM of libvirt's in its groups, with nothing pinned. */
static inline void add_domain(struct host *host, const char *name, unsigned int n_vcpus,
	unsigned int n_iothreads)
{
	char scope[256], top[256];
	struct vm *vm;

	snprintf(scope, sizeof(scope), SCOPE("%s"), name);
	snprintf(top, sizeof(top), TOP("%s"), name);
	add_vm(host, name, n_vcpus, n_iothreads);
	vm = find_vm(host, name);
	vm->libvirt = true;
	add_libvirt_group(host, MACHINE, GROUP_DOMAIN);
	add_libvirt_group(host, scope, GROUP_DOMAIN);
	add_libvirt_group(host, top, GROUP_DOMAIN_THREADED);
	for (size_t i = 0; i < vm->n_threads; i++) {
		struct vm_thread *thread = &vm->threads[i];

		free(thread->cgroup);
		thread->cgroup = must(layout_leaf(top, thread->class, thread->index));
		add_libvirt_group(host, thread->cgroup, GROUP_THREADED);
	}
}

static inline struct group *group_at(struct host *host, const char *path)
{
	struct group *group = tree_find(&host->tree, path);

	if (!group)
		fail_msg("no group %s", path);
	return group;
}

/* As virsh pins. */
static inline void virsh(struct host *host, const char *path, const char *list)
{
	struct group *group = group_at(host, path);

	group->cpus = cpus(list);
	group->effective =
		cpuset_empty(&group->cpus) ? host->tree.root_effective : group->cpus;
}

/* The record of a VM, made of what it is like now where there is none. Its address is
 * good until the next one is made. */
static inline struct found_vm *record_of(struct host *host, const char *name)
{
	struct found_vm *record =
		(struct found_vm *)found_vm_find(host->records, host->n_records, name);

	if (record)
		return record;
	record = must(array_push(&host->records, &host->n_records));
	assert_int_equal(found_vm_of(find_vm(host, name), record), 0);
	found_vms_sort(host->records, host->n_records);
	return record_of(host, name);
}

/* A group as it was found. */
static inline struct found_group *put_found(
	struct found_vm *record, const char *path, bool leaf, const char *list)
{
	struct found_group *group = must(array_push(&record->groups, &record->n_groups));

	group->path = must(strdup(path));
	group->leaf = leaf;
	group->cpus = cpus(list);
	return group;
}

/* A leaf that had CPUs, and was given others by us. */
static inline void put_written(
	struct found_vm *record, const char *path, const char *had, const char *written)
{
	struct found_group *group = put_found(record, path, true, had);

	group->set = true;
	group->written = cpus(written);
}

static inline void expect_group(
	const struct host *host, const char *name, const char *path, const char *list)
{
	const struct desired_group *group = wanted_group(host, name, path);

	if (!group)
		fail_msg("no group %s", path);
	else
		expect_cpus(&group->cpus, list);
}
