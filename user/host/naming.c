// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names must be unique, they name files and cgroups, and anybody may start a QEMU with
 * any name. So no VM may take a name away from one that was there before it: VMs are
 * named in the order in which they were started, each gets the first of its wishes that
 * is free, and a later one can't change that.
 */
#include "user/host/naming.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

enum { SHADOW_THREADS = 2 };

int naming_note(struct vm *vm, const struct problem *problem)
{
	char *text;

	if (!vm->problem) {
		vm->problem = strdup(problem->text);
		return vm->problem ? 0 : -ENOMEM;
	}
	if (asprintf(&text, "%s; %s", vm->problem, problem->text) < 0)
		return -ENOMEM;
	free(vm->problem);
	vm->problem = text;
	return 0;
}

/*
 * With -daemonize the process that was started waits for its child, and any QEMU may have
 * forked a helper that is not yet running another program: the same arguments twice, but
 * one VM. It is where the threads are: neither of the two others has more than a main and
 * an RCU thread. True when `one` is not the VM.
 */
static bool is_shadow(const struct candidate *one, const struct candidate *other)
{
	if (one->vm.n_threads > SHADOW_THREADS ||
		strcmp(one->vm.name, other->vm.name) != 0)
		return false;
	if (one->ppid == other->vm.pid)
		return one->vm.n_threads <= other->vm.n_threads;
	if (other->ppid == one->vm.pid)
		return one->vm.n_threads < other->vm.n_threads;
	return false;
}

static bool is_shadowed(const struct candidate *items, size_t n_items, size_t at)
{
	for (size_t i = 0; i < n_items; i++)
		if (i != at && is_shadow(&items[at], &items[i]))
			return true;
	return false;
}

static const struct vm *find_name(const struct vms *vms, const char *name)
{
	for (size_t i = 0; i < vms->n_items; i++)
		if (!strcmp(vms->items[i].name, name))
			return &vms->items[i];
	return NULL;
}

/* Gives the VM a name that none of the earlier ones has. */
static int name_vm(const struct vms *earlier, struct vm *vm)
{
	const struct vm *owner = vm->name[0] ? find_name(earlier, vm->name) : NULL;
	struct problem problem;
	char name[VM_NAME_SIZE] = "";
	int r = 0;

	if (owner) {
		problem_set(&problem, 0, "its name %s is taken by process %d", vm->name,
			owner->pid);
		r = naming_note(vm, &problem);
	}
	if (vm->name[0] && !owner)
		return 0;
	snprintf(name, sizeof(name), "qemu-%d", vm->pid);
	/* Somebody may have called himself so. */
	for (unsigned int i = 2; find_name(earlier, name); i++)
		snprintf(name, sizeof(name), "qemu-%d.%u", vm->pid, i);
	memcpy(vm->name, name, sizeof(name));
	return r;
}

static int compare_ages(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->vm.start_time != y->vm.start_time)
		return x->vm.start_time < y->vm.start_time ? -1 : 1;
	return (x->vm.pid > y->vm.pid) - (x->vm.pid < y->vm.pid);
}

static int compare_names(const void *a, const void *b)
{
	const struct vm *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int naming_resolve(struct candidate *items, size_t n_items, struct vms *ret_vms)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	cleanup_free bool *shadowed = calloc(n_items + 1, sizeof(*shadowed));

	if (!shadowed)
		return -ENOMEM;
	if (n_items)
		qsort(items, n_items, sizeof(*items), compare_ages);
	for (size_t i = 0; i < n_items; i++)
		shadowed[i] = is_shadowed(items, n_items, i);
	for (size_t i = 0; i < n_items; i++) {
		struct vm *vm = &items[i].vm, *slot;

		if (shadowed[i])
			continue;
		if (name_vm(&vms, vm))
			return -ENOMEM;
		slot = array_push(&vms.items, &vms.n_items);
		if (!slot)
			return -ENOMEM;
		*slot = *vm;
		*vm = (struct vm){0};
	}
	if (vms.n_items)
		qsort(vms.items, vms.n_items, sizeof(*vms.items), compare_names);
	*ret_vms = vms;
	vms = (struct vms){0};
	return 0;
}
