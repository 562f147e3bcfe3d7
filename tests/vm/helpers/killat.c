// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * killat N COMMAND...: runs the command and kills it at its N-th system call that changes
 * something, before that call is made. Reading calls are not counted: between two changes
 * one point is as good as another. Exit status 0: killed there; 1: it ended by itself
 * before; prints how many such calls it had made then.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_AT(call)                                          \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)

/* A filter rather than a stop at each call: stops are slow where the host is emulated. */
static int stop_at_changes(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		STOP_AT(write),
		STOP_AT(mkdir),
		STOP_AT(mkdirat),
		STOP_AT(rmdir),
		STOP_AT(unlink),
		STOP_AT(unlinkat),
		STOP_AT(rename),
		STOP_AT(renameat),
		STOP_AT(bpf),
		STOP_AT(sched_setaffinity),
		STOP_AT(fsync),
		STOP_AT(flock),
		STOP_AT(membarrier),
		STOP_AT(ftruncate),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

int main(int argc, char **argv)
{
	long at, calls = 0;
	int status;
	pid_t pid;

	if (argc < 3)
		return 64;
	at = atol(argv[1]);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		if (!stop_at_changes())
			execvp(argv[2], argv + 2);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	for (;;) {
		if (ptrace(PTRACE_CONT, pid, 0, 0) && errno == ESRCH)
			break;
		if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) ||
			WIFSIGNALED(status))
			break;
		if (status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) || ++calls != at)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return 0;
	}
	printf("%ld\n", calls);
	return 1;
}
