// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * puppet [OPTION]... TID COUNT RUNS BUSY_LOOPS PAUSE_US: has a thread of another process
 * (a QEMU) make a new one, the master, which makes COUNT workers, one after another. Each
 * runs so often, computes for so many loops and sleeps in between. Prints the master's
 * tid at once and returns when all are through.
 *
 *   -n NAME   workers call themselves so
 *   -f        workers are child processes rather than threads
 *   -x PATH   a worker executes that program (with the argument 1) when it is done
 *   -X PATH   the master does so when all workers are: the whole process becomes another
 *   -E        no master: the thread itself ends
 *
 * What runs over there is the section "puppet" of this program, copied: it calls nothing
 * outside and has no data but struct job. The thread itself only makes the clone() and
 * goes on as if nothing had been. Of x86-64 alone.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 16384, CODE_SIZE = 8192, SIZE = CODE_SIZE + 4096 + 2 * STACK };

/* At CODE_SIZE of the mapping; the stacks come after its page. */
struct job {
	long count, runs, loops, forks, ends;
	long pause[2]; /* struct timespec */
	char name[16], path[256];
	long execute; /* 1: each worker, 2: the master */
	char argument[8];
	char *argv[3], *envp[1];
	char *stacks;
	int master, worker; /* tids; the kernel clears them when the threads are gone */
	int status, done;
};

#define PUPPET                                                         \
	__attribute__((section("puppet"), noinline, used, aligned(16), \
		no_stack_protector, no_sanitize("address", "undefined")))

PUPPET static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* clone(); the new one calls fn(job), which never returns. Its stack is the maker's
 * (a copy of it, in a new process) when none is given. */
PUPPET static long spawn(
	long flags, char *stack_end, int *tid, void (*fn)(struct job *), struct job *job)
{
	register int *ctid __asm__("r10") = tid;
	register long tls __asm__("r8") = 0;
	long ret;

	__asm__ volatile("mov %[fn], %%r12\n\t"
			 "mov %[job], %%r13\n\t"
			 "syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "and $-16, %%rsp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "0"((long)SYS_clone), "D"(flags), "S"(stack_end), "d"(tid),
			 "r"(ctid), "r"(tls), [fn] "r"(fn), [job] "r"(job)
			 : "rcx", "r11", "r12", "r13", "memory");
	return ret;
}

PUPPET static void execute(struct job *job)
{
	call(SYS_execve, (long)job->path, (long)job->argv, (long)job->envp, 0, 0, 0);
}

PUPPET static void work(struct job *job)
{
	if (job->name[0])
		call(SYS_prctl, PR_SET_NAME, (long)job->name, 0, 0, 0, 0);
	for (long i = 0; i < job->runs; i++) {
		for (volatile long n = 0; n < job->loops; n++)
			;
		call(SYS_nanosleep, (long)job->pause, 0, 0, 0, 0, 0);
	}
	if (job->execute == 1)
		execute(job);
	call(SYS_exit, 0, 0, 0, 0, 0, 0);
}

#define THREAD                                                              \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
		CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

PUPPET static void be_master(struct job *job)
{
	for (long i = 0; i < job->count; i++) {
		int tid;

		if (job->forks) {
			long pid = spawn(0, NULL, NULL, work, job);

			/* One that tells nobody of its end. */
			call(SYS_wait4, pid, 0, 0x40000000 /* __WALL */, 0, 0, 0);
			job->worker = (int)pid;
			continue;
		}
		if (spawn(THREAD, job->stacks + 2 * STACK, &job->worker, work, job) < 0)
			break;
		while ((tid = *(volatile int *)&job->worker))
			call(SYS_futex, (long)&job->worker, FUTEX_WAIT, tid, 0, 0, 0);
	}
	job->done = 1;
	if (job->execute == 2)
		execute(job);
	call(SYS_exit, 0, 0, 0, 0, 0, 0);
}

/* In the thread that was stopped. Signals are its matter, not the new ones'. */
PUPPET static void begin(struct job *job)
{
	uint64_t all = ~0ULL, old = 0;

	if (job->ends)
		call(SYS_exit, 0, 0, 0, 0, 0, 0);
	call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&all, (long)&old, 8, 0, 0);
	job->status =
		(int)spawn(THREAD, job->stacks + STACK, &job->master, be_master, job);
	call(SYS_rt_sigprocmask, 2, (long)&old, 0, 8, 0, 0);
	__asm__ volatile("int3");
}

/* ---- this side ---- */

extern char __start_puppet[], __stop_puppet[];

static void die(const char *what)
{
	fprintf(stderr, "puppet: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void transfer(int memory, void *buffer, size_t size, uint64_t at, int out)
{
	ssize_t n = out ? pwrite(memory, buffer, size, (off_t)at)
			: pread(memory, buffer, size, (off_t)at);

	if (n != (ssize_t)size)
		die("its memory");
}

/* Where the program began and nobody comes again: a place for one instruction. */
static uint64_t entry_point(const char *pid)
{
	char path[64];
	Elf64_auxv_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, &entry, sizeof(entry)) == sizeof(entry))
		if (entry.a_type == AT_ENTRY) {
			close(fd);
			return entry.a_un.a_val;
		}
	die(path);
	return 0;
}

/* Lets the thread run from there to its next breakpoint. */
static void run_to_trap(pid_t tid, struct user_regs_struct *regs)
{
	int status, signal = 0;

	regs->orig_rax = ~0ULL; /* no system call that would be started again */
	if (ptrace(PTRACE_SETREGS, tid, 0, regs))
		die("PTRACE_SETREGS");
	do {
		if (ptrace(PTRACE_CONT, tid, 0, signal))
			die("PTRACE_CONT");
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			die("it has ended");
		signal = WSTOPSIG(status);
	} while (signal != SIGTRAP || status >> 16);
	if (ptrace(PTRACE_GETREGS, tid, 0, regs))
		die("PTRACE_GETREGS");
}

static uint64_t map_there(
	pid_t tid, int memory, uint64_t entry, const struct user_regs_struct *saved)
{
	unsigned char call_and_stop[] = {0x0f, 0x05, 0xcc}, old[3];
	struct user_regs_struct regs = *saved;

	transfer(memory, old, sizeof(old), entry, 0);
	transfer(memory, call_and_stop, sizeof(old), entry, 1);
	regs.rip = entry;
	regs.rax = SYS_mmap;
	regs.rdi = 0;
	regs.rsi = SIZE;
	regs.rdx = PROT_READ | PROT_WRITE | PROT_EXEC;
	regs.r10 = MAP_PRIVATE | MAP_ANONYMOUS;
	regs.r8 = ~0ULL;
	regs.r9 = 0;
	run_to_trap(tid, &regs);
	transfer(memory, old, sizeof(old), entry, 1);
	if (regs.rax > ~4096ULL)
		die("mmap over there");
	return regs.rax;
}

/* Stops the thread, has it call begin(), and lets it go on with what it was at. */
static uint64_t intervene(pid_t tid, int memory, uint64_t entry, struct job *job)
{
	struct user_regs_struct saved, regs;
	uint64_t base, at;
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
		waitpid(tid, &status, __WALL) != tid ||
		ptrace(PTRACE_GETREGS, tid, 0, &saved))
		die("PTRACE_SEIZE");
	base = map_there(tid, memory, entry, &saved);
	at = base + CODE_SIZE;
	job->stacks = (char *)at + 4096;
	job->argv[0] = (char *)at + offsetof(struct job, path);
	job->argv[1] = (char *)at + offsetof(struct job, argument);
	transfer(memory, __start_puppet, (size_t)(__stop_puppet - __start_puppet), base,
		1);
	transfer(memory, job, sizeof(*job), at, 1);
	regs = saved;
	regs.rip = base + (uint64_t)((char *)begin - __start_puppet);
	regs.rdi = at;
	regs.rsp = ((saved.rsp - 512) & ~15ULL) - 8;
	regs.orig_rax = ~0ULL;
	if (job->ends) {
		if (ptrace(PTRACE_SETREGS, tid, 0, &regs) ||
			ptrace(PTRACE_DETACH, tid, 0, 0))
			die("PTRACE_DETACH");
		exit(0);
	}
	run_to_trap(tid, &regs);
	if (ptrace(PTRACE_SETREGS, tid, 0, &saved) || ptrace(PTRACE_DETACH, tid, 0, 0))
		die("PTRACE_DETACH");
	transfer(memory, job, sizeof(*job), at, 0);
	if (job->status < 0) {
		errno = -job->status;
		die("clone over there");
	}
	return at;
}

int main(int argc, char **argv)
{
	struct timespec moment = {.tv_nsec = 5000000};
	struct job job = {.argument = "1"};
	char path[64];
	uint64_t at;
	int option, memory;
	long pause;

	while ((option = getopt(argc, argv, "+n:fx:X:E")) != -1) {
		if (option == 'n')
			snprintf(job.name, sizeof(job.name), "%s", optarg);
		else if (option == 'f')
			job.forks = 1;
		else if (option == 'E')
			job.ends = 1;
		else if (option != 'x' && option != 'X')
			return 64;
		if (option == 'x' || option == 'X') {
			snprintf(job.path, sizeof(job.path), "%s", optarg);
			job.execute = option == 'x' ? 1 : 2;
		}
	}
	if (argc - optind != 5 || __stop_puppet - __start_puppet > CODE_SIZE)
		return 64;
	job.count = atol(argv[optind + 1]);
	job.runs = atol(argv[optind + 2]);
	job.loops = atol(argv[optind + 3]);
	pause = atol(argv[optind + 4]);
	job.pause[0] = pause / 1000000;
	job.pause[1] = pause % 1000000 * 1000;
	snprintf(path, sizeof(path), "/proc/%s/mem", argv[optind]);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory < 0)
		die(path);
	at = intervene(atoi(argv[optind]), memory, entry_point(argv[optind]), &job);
	printf("%d\n", job.status);
	fflush(stdout);
	/* Its memory is gone once the process executes another program. */
	while (pread(memory, &job, sizeof(job), (off_t)at) == sizeof(job) &&
		!(job.done && (job.execute == 2 || !job.master)))
		nanosleep(&moment, NULL);
	return 0;
}
