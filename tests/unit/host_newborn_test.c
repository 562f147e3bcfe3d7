// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/newborn.c: on memory as QEMU has it, and on a real QEMU. */
#include "tests/unit/host_start_qemu.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "user/host/newborn.h"

enum { SYSCALL_STOP = SIGTRAP | 0x80, CALLS_MAX = 200000 };

/* Of util/qemu-thread-posix.c. */
struct thread_args {
	void *(*start_routine)(void *);
	void *arg;
	const char *name;
};

/* A struct pthread as glibc has it, as far as it matters, at the end of what is mapped.
 */
struct newborn {
	char *page; /* and one behind it that nobody may read */
	uint64_t *words;
	struct thread_args args;
};

enum { PAGE = 4096, WORDS = 206, AT = 110 }; /* struct pthread from its tid on */

static void newborn_init(struct newborn *newborn, const char *thread_name)
{
	newborn->page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(newborn->page, MAP_FAILED);
	assert_int_equal(mprotect(newborn->page + PAGE, PAGE, PROT_NONE), 0);
	newborn->words = (uint64_t *)(void *)(newborn->page + PAGE) - WORDS;
	newborn->args.name = thread_name;
	newborn->words[3] = UINT64_MAX - 7;		     /* nowhere */
	newborn->words[4] = (uintptr_t)newborn->page + PAGE; /* not to be read */
	newborn->words[5] = (uintptr_t)&newborn->args + 1;   /* not aligned */
	newborn->words[AT] = (uintptr_t)&newborn->args;
}

static void assert_newborn(const char *thread_name, uint64_t flags, const char *wanted)
{
	char found[NEWBORN_NAME_SIZE] = "-", again[NEWBORN_NAME_SIZE] = "-";
	struct newborn newborn = {};
	struct clone_args call;
	uint64_t args[SYSCALL_ARGS] = {(uintptr_t)&call, sizeof(call)};
	uint64_t old[SYSCALL_ARGS] = {flags};

	newborn_init(&newborn, thread_name);
	call = (struct clone_args){.flags = flags, .child_tid = (uintptr_t)newborn.words};
	newborn_name(getpid(), SYS_clone3, args, found);
	assert_string_equal(found, wanted);
#ifdef __x86_64__
	old[3] = call.child_tid;
#else
	old[4] = call.child_tid;
#endif
	newborn_name(getpid(), SYS_clone, old, again);
	assert_string_equal(again, wanted);
	munmap(newborn.page, 2 * PAGE);
}

static void threads_made_as_qemu_does(void **state)
{
	const uint64_t thread = CLONE_THREAD | CLONE_CHILD_CLEARTID;

	(void)state;
	assert_newborn("CPU 3/TCG", thread, "CPU 3/TCG");
	assert_newborn("IO disk1", thread, "IO disk1");
	assert_newborn("worker", thread, "-");
	assert_newborn("", thread, "-");
	assert_newborn((const char *)8, thread, "-");
	assert_newborn((const char *)UINTPTR_MAX, thread, "-");
	assert_newborn("CPU 255/with a name that is longer than any that QEMU gives",
		thread, "CPU 255/with a name that is lon");
	/* A process, and a thread that nobody's struct pthread goes with. */
	assert_newborn("CPU 3/TCG", CLONE_CHILD_CLEARTID, "-");
	assert_newborn("CPU 3/TCG", CLONE_THREAD, "-");
}

/* Runs to the next entry into such a call. False: it has ended. */
static bool next_birth(pid_t pid, struct __ptrace_syscall_info *info)
{
	int status, signal = 0;

	for (int i = 0; i < CALLS_MAX; i++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal);
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			return false;
		signal = WSTOPSIG(status) == SYSCALL_STOP || WSTOPSIG(status) == SIGTRAP
				 ? 0
				 : WSTOPSIG(status);
		if (WSTOPSIG(status) == SYSCALL_STOP &&
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(*info),
				info) > 0 &&
			info->op == PTRACE_SYSCALL_INFO_ENTRY &&
			newborn_is_birth(info->entry.nr))
			return true;
	}
	return false;
}

/* The names of all that are born, `-` for one without. */
static void watch(pid_t pid, int n_max, char *ret_names)
{
	struct __ptrace_syscall_info info;
	int status;

	*ret_names = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
				 (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
		0);
	while (n_max-- && next_birth(pid, &info)) {
		uint64_t args[SYSCALL_ARGS];
		char found[NEWBORN_NAME_SIZE] = "-";

		for (int i = 0; i < SYSCALL_ARGS; i++)
			args[i] = info.entry.args[i];
		assert_true(newborn_name(pid, info.entry.nr, args, found) <= 0);
		sprintf(ret_names + strlen(ret_names), "%s;", found);
	}
}

static void threads_of_a_qemu(void **state)
{
	char names[512];
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execlp(QEMU, QEMU, "-accel", "tcg,thread=multi", "-nodefaults",
			"-display", "none", "-S", "-m", "32", "-smp", "2", "-object",
			"iothread,id=disk", NULL);
		_exit(1);
	}
	/* The RCU thread comes before. */
	watch(pid, 4, names);
	end(pid);
	assert_string_equal(names, "-;IO disk;CPU 0/TCG;CPU 1/TCG;");
}

static void what_is_not_there(void **state)
{
	const uint64_t args[SYSCALL_ARGS] = {8, 88};
	const uint64_t few[SYSCALL_ARGS] = {(uintptr_t)args, 8};
	const uint64_t wild[SYSCALL_ARGS] = {
		UINT64_MAX, 0, 0, UINT64_MAX - 7, UINT64_MAX - 7};
	char found[NEWBORN_NAME_SIZE];

	(void)state;
	assert_int_equal(newborn_name(getpid(), SYS_clone3, args, found), -ENOENT);
	assert_int_equal(newborn_name(getpid(), SYS_clone3, few, found), -ENOENT);
	assert_int_equal(newborn_name(getpid(), SYS_clone, wild, found), -ENOENT);
	assert_false(newborn_is_birth(SYS_execve));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_made_as_qemu_does),
		cmocka_unit_test(threads_of_a_qemu),
		cmocka_unit_test(what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
