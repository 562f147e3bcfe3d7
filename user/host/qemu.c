// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass over /proc. A process is held by an fd of its directory from the first look to
 * the last, so whatever was read belongs to one process; when it has gone in between,
 * reading says so and the VM is left out as if it had never been seen.
 *
 * Names are given last and all at once (naming.h), since each must be there only once.
 */
#include "user/host/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/classify.h"
#include "user/host/libvirt.h"
#include "user/host/naming.h"
#include "user/host/proc.h"
#include "user/host/qemu_args.h"
#include "user/host/roles.h"
#include "user/host/starter.h"
#include "user/host/threads.h"
#include "user/host/unborn.h"

struct pass {
	struct questions questions;
	const struct qemu_expected *expected;
	struct candidate *items;
	size_t n_items;
	char *vector; /* QEMU_ARGS_MAX + 1 bytes for arguments */
	struct problem *problem;
	bool explained;
};

static void pass_deinit(struct pass *pass)
{
	for (size_t i = 0; i < pass->n_items; i++)
		vm_deinit(&pass->items[i].vm);
	free(pass->items);
	free(pass->vector);
}

bool qemu_is_name(const char *name)
{
	return !strncmp(name, "qemu-system-", 12) || !strcmp(name, "qemu-kvm") ||
	       !strcmp(name, "kvm");
}

/* 1: the process runs a QEMU, 0: not. Kernel threads and zombies have no executable, and
 * one whose path is longer than the kernel tells is somebody's play. Negative errno: it
 * cannot be told. */
static int runs_qemu(int dirfd, const char *link)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX], *base;
	ssize_t n = readlinkat(dirfd, link, path, sizeof(path) - 1);

	if (n < 0)
		return errno == ENOENT || errno == ESRCH || errno == ENAMETOOLONG
			       ? 0
			       : -errno;
	path[n] = '\0';
	base = path + n - (ssize_t)strlen(deleted);
	if (base >= path && !strcmp(base, deleted)) /* its package was upgraded */
		*base = '\0';
	base = strrchr(path, '/');
	return qemu_is_name(base ? base + 1 : path);
}

/* Whether a process whose executable cannot be seen goes by the name of a QEMU. */
static bool calls_itself_qemu(pid_t pid)
{
	cleanup_close int procfd = -1;
	struct proc_stat stat;

	return !proc_open(pid, &procfd) && !proc_read_stat_at(procfd, &stat) &&
	       qemu_is_name(stat.comm);
}

/* ---- one process ---- */

static bool is_expected(const struct pass *pass, pid_t pid)
{
	return pass->expected && pass->expected->pid == pid;
}

static int read_args(
	struct pass *pass, int procfd, struct vm *vm, struct qemu_args *ret_args)
{
	struct problem problem;
	ssize_t len;

	if (is_expected(pass, vm->pid))
		return qemu_args_parse(
			pass->expected->vector, pass->expected->len, ret_args);
	len = file_read_raw_at(procfd, "cmdline", pass->vector, QEMU_ARGS_MAX + 1);
	if (len >= 0)
		return qemu_args_parse(pass->vector, (size_t)len, ret_args);
	if (len == -ENOENT || len == -ESRCH)
		return -ESRCH;
	/* Without its name it would be another VM: only its own doing may have it so. */
	if (len != -EFBIG)
		return (int)len;
	problem_set(&problem, 0, "its command line cannot be read: longer than 1 MiB");
	return naming_note(vm, &problem);
}

/* One that is not QEMU yet has nobody to ask. */
static int find_first_threads(int procfd, struct vm *vm)
{
	pid_t unread;
	int r = threads_read(procfd, vm, &unread);

	if (!r)
		r = classify_by_name(vm, NULL);
	return r < 0 ? r : 0;
}

/* 0 and an item more; 0 and none when it is no VM; -ESRCH. */
static int look(struct pass *pass, int procfd, struct candidate *candidate)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args = {0};
	struct vm *vm = &candidate->vm;
	struct proc_stat before, after;
	struct candidate *slot;
	enum starting starting;
	int r;

	r = proc_read_stat_at(procfd, &before);
	if (!r)
		r = read_args(pass, procfd, vm, &args);
	if (r || args.probe)
		return r;
	starting = starter_says(procfd, vm->pid);
	if (starting == STARTING_FORK)
		return 0;
	vm->start_time = before.start_time;
	candidate->ppid = before.ppid;
	vm->libvirt = args.libvirt;
	vm->smp = args.smp;
	if (args.name)
		qemu_args_file_name(args.name, vm->name);
	r = is_expected(pass, vm->pid) ? find_first_threads(procfd, vm)
				       : roles_find(&pass->questions, procfd, &args, vm);
	if (!r && !vm->libvirt && (starting || is_expected(pass, vm->pid)))
		r = unborn_add(vm, &args);
	if (!r)
		r = proc_read_stat_at(procfd, &after);
	if (r)
		return r;
	if (after.start_time != before.start_time)
		return -ESRCH;
	slot = array_push(&pass->items, &pass->n_items);
	if (!slot)
		return -ENOMEM;
	*slot = *candidate;
	*candidate = (struct candidate){0};
	return 0;
}

static void cleanup_candidate_fn(struct candidate *candidate)
{
	vm_deinit(&candidate->vm);
}

static int explain(struct pass *pass, pid_t pid, int r)
{
	pass->explained = true;
	if (r == -ENOMEM)
		return problem_nomem(pass->problem);
	if (r == -ENODATA)
		return problem_set(pass->problem, r,
			"this host has no cgroup v2 hierarchy (boot with systemd.unified_cgroup_hierarchy=1)");
	if (r == -EXDEV)
		return problem_set(pass->problem, r,
			"QEMU process %d is outside of the cgroup namespace that this runs in",
			pid);
	if (r == -EACCES || r == -EPERM)
		return problem_set(pass->problem, -EACCES,
			"QEMU process %d may not be looked at: root or CAP_SYS_PTRACE is needed",
			pid);
	return problem_set(pass->problem, r, "QEMU process %d: %s", pid, strerror(-r));
}

static int discover_pid(pid_t pid, void *data)
{
	CLEANUP(cleanup_candidate_fn) struct candidate candidate = {.vm = {.pid = pid}};
	cleanup_close int procfd = -1;
	struct pass *pass = data;
	char link[32];
	int r;

	/* Most processes are none of ours, and cost this one call. */
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	r = runs_qemu(AT_FDCWD, link);
	if (r < 0 && !calls_itself_qemu(pid))
		return 0;
	if (r > 0 || is_expected(pass, pid)) {
		r = proc_open(pid, &procfd);
		if (!r)
			r = is_expected(pass, pid) ? 1 : runs_qemu(procfd, "exe");
		if (r > 0)
			r = look(pass, procfd, &candidate);
	}
	return r && r != -ESRCH ? explain(pass, pid, r) : 0;
}

static int discover(const char *libvirt_dir, const struct qemu_expected *expected,
	struct silent *silent, struct vms *ret_vms, struct problem *problem)
{
	CLEANUP(pass_deinit)
	struct pass pass = {.questions.libvirt_dir = libvirt_dir,
		.expected = expected,
		.problem = problem};
	int r;

	if (silent)
		pass.questions.before = *silent;

	pass.vector = malloc(QEMU_ARGS_MAX + 1);
	if (!pass.vector)
		return problem_nomem(problem);
	r = proc_for_each_pid(discover_pid, &pass);
	if (r)
		return pass.explained ? r
				      : problem_set(problem, r,
						"cannot look for VMs in /proc: %s",
						strerror(-r));
	if (silent)
		*silent = pass.questions.now;
	r = naming_resolve(pass.items, pass.n_items, ret_vms);
	return r ? problem_nomem(problem) : 0;
}

int qemu_discover(const struct qemu_expected *expected, struct silent *silent,
	struct vms *ret_vms, struct problem *problem)
{
	return discover(LIBVIRT_DIR, expected, silent, ret_vms, problem);
}

static bool is_same(const struct vm *known, const struct vm *now)
{
	if (known->n_threads != now->n_threads)
		return false;
	for (size_t i = 0; i < now->n_threads; i++)
		if (known->threads[i].tid != now->threads[i].tid ||
			known->threads[i].start_time != now->threads[i].start_time ||
			strcmp(known->threads[i].comm, now->threads[i].comm) != 0)
			return false;
	return true;
}

/* Nobody is asked where the threads are those of before. 1: they are others. */
static int look_at_threads(const struct vm *known, struct vm *now)
{
	cleanup_close int procfd = -1;
	pid_t unread;
	int r = proc_open(known->pid, &procfd);

	if (!r)
		r = threads_read(procfd, now, &unread);
	if (r)
		return r;
	if (now->threads[0].start_time != known->start_time)
		return -ESRCH;
	if (unread || !is_same(known, now))
		return 1;
	for (size_t i = 0; i < now->n_threads; i++) {
		now->threads[i].class = known->threads[i].class;
		now->threads[i].index = known->threads[i].index;
	}
	now->source = known->source;
	return 0;
}

static int look_again(const struct vm *known, const struct silent *silent, struct vm *now,
	struct problem *problem)
{
	CLEANUP(pass_deinit)
	struct pass pass = {.questions.libvirt_dir = LIBVIRT_DIR, .problem = problem};
	int r;

	if (silent)
		pass.questions.before = *silent;
	pass.vector = malloc(QEMU_ARGS_MAX + 1);
	if (!pass.vector)
		return problem_nomem(problem);
	r = discover_pid(known->pid, &pass);
	if (r)
		return r;
	if (!pass.n_items || pass.items[0].vm.start_time != known->start_time)
		return -ESRCH;
	vm_deinit(now);
	*now = pass.items[0].vm;
	pass.items[0].vm = (struct vm){};
	return 0;
}

int qemu_look_again(const struct vm *known, const struct silent *silent,
	struct vm *ret_vm, struct problem *problem)
{
	struct vm now = {.pid = known->pid, .start_time = known->start_time};
	int r = look_at_threads(known, &now);

	if (r > 0)
		r = look_again(known, silent, &now, problem);
	if (r) {
		vm_deinit(&now);
		return r == -ESRCH ? r
				   : problem_set(problem, r, "VM %s: %s", known->name,
					     strerror(-r));
	}
	memcpy(now.name, known->name, sizeof(now.name));
	now.libvirt = known->libvirt;
	now.smp = known->smp;
	*ret_vm = now;
	return 0;
}

int qemu_discover_with(
	const char *libvirt_dir, struct vms *ret_vms, struct problem *problem)
{
	return discover(libvirt_dir, NULL, NULL, ret_vms, problem);
}
