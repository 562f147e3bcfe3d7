// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * faultat [OPTION]... N COMMAND...: runs the command and has something happen at its N-th
 * system call of some kinds, before that call is made: it is killed, unless an option
 * says what else. Exit status 0: killed there; 1: it ended by itself, and how many such
 * calls it made is printed, of each kind and in all.
 *
 *   -c CALL,...
 *       of these kinds, or `all`; without it those that change something: between two
 *       changes one point to be killed at is as good as another
 *   -e ERRNO
 *       the call is not made, and fails with that error
 *   -h
 *       it is held there until standard input has a line, or ends
 *   -s STEP
 *       then again after each STEP such calls
 *   -o FILE
 *       a line is added to the file for each call that it happened at: what kind, and of
 *       what. The exit status is the command's, or 128 and the signal that ended it
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* What its first argument is, or with an openat() and its like the second. */
enum argument { FD, PATH, PATH_AT, NUMBER };

#define CHANGES(call, argument)                   \
	{                                         \
#call, SYS_##call, argument, true \
	}
#define READS(call, argument)                      \
	{                                          \
#call, SYS_##call, argument, false \
	}

static const struct call {
	const char *name;
	long nr;
	enum argument argument;
	bool changes;
} calls[] = {
	CHANGES(write, FD),
	CHANGES(mkdir, PATH),
	CHANGES(mkdirat, PATH_AT),
	CHANGES(rmdir, PATH),
	CHANGES(unlink, PATH),
	CHANGES(unlinkat, PATH_AT),
	CHANGES(rename, PATH),
	CHANGES(renameat, PATH_AT),
	CHANGES(bpf, NUMBER),
	CHANGES(sched_setaffinity, NUMBER),
	CHANGES(fsync, FD),
	CHANGES(flock, FD),
	CHANGES(membarrier, NUMBER),
	CHANGES(ftruncate, FD),
	READS(openat, PATH_AT),
	READS(openat2, PATH_AT),
	READS(read, FD),
	READS(mmap, NUMBER),
	READS(newfstatat, PATH_AT),
	READS(faccessat2, PATH_AT),
	READS(access, PATH),
	READS(readlinkat, PATH_AT),
	READS(statfs, PATH),
	READS(getdents64, FD),
	READS(name_to_handle_at, PATH_AT),
	READS(sched_getaffinity, NUMBER),
	READS(fcntl, FD),
	READS(close, FD),
	READS(socket, NUMBER),
	READS(connect, FD),
	READS(sendto, FD),
	READS(recvfrom, FD),
	READS(poll, NUMBER),
	READS(getrandom, NUMBER),
	READS(ioctl, FD),
	READS(epoll_create1, NUMBER),
	READS(epoll_ctl, FD),
	READS(epoll_wait, FD),
	READS(timerfd_settime, FD),
	READS(inotify_add_watch, FD),
	READS(inotify_rm_watch, FD),
};

enum { CALLS = sizeof(calls) / sizeof(*calls) };

struct wish {
	bool chosen[CALLS];
	long at, step;
	int error;
	bool hold;
	const char *report;
};

static bool choose(struct wish *wish, char *names)
{
	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;

		bool all = !strcmp(name, "all");

		while (i < CALLS && !all && strcmp(calls[i].name, name))
			i++;
		if (i == CALLS)
			return false;
		for (size_t j = 0; all && j < CALLS; j++)
			wish->chosen[j] = true;
		wish->chosen[i] = true;
	}
	return true;
}

/* A filter rather than a stop at each call: stops are slow where the host is emulated. */
static int stop_at(const struct wish *wish)
{
	struct sock_filter filter[2 * CALLS + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog program = {.len = 1, .filter = filter};

	for (size_t i = 0; i < CALLS; i++) {
		if (!wish->chosen[i])
			continue;
		filter[program.len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)calls[i].nr, 0, 1);
		filter[program.len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	filter[program.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static void describe(
	pid_t pid, const struct call *call, unsigned long value, char text[512])
{
	struct iovec here = {.iov_base = text, .iov_len = 511},
		     there = {.iov_base = (void *)value, .iov_len = 511};
	char link[64];
	ssize_t n = -1;

	if (call->argument == FD) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)value);
		n = readlink(link, text, 511);
	} else if (call->argument != NUMBER) {
		/* A name may stand just before a page that is none. */
		for (; n < 0 && there.iov_len; there.iov_len /= 2)
			n = process_vm_readv(pid, &here, 1, &there, 1, 0);
	}
	if (n < 0)
		snprintf(text, 512, "%ld", (long)value);
	else
		text[n] = '\0';
}

static size_t find(const struct user_regs_struct *regs)
{
	size_t i = 0;

	while (i < CALLS - 1 && (unsigned long)calls[i].nr != regs->orig_rax)
		i++;
	return i;
}

/* At the call. False: it was killed. */
static bool happen(pid_t pid, const struct wish *wish, const struct call *call,
	struct user_regs_struct *regs)
{
	FILE *file = wish->report ? fopen(wish->report, "ae") : NULL;
	char text[512];

	describe(pid, call, call->argument == PATH_AT ? regs->rsi : regs->rdi, text);
	if (file) {
		fprintf(file, "%s %s\n", call->name, text);
		fclose(file);
	}
	if (wish->error) {
		regs->orig_rax = ~0ULL;
		regs->rax = (unsigned long long)-wish->error;
		ptrace(PTRACE_SETREGS, pid, 0, regs);
	} else if (wish->hold) {
		while (read(STDIN_FILENO, text, sizeof(text)) < 0 && errno == EINTR)
			;
	} else {
		kill(pid, SIGKILL);
		return false;
	}
	return true;
}

/* Until it ends. Returns its status as of waitpid(). */
static int watch(
	pid_t pid, const struct wish *wish, bool *ret_killed, long ret_counts[CALLS])
{
	long next = wish->at, n = 0;
	struct user_regs_struct regs;
	int status, signal = 0;
	size_t call;

	*ret_killed = false;
	while (!ptrace(PTRACE_CONT, pid, 0, signal) || errno != ESRCH) {
		if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
			return status;
		signal = status >> 16 ? 0 : WSTOPSIG(status);
		if (status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			continue;
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		call = find(&regs);
		ret_counts[call]++;
		if (++n != next)
			continue;
		next += wish->step;
		if (!happen(pid, wish, &calls[call], &regs)) {
			*ret_killed = true;
			break;
		}
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool parse(int argc, char **argv, struct wish *wish)
{
	bool kinds = false;
	int option;

	while ((option = getopt(argc, argv, "+c:e:hs:o:")) != -1) {
		if (option == 'c' && !choose(wish, optarg))
			return false;
		kinds |= option == 'c';
		if (option == 'e')
			wish->error = atoi(optarg);
		else if (option == 'h')
			wish->hold = true;
		else if (option == 's')
			wish->step = atol(optarg);
		else if (option == 'o')
			wish->report = optarg;
		else if (option != 'c')
			return false;
	}
	for (size_t i = 0; !kinds && i < CALLS; i++)
		wish->chosen[i] = calls[i].changes;
	if (argc - optind < 2)
		return false;
	wish->at = atol(argv[optind]);
	return true;
}

int main(int argc, char **argv)
{
	struct wish wish = {};
	bool killed;
	long counts[CALLS] = {}, sum = 0;
	int status;
	pid_t pid;

	if (!parse(argc, argv, &wish))
		return 64;
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		if (!stop_at(&wish))
			execvp(argv[optind + 1], argv + optind + 1);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0,
		PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
	status = watch(pid, &wish, &killed, counts);
	if (wish.report)
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	for (size_t i = 0; !killed && i < CALLS; i++) {
		if (counts[i])
			printf("%s %ld\n", calls[i].name, counts[i]);
		sum += counts[i];
	}
	if (!killed)
		printf("%ld\n", sum);
	return !killed;
}
