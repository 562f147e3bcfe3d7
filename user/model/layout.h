/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where a VM's groups are: a top group, and below it a leaf for each kind of thread. Both
 * layouts call the leaves alike: `emulator`, `vcpuN`, `iothreadN`.
 */
#include "user/model/vm.h"

enum layout {
	LAYOUT_OWN,	/* ours: below the slice, named after the VM */
	LAYOUT_LIBVIRT, /* libvirt's: where its threads are already, and stay */
};

enum layout layout_of(const struct vm *vm);
const char *layout_name(enum layout layout);

/* The group below the slice, named after the VM. The caller frees; NULL: out of memory.
 */
char *vm_group_path(const char *vm_name);

/* The group below the slice for VMs of a class: a slice in systemd's manner,
 * `cpuwarden-CLASS.slice`. The caller frees; NULL: out of memory. */
char *class_group_path(const char *class_name);

/* Is it directly below the slice, and called as that of a class? */
bool is_class_group(const char *path);

/* The class's name, of a path for which is_class_group() holds; cut at size. */
void class_group_name(const char *path, char *buf, size_t size);

/* Is it where VMs have their groups: directly below the slice, or a class's group? */
bool is_vm_group(const char *path);

/* The class's group that a VM's is in, or NULL: in none. -ENOMEM. The caller frees. */
int class_of_group(const char *path, char **ret_class);

/* The group of a VM within that of its class. The caller frees; NULL: out of memory. */
char *class_vm_path(const char *class_name, const char *vm_name);

/*
 * A VM's top group. -ENOENT: libvirt's cannot be told from where its threads are. The
 * caller frees.
 */
int layout_top(const struct vm *vm, char **ret_top);

/* A leaf below a top group. The caller frees; NULL: out of memory. */
char *layout_leaf(const char *top, enum thread_class class, int index);
