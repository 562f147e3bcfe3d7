// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A tracer for QEMU's start and no longer: until all that its command line names are born
 * and placed. QEMU is not its child, and it may be killed at any time: the kernel then
 * lets go of QEMU, which runs on, and the next `apply` finds what is left to do. No
 * seccomp filter picks out the calls of interest, since one would stay behind.
 *
 * The tracer does nothing that takes time while QEMU runs. Placement is for a child of
 * its, the judge, which takes the lock and applies what is desired as the verb does. One
 * that cannot tell is no reason to give up: another is sent later.
 */
#include "user/control/attendant.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/control/births.h"
#include "user/control/judge.h"
#include "user/host/starter.h"

enum {
	LIMIT = 300, /* seconds: memory may have to be filled before vCPUs are made */
	SYSCALL_STOP = SIGTRAP | 0x80, /* with PTRACE_O_TRACESYSGOOD */
};

struct watch {
	const struct attendance *attendance;
	struct births births; /* none before the VM is placed */
	pid_t first;	      /* who called exec */
	pid_t second;	      /* with -daemonize: its child, whose child is the VM */
	pid_t vm;	      /* whose main thread is watched; 0: not there yet */
	bool is_qemu;	      /* `first` has executed it */
	bool complete;	      /* all are born */
	bool held;	      /* the VM may not run before it is placed */
	bool waits;	      /* `first` may not end before a judge has looked again */
	bool gone;	      /* the VM has ended; what is left of it is to be cleared */
	pid_t judge;	      /* at work, or 0 */
	bool judge_waits, judge_gone; /* what was so when it began */
	time_t began, next_look;
	bool over;
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void resume(const struct watch *watch, pid_t pid, int signal)
{
	bool watched = pid == watch->vm && watch->is_qemu && !watch->complete;

	ptrace(watched ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (void *)(long)signal);
}

/* While they are being made there is little to look for, and no hurry. */
static void on_birth(struct watch *watch)
{
	time_t soon = now() + 1;

	watch->complete = births_are_done(&watch->births);
	if (watch->complete)
		watch->next_look = now();
	else if (watch->next_look < soon)
		watch->next_look = soon;
}

static void on_syscall(struct watch *watch, pid_t pid)
{
	struct births *births = &watch->births;
	struct __ptrace_syscall_info info = {};
	uint64_t args[SYSCALL_ARGS];

	if (pid != watch->vm ||
		ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0)
		info.op = PTRACE_SYSCALL_INFO_NONE;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		for (int i = 0; i < SYSCALL_ARGS; i++)
			args[i] = info.entry.args[i];
		births_enter(births, pid, info.entry.nr, args);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT &&
		   births_leave(births, pid, info.exit.rval)) {
		on_birth(watch);
	}
	resume(watch, pid, 0);
}

/*
 * With -daemonize QEMU forks twice, and the last of the three is the VM. It has not run
 * yet, and does not before it is placed.
 */
static void on_fork(struct watch *watch, pid_t pid)
{
	if (!watch->second) {
		watch->second = pid;
		resume(watch, pid, 0);
		return;
	}
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD);
	watch->vm = pid;
	starter_tell(pid);
	watch->held = true;
	watch->next_look = now();
}

static void on_exec(struct watch *watch)
{
	watch->is_qemu = true;
	watch->began = now();
	/* With -daemonize there is nothing to be seen before the VM is there. */
	if (watch->vm)
		watch->next_look = watch->began + 1;
}

static void on_event(struct watch *watch, pid_t pid, int event, int signal)
{
	if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
		/* Somebody has stopped it: so it stays until SIGCONT. */
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		return;
	}
	if (event == PTRACE_EVENT_EXEC && pid == watch->first)
		on_exec(watch);
	if (event == PTRACE_EVENT_EXIT && pid == watch->first && watch->vm != pid &&
		watch->vm) {
		/* The daemon is up: whoever waits for that may find it placed. */
		watch->waits = true;
		watch->next_look = now();
		return;
	}
	if (event == PTRACE_EVENT_STOP && pid != watch->first && pid != watch->second &&
		!watch->vm) {
		on_fork(watch, pid);
		return;
	}
	resume(watch, pid, 0);
}

static void on_stop(struct watch *watch, pid_t pid, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;

	if (event)
		on_event(watch, pid, event, signal);
	else if (signal == SYSCALL_STOP)
		on_syscall(watch, pid);
	else
		resume(watch, pid, signal);
}

/* ---- the judge ---- */

static void send_judge(struct watch *watch)
{
	const struct attendance *attendance = watch->attendance;

	watch->judge_waits = watch->waits;
	watch->judge_gone = watch->gone;
	/* For who is not recognised when it is born. Ever more seldom. */
	watch->next_look = now() + 1 + (now() - watch->began) / 4;
	watch->judge = fork();
	if (!watch->judge)
		_exit(judge(
			attendance->folders, attendance->vm_name, attendance->report));
	/* Without memory for it: later. */
	if (watch->judge < 0)
		watch->judge = 0;
}

static void tell(const struct watch *watch, const struct problem *why)
{
	const struct attendance *attendance = watch->attendance;

	attendance->report->failed(
		attendance->vm_name, why->text, attendance->report->data);
}

static void tell_missed(const struct watch *watch)
{
	const struct births *births = &watch->births;

	for (size_t i = 0; i < births->n_items; i++) {
		const struct birth *birth = &births->items[i];
		struct problem why;

		if (birth->done)
			continue;
		problem_set(&why, 0,
			"%s %d was not recognised when it was born, and ran with the "
			"emulator until it was placed",
			thread_class_name(birth->thread.class), birth->thread.index);
		tell(watch, &why);
	}
}

/* Where the threads of a VM that is placed now, but has not run, are to be born. */
static bool learn_births(struct watch *watch)
{
	const struct asking nothing = {};
	const struct attendance *attendance = watch->attendance;
	struct problem why;

	if (!births_read(attendance->folders, &nothing, attendance->vm_name,
		    &watch->births, &why))
		return true;
	tell(watch, &why);
	return false;
}

static void on_judgement(struct watch *watch, int judgement)
{
	watch->judge = 0;
	if (judgement == JUDGE_UNBORN && watch->held && !watch->gone &&
		!learn_births(watch))
		judgement = JUDGE_LATER;
	if (judgement == JUDGE_LATER)
		return;
	if (watch->gone) {
		watch->over = watch->judge_gone;
		return;
	}
	if (judgement == JUDGE_PLACED)
		tell_missed(watch);
	/* It has not run yet: so it never does. */
	if (judgement == JUDGE_FAILED && watch->held)
		kill(watch->vm, SIGKILL);
	else
		watch->over = judgement != JUDGE_UNBORN;
	if (watch->held)
		resume(watch, watch->vm, 0);
	watch->held = false;
	if (watch->judge_waits)
		resume(watch, watch->first, 0);
	watch->waits &= !watch->judge_waits;
}

/* ---- its life ---- */

static void on_end(struct watch *watch, pid_t pid, int status)
{
	if (pid == watch->judge) {
		on_judgement(
			watch, WIFEXITED(status) ? WEXITSTATUS(status) : JUDGE_LATER);
		return;
	}
	if (pid != (watch->vm ? watch->vm : watch->first))
		return;
	watch->gone = true;
	watch->next_look = now();
	/* With -daemonize nothing was placed yet; and who could not execute QEMU has
	 * cleared up by itself, unless it was killed. */
	watch->over = !watch->vm || (!watch->is_qemu && WIFEXITED(status));
}

static void reap(struct watch *watch)
{
	pid_t pid = 0;
	int status;

	while (!watch->over && (pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		if (WIFSTOPPED(status))
			on_stop(watch, pid, status);
		else
			on_end(watch, pid, status);
	}
	/* Nobody left to wait for. */
	watch->over |= pid < 0 && errno == ECHILD;
}

static void tell_late(const struct watch *watch)
{
	struct problem why;

	if (watch->gone)
		return;
	problem_set(&why, 0,
		"not all of its vCPUs and iothreads were there after %d s: the next "
		"`cpuwarden apply` places those that come",
		LIMIT);
	tell(watch, &why);
}

static void attend(struct watch *watch, const sigset_t *child)
{
	const struct timespec second = {.tv_sec = 1};

	for (reap(watch); !watch->over; reap(watch)) {
		if (!watch->judge && watch->next_look && now() >= watch->next_look)
			send_judge(watch);
		if (watch->began && now() - watch->began > LIMIT) {
			tell_late(watch);
			return;
		}
		sigtimedwait(child, NULL, &second);
	}
}

static int seize(const struct watch *watch)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;

	if (watch->attendance->daemonize)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT;
	return ptrace(PTRACE_SEIZE, watch->first, NULL, (void *)options) ? errno : 0;
}

/* Out of the terminal's reach: what it sends is meant for QEMU. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

static void attendant_main(const struct attendance *attendance, pid_t first, int fd)
{
	struct watch watch = {
		.attendance = attendance, .first = first, .births.hierarchy.root = -1};
	sigset_t child;
	int r;

	leave_terminal();
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGCHLD, SIG_DFL);
	if (read(fd, &r, sizeof(r)) != sizeof(r))
		return;
	if (!attendance->daemonize) {
		r = -births_read(attendance->folders, attendance->asking,
			attendance->vm_name, &watch.births, NULL);
		watch.vm = first;
		starter_tell(first);
	}
	if (!r)
		r = seize(&watch);
	if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r) || r)
		return;
	close(fd);
	attend(&watch, &child);
}

int attendant_make(
	const struct attendance *attendance, int *ret_fd, struct problem *problem)
{
	pid_t first = getpid(), between;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return problem_set(problem, -errno, "no socket: %s", strerror(errno));
	between = fork();
	if (!between) {
		/* Twice, so that QEMU has no child that it does not know of. */
		if (fork())
			_exit(0);
		close(ends[0]);
		attendant_main(attendance, first, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (between < 0) {
		close(ends[0]);
		return problem_set(problem, -EAGAIN, "no process can be made");
	}
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_fd = ends[0];
	return 0;
}

int attendant_begin(int fd, struct problem *problem)
{
	int r = 0;

	if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r) ||
		read(fd, &r, sizeof(r)) != sizeof(r))
		r = EPIPE;
	return r ? problem_set(problem, -r,
			   "its threads cannot be watched while they are born: %s",
			   strerror(r))
		 : 0;
}
