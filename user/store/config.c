// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/store/inifile.h"
#include "user/store/keys.h"

static const struct inifile_ops ops = {
	.section = target_section,
	.entry = target_entry,
};

static int make_path(char path[PATH_MAX], const char *dir, const char *name,
	const char *suffix, struct problem *problem)
{
	if (snprintf(path, PATH_MAX, "%s/%s%s", dir, name, suffix) < PATH_MAX)
		return 0;
	return problem_set(problem, -ENAMETOOLONG, "%s: the path is too long", dir);
}

static int check_pools(
	const char *path, const struct config *config, struct problem *problem)
{
	struct cpuset both = config->housekeeping;

	cpuset_and(&both, &config->reserved);
	if (!cpuset_empty(&both))
		return problem_set(problem, -EINVAL,
			"%s: CPU %d is given as housekeeping and as reserved", path,
			cpuset_next(&both, 0));
	return 0;
}

static int read_host(const char *etc_dir, struct target *target, struct config *config,
	struct problem *problem)
{
	char path[PATH_MAX];
	int r = make_path(path, etc_dir, "cpuwarden.conf", "", problem);

	if (r)
		return r;
	target_host(target, config);
	r = inifile_read(path, &ops, target, problem);
	target_host_done(target);
	return r < 0 ? r : check_pools(path, config, problem);
}

/* The text of one file of a VM. 1: there is none, or it does not count. */
static int load_vm_file(const struct config_source *source, const char *vm, bool run,
	char **ret_text, size_t *ret_size, struct problem *problem)
{
	const struct config_draft *draft = source->draft;
	const char *text;

	if (!draft || strcmp(draft->vm, vm))
		return run && !source->run_dir
			       ? 1
			       : vm_file_load(run ? source->run_dir : source->etc_dir, vm,
					 run ? source->alive : NULL, ret_text, ret_size,
					 problem);
	text = run ? draft->run : draft->etc;
	if (!text)
		return 1;
	*ret_text = strdup(text);
	*ret_size = strlen(text);
	return *ret_text ? 0 : problem_nomem(problem);
}

/* Lays one file of a VM over *vm. 1: there is none. */
static int read_vm_file(const struct config_source *source, bool run,
	struct target *target, struct vm_policy *vm, struct problem *problem)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int r = load_vm_file(source, vm->name, run, &text, &size, problem);

	if (!r)
		r = vm_file_path(
			run && source->run_dir ? source->run_dir : source->etc_dir,
			vm->name, path, problem);
	if (r)
		return r;
	target_vm(target, vm, run);
	r = inifile_parse(path, text, size, &ops, target, problem);
	target_vm_done(target);
	return r;
}

/* The VM's policy at the end of config->vms, unless neither file is there (any more). */
static int read_vm(const struct config_source *source, const char *name,
	struct target *target, struct config *config, struct problem *problem)
{
	struct vm_policy *vm;
	struct policy policy;
	int in_etc, in_run;

	config_policy(config, name, &policy);
	vm = array_push(&config->vms, &config->n_vms);
	if (!vm)
		return problem_nomem(problem);
	strcpy(vm->name, name);
	vm->policy = policy;
	in_etc = read_vm_file(source, false, target, vm, problem);
	if (in_etc < 0)
		return in_etc;
	in_run = read_vm_file(source, true, target, vm, problem);
	if (in_run < 0)
		return in_run;
	if (in_etc && in_run)
		config->n_vms--;
	return 0;
}

struct names {
	char (*items)[VM_NAME_SIZE];
	size_t n_items;
};

static void names_deinit(struct names *names)
{
	free(names->items);
}

/* Notes the VM that a file is for, if any: editors leave backups beside theirs. */
static int add_vm(
	struct names *names, const char *dir, const char *file, struct problem *problem)
{
	const size_t suffix = strlen(".conf"), len = strlen(file);
	char(*slot)[VM_NAME_SIZE];

	if (*file == '.' || len <= suffix || strcmp(file + len - suffix, ".conf"))
		return 0;
	if (len - suffix >= VM_NAME_SIZE)
		return problem_set(problem, -ENAMETOOLONG,
			"%s/%s: a VM's name has at most %d bytes", dir, file,
			VM_NAME_SIZE - 1);
	slot = array_push(&names->items, &names->n_items);
	if (!slot)
		return problem_nomem(problem);
	memcpy(*slot, file, len - suffix);
	return 0;
}

static int list_vms(const char *parent, struct names *names, struct problem *problem)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int r = make_path(path, parent, "vms.d", "", problem);

	if (r)
		return r;
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return 0;
	while (dir && !r && (errno = 0, entry = readdir(dir)))
		r = add_vm(names, path, entry->d_name, problem);
	if (!r && errno)
		r = problem_set(
			problem, -errno, "%s: cannot be read: %s", path, strerror(errno));
	if (dir)
		closedir(dir);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list_all(
	const struct config_source *source, struct names *names, struct problem *problem)
{
	char(*slot)[VM_NAME_SIZE];
	int r = list_vms(source->etc_dir, names, problem);

	if (!r && source->run_dir)
		r = list_vms(source->run_dir, names, problem);
	if (r || !source->draft)
		return r;
	slot = array_push(&names->items, &names->n_items);
	if (!slot)
		return problem_nomem(problem);
	snprintf(*slot, sizeof(*slot), "%s", source->draft->vm);
	return 0;
}

static int read_vms(const struct config_source *source, struct target *target,
	struct config *config, struct problem *problem)
{
	CLEANUP(names_deinit) struct names names = {0};
	int r = list_all(source, &names, problem);

	if (names.n_items)
		qsort(names.items, names.n_items, sizeof(*names.items), compare_names);
	for (size_t i = 0; !r && i < names.n_items; i++)
		if (!i || strcmp(names.items[i - 1], names.items[i]))
			r = read_vm(source, names.items[i], target, config, problem);
	return r;
}

int config_read(const struct config_source *source, const struct cpuset *present,
	struct config *ret_config, struct problem *problem)
{
	cleanup_free struct target *target = calloc(1, sizeof(*target));
	CLEANUP(config_deinit) struct config config;
	int r;

	config_init(&config);
	if (!target)
		return problem_nomem(problem);
	target->present = present;
	r = read_host(source->etc_dir, target, &config, problem);
	if (!r)
		r = read_vms(source, target, &config, problem);
	if (r)
		return r;
	*ret_config = config;
	config_init(&config); /* what it owned is the caller's now */
	return 0;
}
