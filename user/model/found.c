// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

static void threads_free(struct found_thread *threads, size_t n_threads)
{
	for (size_t i = 0; i < n_threads; i++)
		free(threads[i].cgroup);
	free(threads);
}

void found_vm_deinit(struct found_vm *found)
{
	threads_free(found->threads, found->n_threads);
	for (size_t i = 0; i < found->n_groups; i++)
		free(found->groups[i].path);
	free(found->groups);
	memset(found, 0, sizeof(*found));
}

void found_vm_drop_threads(struct found_vm *found)
{
	threads_free(found->threads, found->n_threads);
	found->threads = NULL;
	found->n_threads = 0;
}

void found_host_deinit(struct found_host *found)
{
	threads_free(found->bound, found->n_bound);
	memset(found, 0, sizeof(*found));
}

int found_vm_of(const struct vm *vm, struct found_vm *ret_found)
{
	struct found_vm found = {.pid = vm->pid, .start_time = vm->start_time};

	memcpy(found.name, vm->name, sizeof(found.name));
	for (size_t i = 0; i < vm_born(vm); i++) {
		struct found_thread *thread =
			array_push(&found.threads, &found.n_threads);

		if (thread)
			thread->cgroup = strdup(vm->threads[i].cgroup);
		if (!thread || !thread->cgroup) {
			found_vm_deinit(&found);
			return -ENOMEM;
		}
		thread->pid = vm->pid;
		thread->tid = vm->threads[i].tid;
		thread->start_time = vm->threads[i].start_time;
		thread->affinity = vm->threads[i].affinity;
	}
	*ret_found = found;
	return 0;
}

const struct found_thread *found_vm_thread(
	const struct found_vm *found, pid_t tid, uint64_t start_time)
{
	const struct found_thread *main_thread = NULL;

	for (size_t i = 0; i < found->n_threads; i++) {
		const struct found_thread *thread = &found->threads[i];

		if (thread->tid == tid && thread->start_time == start_time)
			return thread;
		if (thread->tid == found->pid)
			main_thread = thread;
	}
	return main_thread;
}

bool found_vm_is_of(const struct found_vm *found, pid_t pid, uint64_t start_time)
{
	return found->pid == pid && found->start_time == start_time;
}

/* Groups are there from the root down. */
const char *found_vm_top(const struct found_vm *found)
{
	const char *top = NULL;

	for (size_t i = 0; i < found->n_groups; i++)
		if (!found->groups[i].leaf)
			top = found->groups[i].path;
	return top;
}

bool found_group_wrote(const struct found_group *group, const struct cpuset *cpus)
{
	return group->set && (cpuset_equal(&group->written, cpus) ||
				     cpuset_equal(&group->earlier, cpus));
}

struct found_group *found_vm_group(const struct found_vm *found, const char *path)
{
	for (size_t i = 0; i < found->n_groups; i++)
		if (!strcmp(found->groups[i].path, path))
			return &found->groups[i];
	return NULL;
}

static int compare_records(const void *a, const void *b)
{
	return strcmp(
		((const struct found_vm *)a)->name, ((const struct found_vm *)b)->name);
}

void found_vms_sort(struct found_vm *records, size_t n_records)
{
	if (n_records)
		qsort(records, n_records, sizeof(*records), compare_records);
}

static int compare_name(const void *name, const void *record)
{
	return strcmp(name, ((const struct found_vm *)record)->name);
}

const struct found_vm *found_vm_find(
	const struct found_vm *records, size_t n_records, const char *name)
{
	if (!n_records)
		return NULL;
	return bsearch(name, records, n_records, sizeof(*records), compare_name);
}
