// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * killat N COMMAND...: runs the command and kills it at its N-th system call, before that
 * call is made. Exit status 0: killed there; 1: it ended by itself before; prints how
 * many calls it had made then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long at, calls = 0;
	int entering = 1, status;
	pid_t pid;

	if (argc < 3)
		return 64;
	at = atol(argv[1]);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) && errno == ESRCH)
			break;
		if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) ||
			WIFSIGNALED(status))
			break;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (entering && ++calls == at) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return 0;
		}
		entering = !entering;
	}
	printf("%ld\n", calls);
	return 1;
}
