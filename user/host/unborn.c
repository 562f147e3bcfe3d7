// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/unborn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/host/classify.h"

static int add(struct vm *vm, enum thread_class class, int index, const char *comm)
{
	struct vm_thread *slot;
	char *cgroup;

	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].class == class && vm->threads[i].index == index)
			return 0;
	cgroup = strdup("");
	slot = cgroup ? array_push(&vm->threads, &vm->n_threads) : NULL;
	if (!slot) {
		free(cgroup);
		return -ENOMEM;
	}
	slot->class = class;
	slot->index = index;
	slot->cgroup = cgroup;
	snprintf(slot->comm, sizeof(slot->comm), "%s", comm);
	return 0;
}

static int add_iothreads(struct vm *vm, const struct qemu_args *args)
{
	cleanup_free struct iothread *iothreads =
		calloc(args->n_iothreads + 1, sizeof(*iothreads));
	cleanup_free struct vm_thread *threads =
		calloc(args->n_iothreads + 1, sizeof(*threads));
	int r = 0;

	if (!iothreads || !threads)
		return -ENOMEM;
	for (size_t i = 0; i < args->n_iothreads; i++)
		iothreads[i] = (struct iothread){args->iothreads[i], &threads[i], false};
	classify_number_iothreads(iothreads, args->n_iothreads);
	for (size_t i = 0; !r && i < args->n_iothreads; i++) {
		char comm[COMM_SIZE];

		snprintf(comm, sizeof(comm), "IO %.12s", args->iothreads[i]);
		r = add(vm, THREAD_IOTHREAD, threads[i].index, comm);
	}
	return r;
}

int unborn_add(struct vm *vm, const struct qemu_args *args)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < args->n_vcpus; i++) {
		char comm[COMM_SIZE];

		snprintf(comm, sizeof(comm), "CPU %u/", i);
		r = add(vm, THREAD_VCPU, (int)i, comm);
	}
	return r ? r : add_iothreads(vm, args);
}

bool unborn_is_called(const struct vm_thread *unborn, const char *name)
{
	size_t len = unborn->class == THREAD_VCPU ? strlen(unborn->comm) : COMM_SIZE - 1;

	return !strncmp(name, unborn->comm, len);
}
