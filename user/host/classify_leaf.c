// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vCPU that was put into its group when it was born is known by that before it has
 * named itself, and where it never does.
 */
#include <stddef.h>
#include <string.h>

#include "user/base/parse.h"
#include "user/host/classify.h"
#include "user/model/tree.h"

/* Which of that VM's leaves in the slice a path is: -1 for none that has an index. */
static int leaf_index(const char *path, const char *vm, enum thread_class class)
{
	const char *name = thread_class_name(class), *leaf = strrchr(path, '/');
	size_t len = strlen(vm);
	uint64_t index;

	if (!path_is_below(path, SLICE) || (size_t)(leaf - path) <= len ||
		leaf[-(ptrdiff_t)len - 1] != '/' || strncmp(leaf - len, vm, len))
		return -1;
	leaf++;
	if (strncmp(leaf, name, strlen(name)) ||
		parse_u64(leaf + strlen(name),
			class == THREAD_VCPU ? VCPUS_MAX - 1 : IOTHREADS_MAX, &index))
		return -1;
	return (int)index;
}

static bool is_taken(const struct vm *vm, enum thread_class class, int index)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].class == class && vm->threads[i].index == index)
			return true;
	return false;
}

/* Threads are born with the name of their maker, in the end the main thread's. */
static bool is_nameless(const struct vm *vm, const struct vm_thread *thread)
{
	return thread->class == THREAD_EMULATOR &&
	       !strcmp(thread->comm, vm->threads[0].comm);
}

static bool is_older(const struct vm_thread *one, const struct vm_thread *other)
{
	return one->start_time < other->start_time ||
	       (one->start_time == other->start_time && one->tid < other->tid);
}

static struct vm_thread *oldest_like(struct vm *vm, enum thread_class class, int index)
{
	struct vm_thread *oldest = NULL;

	for (size_t i = 1; i < vm->n_threads; i++) {
		struct vm_thread *thread = &vm->threads[i];

		if (is_nameless(vm, thread) &&
			leaf_index(thread->cgroup, vm->name, class) == index &&
			(!oldest || is_older(thread, oldest)))
			oldest = thread;
	}
	return oldest;
}

static int tell(struct vm *vm, enum thread_class class)
{
	int n = 0;

	for (size_t i = 1; i < vm->n_threads; i++) {
		int index = is_nameless(vm, &vm->threads[i])
				    ? leaf_index(vm->threads[i].cgroup, vm->name, class)
				    : -1;
		struct vm_thread *oldest;

		if (index < 0 || is_taken(vm, class, index))
			continue;
		oldest = oldest_like(vm, class, index);
		oldest->class = class;
		oldest->index = index;
		n++;
	}
	return n;
}

int classify_by_leaf(struct vm *vm)
{
	if (!*vm->name || vm->libvirt)
		return 0;
	tell(vm, THREAD_IOTHREAD);
	return tell(vm, THREAD_VCPU);
}
