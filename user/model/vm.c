// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/vm.h"

#include <stdlib.h>
#include <string.h>

void vm_deinit(struct vm *vm)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		free(vm->threads[i].cgroup);
	free(vm->threads);
	free(vm->problem);
	memset(vm, 0, sizeof(*vm));
}

void vms_deinit(struct vms *vms)
{
	for (size_t i = 0; i < vms->n_items; i++)
		vm_deinit(&vms->items[i]);
	free(vms->items);
	memset(vms, 0, sizeof(*vms));
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct vm *)item)->name);
}

const struct vm *vms_find(const struct vms *vms, const char *name)
{
	if (!vms->n_items)
		return NULL;
	return bsearch(name, vms->items, vms->n_items, sizeof(*vms->items), compare_name);
}

static int compare_tid(const void *key, const void *item)
{
	pid_t x = *(const pid_t *)key, y = ((const struct vm_thread *)item)->tid;

	return (x > y) - (x < y);
}

const struct vm_thread *vm_find_thread(const struct vm *vm, pid_t tid)
{
	size_t n = vm_born(vm);

	if (!n)
		return NULL;
	if (vm->threads[0].tid == tid)
		return vm->threads;
	return bsearch(&tid, vm->threads + 1, n - 1, sizeof(*vm->threads), compare_tid);
}

bool vm_name_ok(const char *name)
{
	for (const char *p = name; *p; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '/')
			return false;
	return *name && *name != '.' && strlen(name) < VM_NAME_SIZE;
}

size_t vm_born(const struct vm *vm)
{
	size_t n = vm->n_threads;

	while (n && !vm->threads[n - 1].tid)
		n--;
	return n;
}

const char *thread_class_name(enum thread_class class)
{
	static const char *const names[] = {
		[THREAD_VCPU] = "vcpu",
		[THREAD_EMULATOR] = "emulator",
		[THREAD_IOTHREAD] = "iothread",
		[THREAD_VHOST] = "vhost",
	};

	return names[class];
}

const char *vm_source_name(enum vm_source source)
{
	static const char *const names[] = {
		[SOURCE_NAME] = "name",
		[SOURCE_QMP] = "qmp",
		[SOURCE_LIBVIRT] = "libvirt",
		[SOURCE_KVM] = "kvm",
	};

	return names[source];
}
