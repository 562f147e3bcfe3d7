// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/host/roles.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/host/classify.h"
#include "user/host/fatal.h"
#include "user/host/libvirt.h"
#include "user/host/naming.h"
#include "user/host/qmp.h"
#include "user/host/threads.h"

enum {
	SILENT_MAX = 3,	  /* that many time-outs in a pass are waited for in full */
	HURRIED_MS = 100, /* the next get this long */
	HURRIED_MAX = 20, /* and after so many in all */
	HASTY_MS = 10,	  /* this: whoever starts hundreds is not to hold up a host */
	ATTEMPTS = 2, /* a vCPU may come or go between an answer and the thread list */
};

/* What is asked of a VM: which of its threads is what. */
struct inquiry {
	struct questions *questions;
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

static bool was_silent(const struct silent *silent, const struct vm *vm)
{
	for (unsigned int i = 0; i < silent->n_items; i++)
		if (silent->items[i].pid == vm->pid &&
			silent->items[i].start_time == vm->start_time)
			return true;
	return false;
}

static void note_silent(struct questions *questions, const struct vm *vm)
{
	struct silent *now = &questions->now;

	if (now->n_items < sizeof(now->items) / sizeof(*now->items))
		now->items[now->n_items++] =
			(struct process_id){.pid = vm->pid, .start_time = vm->start_time};
	questions->n_silent++;
	questions->n_unexpected += !was_silent(&questions->before, vm);
}

static unsigned int patience(const struct questions *questions, const struct vm *vm)
{
	if (questions->n_silent >= HURRIED_MAX)
		return HASTY_MS;
	if (questions->n_unexpected >= SILENT_MAX || was_silent(&questions->before, vm))
		return HURRIED_MS;
	return QMP_TIMEOUT_MS;
}

static int query(
	struct inquiry *inquiry, struct qmp_answer *ret_answer, struct problem *problem)
{
	const struct qemu_args *args = inquiry->args;
	struct questions *questions = inquiry->questions;
	unsigned int timeout = patience(questions, inquiry->vm);
	bool silent = false;
	int r = -ENOENT;

	/* Several sockets share the time of one. */
	for (size_t i = 0; r && r != -ENOMEM && i < args->n_qmp_paths; i++) {
		r = qmp_query(inquiry->procfd, inquiry->vm->pid, args->qmp_paths[i],
			timeout / (unsigned int)args->n_qmp_paths, ret_answer, problem);
		silent |= r == -ETIMEDOUT;
	}
	if (silent)
		note_silent(questions, inquiry->vm);
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
	r = libvirt_read(inquiry->questions->libvirt_dir, name ? name : "", vm->pid,
		&answer, problem);
	vm->starting = r == 2;
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

int roles_find(struct questions *questions, int procfd, const struct qemu_args *args,
	struct vm *vm)
{
	struct inquiry inquiry = {
		.questions = questions, .procfd = procfd, .args = args, .vm = vm};
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
