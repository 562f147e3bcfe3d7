// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libvirt makes `emulator`, `vcpuN` and `iothreadN` in a group `libvirt` below the
 * domain's scope; older releases, and those without systemd, in the scope or the domain's
 * own group itself (src/hypervisor/domain_cgroup.c). So the top is where those are.
 */
#include "user/model/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/model/tree.h"

#define CLASS_PREFIX "cpuwarden-"
#define CLASS_SUFFIX ".slice"

enum layout layout_of(const struct vm *vm)
{
	return vm->libvirt ? LAYOUT_LIBVIRT : LAYOUT_OWN;
}

const char *layout_name(enum layout layout)
{
	return layout == LAYOUT_LIBVIRT ? "libvirt" : "own";
}

/*
 * A group's name must not be one of the kernel's files: `cpuset.cpus` would be a fine VM
 * name. Those all start with a controller's name and a dot, so that dot is written
 * `\x2e`. Nor must it be a class's: there the hyphen is `\x2d`.
 */
char *vm_group_path(const char *vm_name)
{
	static const char *const taken[] = {"cgroup", "cpu", "cpuset", "io", "memory",
		"pids", "rdma", "hugetlb", "misc", "irq", "dmem", "perf_event"};
	const char *dot = strchr(vm_name, '.');
	char *path = NULL;

	for (size_t i = 0; dot && i < sizeof(taken) / sizeof(*taken); i++)
		if (strlen(taken[i]) == (size_t)(dot - vm_name) &&
			!strncmp(vm_name, taken[i], strlen(taken[i])))
			return asprintf(&path, SLICE "/%s\\x2e%s", taken[i], dot + 1) < 0
				       ? NULL
				       : path;
	if (asprintf(&path, SLICE "/%s", vm_name) < 0)
		return NULL;
	if (!is_class_group(path))
		return path;
	free(path);
	return asprintf(&path, SLICE "/cpuwarden\\x2d%s",
		       vm_name + strlen(CLASS_PREFIX)) < 0
		       ? NULL
		       : path;
}

char *class_group_path(const char *class_name)
{
	char *path;

	return asprintf(&path, SLICE "/" CLASS_PREFIX "%s" CLASS_SUFFIX, class_name) < 0
		       ? NULL
		       : path;
}

/* The first `len` characters of the path. */
static bool is_class(const char *path, size_t len)
{
	static const size_t prefix = strlen(SLICE "/" CLASS_PREFIX),
			    suffix = strlen(CLASS_SUFFIX);

	return len > prefix + suffix && !strncmp(path, SLICE "/" CLASS_PREFIX, prefix) &&
	       !strncmp(path + len - suffix, CLASS_SUFFIX, suffix) &&
	       !memchr(path + strlen(SLICE "/"), '/', len - strlen(SLICE "/"));
}

bool is_class_group(const char *path)
{
	return is_class(path, strlen(path));
}

bool is_vm_group(const char *path)
{
	const char *slash;

	if (!path_is_below(path, SLICE))
		return false;
	slash = strchr(path + strlen(SLICE "/"), '/');
	if (!slash)
		return !is_class_group(path);
	return !strchr(slash + 1, '/') && is_class(path, (size_t)(slash - path));
}

void class_group_name(const char *path, char *buf, size_t size)
{
	const char *name = path + strlen(SLICE "/" CLASS_PREFIX);

	snprintf(buf, size, "%.*s", (int)(strlen(name) - strlen(CLASS_SUFFIX)), name);
}

int class_of_group(const char *path, char **ret_class)
{
	char *above = strdup(path);

	if (!above)
		return -ENOMEM;
	*ret_class = NULL;
	if (path_to_parent(above) && is_class_group(above))
		*ret_class = above;
	else
		free(above);
	return 0;
}

char *class_vm_path(const char *class_name, const char *vm_name)
{
	cleanup_free char *class = class_group_path(class_name);
	cleanup_free char *own = vm_group_path(vm_name);
	char *path;

	if (!class || !own || asprintf(&path, "%s%s", class, own + strlen(SLICE)) < 0)
		return NULL;
	return path;
}

/* The top of a thread's group if that is called as libvirt calls leaves. */
static char *top_of_leaf(const char *path, const char *prefix)
{
	const char *slash = strrchr(path, '/');

	if (!slash || strncmp(slash + 1, prefix, strlen(prefix)) ||
		path_is_below(path, SLICE))
		return NULL;
	return strndup(path, (size_t)(slash - path));
}

int layout_top(const struct vm *vm, char **ret_top)
{
	char *top = NULL;

	if (!vm->libvirt) {
		*ret_top = vm_group_path(vm->name);
		return *ret_top ? 0 : -ENOMEM;
	}
	/* The main thread's group goes before those of vCPUs, for somebody may have moved
	 * one. */
	if (vm->n_threads)
		top = top_of_leaf(vm->threads[0].cgroup, "emulator");
	for (size_t i = 1; !top && i < vm->n_threads; i++)
		top = top_of_leaf(vm->threads[i].cgroup, "vcpu");
	*ret_top = top;
	return top ? 0 : -ENOENT;
}

char *layout_leaf(const char *top, enum thread_class class, int index)
{
	char *path = NULL;
	int n;

	if (class == THREAD_EMULATOR)
		n = asprintf(&path, "%s/emulator", top);
	else
		n = asprintf(&path, "%s/%s%d", top, thread_class_name(class), index);
	return n < 0 ? NULL : path;
}
