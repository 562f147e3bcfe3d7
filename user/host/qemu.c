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
#include "user/host/fatal.h"
#include "user/host/libvirt.h"
#include "user/host/naming.h"
#include "user/host/proc.h"
#include "user/host/qemu_args.h"
#include "user/host/qmp.h"
#include "user/host/starter.h"
#include "user/host/threads.h"
#include "user/host/unborn.h"

enum {
	SILENT_MAX = 3,	  /* that many time-outs in a pass are waited for in full */
	HURRIED_MS = 100, /* the others get this long */
	ATTEMPTS = 2, /* a vCPU may come or go between an answer and the thread list */
};

struct pass {
	const char *libvirt_dir;
	const struct qemu_expected *expected;
	struct candidate *items;
	size_t n_items;
	unsigned int n_silent;
	char *vector; /* QEMU_ARGS_MAX + 1 bytes for arguments */
	struct problem *problem;
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

/* 1: the process runs a QEMU, 0: not. Kernel threads and zombies have no executable. */
static int runs_qemu(int dirfd, const char *link)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX], *base;
	ssize_t n = readlinkat(dirfd, link, path, sizeof(path) - 1);

	if (n < 0)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	path[n] = '\0';
	base = path + n - (ssize_t)strlen(deleted);
	if (base >= path && !strcmp(base, deleted)) /* its package was upgraded */
		*base = '\0';
	base = strrchr(path, '/');
	return qemu_is_name(base ? base + 1 : path);
}

/* Whether a process whose executable may not be seen goes by the name of a QEMU. */
static bool calls_itself_qemu(pid_t pid)
{
	cleanup_close int procfd = -1;
	struct proc_stat stat;

	return !proc_open(pid, &procfd) && !proc_read_stat_at(procfd, &stat) &&
	       qemu_is_name(stat.comm);
}

/* ---- its threads ---- */

/* What is asked of a VM: which of its threads is what. */
struct inquiry {
	struct pass *pass;
	int procfd;
	const struct qemu_args *args;
	struct vm *vm;
	pid_t unread; /* see threads_read() */
};

/*
 * Reads the threads and has them told apart by somebody. With a sentence, and the threads
 * are read all the same: SILENT, there is no answer, or not one to believe; ABSENT,
 * nobody to ask, which is all right as long as another knows; -EBADMSG, the answer does
 * not fit the threads.
 */
typedef int (*ask_fn)(struct inquiry *inquiry, struct problem *problem);
enum { SILENT = 1, ABSENT };

static int query(
	struct inquiry *inquiry, struct qmp_answer *ret_answer, struct problem *problem)
{
	const struct qemu_args *args = inquiry->args;
	struct pass *pass = inquiry->pass;
	unsigned int timeout = pass->n_silent < SILENT_MAX ? QMP_TIMEOUT_MS : HURRIED_MS;
	bool silent = false;
	int r = -ENOENT;

	/* Several sockets share the time of one. */
	for (size_t i = 0; r && r != -ENOMEM && i < args->n_qmp_paths; i++) {
		r = qmp_query(inquiry->procfd, inquiry->vm->pid, args->qmp_paths[i],
			timeout / (unsigned int)args->n_qmp_paths, ret_answer, problem);
		silent |= r == -ETIMEDOUT;
	}
	pass->n_silent += silent;
	return r;
}

static int ask_qmp(struct inquiry *inquiry, struct problem *problem)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};
	cleanup_free pid_t *inner = NULL;
	struct vm *vm = inquiry->vm;
	int asked, r;

	asked = query(inquiry, &answer, problem);
	if (asked == -ENOMEM)
		return asked;
	r = threads_read(inquiry->procfd, vm, &inquiry->unread);
	if (r)
		return r;
	if (asked)
		return SILENT;
	r = threads_read_inner_ids(inquiry->procfd, vm, &inner);
	if (r && r != -ESRCH && !is_fatal(r))
		return problem_set(
			problem, SILENT, "its pid namespace: %s", strerror(-r));
	return r ? r : classify_by_qmp(vm, &answer, inner, problem);
}

static int ask_libvirt(struct inquiry *inquiry, struct problem *problem)
{
	CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};
	const char *name = inquiry->args->name;
	struct vm *vm = inquiry->vm;
	int r;

	/* In this order a vCPU that comes meanwhile makes the two not fit. */
	r = threads_read(inquiry->procfd, vm, &inquiry->unread);
	if (r)
		return r;
	r = libvirt_read(
		inquiry->pass->libvirt_dir, name ? name : "", vm->pid, &answer, problem);
	if (r)
		return r > 0 ? ABSENT : is_fatal(r) ? r : SILENT;
	return classify_by_libvirt(vm, &answer, problem);
}

/* Why there is no answer is noted, unless there is nobody to ask. */
static int ask(struct inquiry *inquiry, ask_fn fn, enum vm_source source,
	struct problem *problem)
{
	int r = -EBADMSG;

	for (int i = 0; r == -EBADMSG && i < ATTEMPTS; i++)
		r = fn(inquiry, problem);
	if (!r)
		inquiry->vm->source = source;
	if (r != -EBADMSG && r != SILENT)
		return r;
	return naming_note(inquiry->vm, problem) ? -ENOMEM : SILENT;
}

static int use_names(struct inquiry *inquiry, const struct problem *absent)
{
	struct vm *vm = inquiry->vm;
	struct problem problem;
	int r = 0, told = 0;

	vm->source = SOURCE_NAME;
	if (!vm->n_threads)
		r = threads_read(inquiry->procfd, vm, &inquiry->unread);
	if (!r)
		r = classify_by_name(vm, &problem);
	if (r >= 0)
		told = classify_by_leaf(vm);
	if (r != 1 || told)
		return r < 0 ? r : 0;
	r = absent->text[0] ? naming_note(vm, absent) : 0;
	return r ? r : naming_note(vm, &problem);
}

/* Reads the threads and tells them apart, by what serves best. */
static int find_threads(
	struct pass *pass, int procfd, const struct qemu_args *args, struct vm *vm)
{
	struct inquiry inquiry = {.pass = pass, .procfd = procfd, .args = args, .vm = vm};
	struct problem problem = {0}, absent = {0};
	int r = ABSENT;

	if (args->libvirt) {
		r = ask(&inquiry, ask_libvirt, SOURCE_LIBVIRT, &problem);
		if (r == ABSENT)
			absent = problem;
	}
	if (r > 0 && args->n_qmp_paths)
		r = ask(&inquiry, ask_qmp, SOURCE_QMP, &problem);
	if (r > 0)
		r = use_names(&inquiry, &absent);
	if (r)
		return r;
	if (inquiry.unread) {
		problem_set(&problem, 0, "its thread %d cannot be read", inquiry.unread);
		if (naming_note(vm, &problem))
			return -ENOMEM;
	}
	if (vm->n_threads < THREADS_MAX)
		return 0;
	problem_set(&problem, 0, "only %d of its threads were looked at", THREADS_MAX);
	return naming_note(vm, &problem);
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
	if (is_fatal((int)len))
		return (int)len;
	problem_set(&problem, 0, "its command line cannot be read: %s",
		len == -EFBIG ? "longer than 1 MiB" : strerror((int)-len));
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
				       : find_threads(pass, procfd, &args, vm);
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
	struct vms *ret_vms, struct problem *problem)
{
	CLEANUP(pass_deinit)
	struct pass pass = {
		.libvirt_dir = libvirt_dir, .expected = expected, .problem = problem};
	int r;

	pass.vector = malloc(QEMU_ARGS_MAX + 1);
	if (!pass.vector)
		return problem_nomem(problem);
	r = proc_for_each_pid(discover_pid, &pass);
	if (r)
		return r;
	r = naming_resolve(pass.items, pass.n_items, ret_vms);
	return r ? problem_nomem(problem) : 0;
}

int qemu_discover(const struct qemu_expected *expected, struct vms *ret_vms,
	struct problem *problem)
{
	return discover(LIBVIRT_DIR, expected, ret_vms, problem);
}

int qemu_discover_with(
	const char *libvirt_dir, struct vms *ret_vms, struct problem *problem)
{
	return discover(libvirt_dir, NULL, ret_vms, problem);
}
