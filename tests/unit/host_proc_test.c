// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/proc.c: captured files as text, and the test's own threads for the real
 * thing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/proc.h"

#define FIXTURES "tests/fixtures/host/"

static void read_fixture(const char *path, char *buf, size_t size)
{
	assert_true(file_read_at(AT_FDCWD, path, buf, size) > 0);
}

static void stat_of_a_vcpu_thread(void **state)
{
	struct proc_stat stat;
	char text[4096];

	(void)state;
	read_fixture(FIXTURES "stat-vcpu1", text, sizeof(text));
	assert_int_equal(proc_parse_stat(text, &stat), 0);
	assert_string_equal(stat.comm, "CPU 1/TCG");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.ppid, 5000);
	assert_int_equal(stat.start_time, 225041);
	assert_int_equal(stat.last_cpu, 0);
}

/* Fields 4 to 52, each its own number. */
static const char *const tail =
	"S 4 5 6 7 -8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 "
	"32 33 34 35 36 37 -38 39 40 41 42 43 44 45 46 47 48 49 50 51 52";

static void stat_with_hostile_names(void **state)
{
	static const struct {
		const char *name, *comm;
	} cases[] = {
		{"plain", "plain"},
		{"CPU 0/KVM", "CPU 0/KVM"},
		{"a) R 1 2 3", "a) R 1 2 3"},
		{"((()", "((()"},
		{"", ""},
		{"tab\there", "tab?here"},
		{"\xc3\xa4\x1b[2J", "???[2J"},
		{"a kernel worker's long name", "a kernel worker"},
	};
	struct proc_stat stat;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "17 (%s) %s", cases[i].name, tail);
		assert_int_equal(proc_parse_stat(text, &stat), 0);
		assert_string_equal(stat.comm, cases[i].comm);
		assert_int_equal(stat.ppid, 4);
		assert_int_equal(stat.start_time, 22);
		assert_int_equal(stat.last_cpu, 39);
	}
}

static void stat_that_is_none(void **state)
{
	static const char *const texts[] = {"", "1", "1 (a", "1 a)", "1 )a(", "1 (a)",
		"1 (a) ", "1 (a) S", "1 (a) S 1 2 3",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 20 21 22 23 24 25 26 27 "
		"28 29 30 31 32 33 34 35 36 37",
		"1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 "
		"28 29 30 31 32 33 34 35 99999999999"};
	struct proc_stat stat = {.last_cpu = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(proc_parse_stat(texts[i], &stat), -EINVAL);
	assert_int_equal(stat.last_cpu, 77);
}

static void assert_cgroup(const char *text, const char *path)
{
	cleanup_free char *found = NULL;

	assert_int_equal(proc_parse_cgroup(text, &found), 0);
	assert_string_equal(found, path);
}

static void cgroup_lines(void **state)
{
	char *path = NULL;

	(void)state;
	assert_cgroup("0::/", "");
	assert_cgroup("0::/machine.slice/vm.scope/libvirt/vcpu0",
		"machine.slice/vm.scope/libvirt/vcpu0");
	/* hybrid: only the line of v2 counts, wherever it stands */
	assert_cgroup("9:name=systemd:/a\n3:cpuset:/b\n10::/c\n0::/user.slice\n1:cpu:/d",
		"user.slice");
	assert_cgroup("0::/gone.scope (deleted)", "gone.scope");
	assert_cgroup("0::/..x/y", "..x/y");
	assert_int_equal(proc_parse_cgroup("", &path), -ENODATA);
	assert_int_equal(proc_parse_cgroup("3:cpuset:/b\n", &path), -ENODATA);
	assert_int_equal(proc_parse_cgroup("3:cpuset:/0::/x", &path), -ENODATA);
	assert_int_equal(proc_parse_cgroup("0::", &path), -EINVAL);
	assert_int_equal(proc_parse_cgroup("0::x", &path), -EINVAL);
	assert_int_equal(proc_parse_cgroup("0::/..", &path), -EXDEV);
	assert_int_equal(proc_parse_cgroup("0::/../other", &path), -EXDEV);
	assert_null(path);
}

static void cgroup_path_length(void **state)
{
	char text[PATH_MAX + 16] = "0::/";
	char *path = NULL;

	(void)state;
	memset(text + 4, 'x', PATH_MAX);
	text[4 + PATH_MAX] = '\0';
	assert_int_equal(proc_parse_cgroup(text, &path), -ENAMETOOLONG);
	text[4 + PATH_MAX - 1] = '\0';
	assert_cgroup(text, text + 4);
}

static void schedstat_numbers(void **state)
{
	struct vm_thread thread = {0};

	(void)state;
	assert_int_equal(proc_parse_schedstat("41429776 1261743 37", &thread), 0);
	assert_int_equal(thread.run_ns, 41429776);
	assert_int_equal(thread.wait_ns, 1261743);
	assert_int_equal(thread.switches, 37);
	assert_int_equal(proc_parse_schedstat("1 2", &thread), -EINVAL);
	assert_int_equal(proc_parse_schedstat("1 2 3 4", &thread), -EINVAL);
	assert_int_equal(proc_parse_schedstat("1 2 -3", &thread), -EINVAL);
	assert_int_equal(proc_parse_schedstat("", &thread), -EINVAL);
	assert_int_equal(thread.switches, 37);
}

static void nspid_lines(void **state)
{
	unsigned int depth = 0;
	char text[8192];
	pid_t pid = 0;

	(void)state;
	read_fixture(FIXTURES "status-nested", text, sizeof(text));
	assert_int_equal(proc_parse_nspid(text, &depth, &pid), 0);
	assert_int_equal(depth, 2);
	assert_int_equal(pid, 7);
	assert_int_equal(proc_parse_nspid("Name:\ta\nNSpid:\t5\nX:\t1", &depth, &pid), 0);
	assert_int_equal(depth, 1);
	assert_int_equal(pid, 5);
	assert_int_equal(proc_parse_nspid("Name:\tNSpid:\t5", &depth, &pid), -ENODATA);
	assert_int_equal(proc_parse_nspid("a\nNSpid:", &depth, &pid), -EINVAL);
	assert_int_equal(proc_parse_nspid("a\nNSpid:\tx", &depth, &pid), -EINVAL);
	assert_int_equal(proc_parse_nspid("a\nNSpid:\t5 6", &depth, &pid), -EINVAL);
}

struct helper {
	pthread_t thread;
	pthread_barrier_t ready, done;
	pid_t tid;
	int cpu;
};

static void *help(void *data)
{
	struct helper *helper = data;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(helper->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	prctl(PR_SET_NAME, "odd) R 1 (name");
	helper->tid = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&helper->ready);
	pthread_barrier_wait(&helper->done);
	return NULL;
}

static int note_tid(pid_t tid, void *data)
{
	pid_t *wanted = data;

	if (tid == *wanted)
		*wanted = 0;
	return 0;
}

/* A thread can be joined a moment before the kernel has let go of its number. */
static void wait_for_end(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	for (int ms = 0; ms < 5000 && !access(path, F_OK); ms++)
		usleep(1000);
}

static void a_real_thread(void **state)
{
	struct helper helper = {.cpu = sched_getcpu()};
	cleanup_close int procfd = -1;
	struct vm_thread thread;
	uint64_t start = 0;
	pid_t wanted;

	(void)state;
	pthread_barrier_init(&helper.ready, NULL, 2);
	pthread_barrier_init(&helper.done, NULL, 2);
	assert_int_equal(pthread_create(&helper.thread, NULL, help, &helper), 0);
	pthread_barrier_wait(&helper.ready);

	assert_int_equal(proc_read_thread(getpid(), helper.tid, &thread), 0);
	assert_int_equal(thread.tid, helper.tid);
	assert_string_equal(thread.comm, "odd) R 1 (name");
	assert_int_equal(cpuset_weight(&thread.affinity), 1);
	assert_true(cpuset_has(&thread.affinity, (unsigned int)helper.cpu));
	assert_int_equal(thread.last_cpu, helper.cpu);
	assert_true(thread.run_ns > 0 && thread.switches > 0);
	assert_true(thread.cgroup[0] != '/');
	assert_int_equal(proc_start_time(getpid(), helper.tid, &start), 0);
	assert_int_equal(start, thread.start_time);
	assert_true(proc_is_alive(getpid(), helper.tid, start));
	assert_false(proc_is_alive(getpid(), helper.tid, start + 1));
	free(thread.cgroup);

	assert_int_equal(proc_open(getpid(), &procfd), 0);
	wanted = helper.tid;
	assert_int_equal(proc_for_each_tid(procfd, note_tid, &wanted), 0);
	assert_int_equal(wanted, 0);

	/* it is a thread of this process, of no other */
	assert_int_equal(proc_read_thread(1, helper.tid, &thread), -ESRCH);
	pthread_barrier_wait(&helper.done);
	pthread_join(helper.thread, NULL);
	wait_for_end(helper.tid);
	assert_int_equal(proc_read_thread(getpid(), helper.tid, &thread), -ESRCH);
	assert_int_equal(proc_start_time(getpid(), helper.tid, &start), -ESRCH);
	assert_false(proc_is_alive(getpid(), helper.tid, start));
}

/* An fd of a process's directory is worthless when the process is gone, whoever has its
 * number. */
static void a_process_that_went(void **state)
{
	cleanup_close int procfd = -1;
	struct vm_thread thread;
	struct proc_stat stat;
	pid_t child = fork();
	int fd;

	(void)state;
	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(proc_open(child, &procfd), 0);
	assert_int_equal(proc_read_stat_at(procfd, &stat), 0);
	assert_int_equal(stat.ppid, getpid());
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT);
	assert_int_equal(
		proc_read_thread_at(procfd, child, &thread), -ESRCH); /* zombie */
	waitpid(child, NULL, 0);
	assert_int_equal(proc_read_stat_at(procfd, &stat), -ESRCH);
	assert_int_equal(proc_read_thread_at(procfd, child, &thread), -ESRCH);
	assert_int_equal(proc_for_each_tid(procfd, note_tid, &child), -ESRCH);
	assert_int_equal(proc_open(child ? child : 1 << 30, &fd), -ESRCH);
}

static int stop_at_own(pid_t pid, void *data)
{
	(*(int *)data)++;
	return pid == getpid() ? 42 : 0;
}

static void every_process(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(proc_for_each_pid(stop_at_own, &n), 42);
	assert_true(n > 0);
}

static void own_namespace(void **state)
{
	cleanup_close int procfd = -1;
	unsigned int depth;
	pid_t pid;

	(void)state;
	assert_int_equal(proc_open(getpid(), &procfd), 0);
	assert_int_equal(proc_read_nspid_at(procfd, &depth, &pid), 0);
	assert_int_equal(pid, getpid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_of_a_vcpu_thread),
		cmocka_unit_test(stat_with_hostile_names),
		cmocka_unit_test(stat_that_is_none),
		cmocka_unit_test(cgroup_lines),
		cmocka_unit_test(cgroup_path_length),
		cmocka_unit_test(schedstat_numbers),
		cmocka_unit_test(nspid_lines),
		cmocka_unit_test(a_real_thread),
		cmocka_unit_test(a_process_that_went),
		cmocka_unit_test(every_process),
		cmocka_unit_test(own_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
