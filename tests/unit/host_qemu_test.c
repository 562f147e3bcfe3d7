// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/qemu.c on real QEMUs: see host_start_qemu.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "tests/unit/host_start_qemu.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/host/proc.h"
#include "user/host/qmp.h"

enum { THREADS = 6 };

/* What /proc says of that thread, read in the simplest way. */
static void assert_comm(pid_t pid, const struct vm_thread *thread)
{
	char path[64], comm[32] = "";
	cleanup_fclose FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, thread->tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof(comm), f));
	comm[strcspn(comm, "\n")] = '\0';
	assert_string_equal(thread->comm, comm);
}

/* QEMU names its threads, so names show whether QMP's numbers were understood. */
static void assert_named_as_classified(const struct vm *vm)
{
	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->threads[i];
		char wanted[32];

		assert_comm(vm->pid, thread);
		snprintf(wanted, sizeof(wanted), "CPU %d/TCG", thread->index);
		assert_int_equal(
			thread->class == THREAD_VCPU, !strncmp(thread->comm, "CPU ", 4));
		if (thread->class == THREAD_VCPU)
			assert_string_equal(thread->comm, wanted);
		assert_int_equal(thread->class == THREAD_IOTHREAD,
			!strcmp(thread->comm, "IO iothread7") ||
				!strcmp(thread->comm, "IO disk"));
		if (thread->class == THREAD_IOTHREAD)
			assert_int_equal(
				thread->index, strcmp(thread->comm, "IO disk") ? 7 : 1);
	}
}

static void assert_sound(const struct vm *vm)
{
	uint64_t start_time;

	assert_int_equal(vm->threads[0].tid, vm->pid);
	assert_int_equal(vm->threads[0].class, THREAD_EMULATOR);
	assert_int_equal(vm->start_time, vm->threads[0].start_time);
	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->threads[i];

		assert_true(i == 0 || thread->tid != vm->pid);
		assert_true(i < 2 || thread->tid > thread[-1].tid);
		assert_int_equal(proc_start_time(vm->pid, thread->tid, &start_time), 0);
		assert_int_equal(start_time, thread->start_time);
		assert_true(
			cpuset_has(&thread->affinity, (unsigned int)thread->last_cpu));
		assert_non_null(thread->cgroup);
	}
}

static void with_qmp(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	struct timespec a, b;
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = START("-name", "guest=@,debug-threads=on", "-qmp",
		"unix:q,server=on,wait=off", "-object", "iothread,id=iothread7",
		"-object", "iothread,id=disk");
	vm = await(&vms, pid, THREADS, true);
	assert_int_equal(vm->source, SOURCE_QMP);
	assert_string_equal(vm->name, name);
	assert_ptr_equal(vms_find(&vms, name), vm);
	assert_int_equal(count(vm, THREAD_VCPU), 2);
	assert_int_equal(count(vm, THREAD_IOTHREAD), 2);
	assert_named_as_classified(vm);
	assert_sound(vm);

	vms_deinit(&vms);
	clock_gettime(CLOCK_MONOTONIC, &a);
	discover(&vms);
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("one discovery: %ld us\n",
		(b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000);
	end(pid);

	vms_deinit(&vms);
	discover(&vms);
	assert_null(find_pid(&vms, pid));
}

/* No names to read, yet QMP tells. */
static void with_qmp_and_no_names(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	char path[128];
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	snprintf(path, sizeof(path), "socket,id=m,path=%s/q,server=on,wait=off", dir);
	pid = START("-name", "@", "-mon", "chardev=m,mode=control", "-chardev", path,
		"-object", "iothread,id=disk");
	vm = await(&vms, pid, THREADS, true);
	assert_int_equal(vm->source, SOURCE_QMP);
	assert_int_equal(count(vm, THREAD_VCPU), 2);
	assert_int_equal(count(vm, THREAD_IOTHREAD), 1);
	assert_sound(vm);
	end(pid);
}

static void by_thread_names(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = START("-name", "@,debug-threads=on", "-object", "iothread,id=iothread7",
		"-object", "iothread,id=disk");
	vm = await(&vms, pid, THREADS, true);
	assert_int_equal(vm->source, SOURCE_NAME);
	assert_int_equal(count(vm, THREAD_VCPU), 2);
	assert_named_as_classified(vm);
	assert_sound(vm);
	end(pid);
}

static void nothing_to_tell_by(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	char wanted[64];
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = START("-rtc", "base=utc");
	vm = await(&vms, pid, 4, false);
	snprintf(wanted, sizeof(wanted), "qemu-%d", pid);
	assert_string_equal(vm->name, wanted);
	assert_int_equal(count(vm, THREAD_EMULATOR), vm->n_threads);
	assert_non_null(strstr(vm->problem, "debug-threads=on"));
	end(pid);
}

/* Another client holds the monitor: a sentence, the names, and no long wait. */
static void a_busy_monitor(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	cleanup_close int fd = -1;
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = START(
		"-name", "@,debug-threads=on", "-qmp", "unix:busy,server=on,wait=off");
	vm = await(&vms, pid, 5, true);
	assert_int_equal(vm->source, SOURCE_QMP);
	vms_deinit(&vms);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/busy", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	usleep(200000);
	discover(&vms);
	vm = find_pid(&vms, pid);
	assert_int_equal(vm->source, SOURCE_NAME);
	assert_int_equal(count(vm, THREAD_VCPU), 2);
	assert_non_null(strstr(vm->problem, "QMP socket busy: no greeting came in time"));
	end(pid);
}

static void two_of_one_name(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	pid_t first, second;
	char wanted[128];

	(void)state;
	NEEDS_QEMU();
	first = START("-name", "@,debug-threads=on");
	vm = await(&vms, first, 4, true);
	vms_deinit(&vms);
	usleep(20000);
	second = START("-name", "@,debug-threads=on");
	vm = await(&vms, second, 4, false);
	snprintf(wanted, sizeof(wanted), "qemu-%d", second);
	assert_string_equal(vm->name, wanted);
	snprintf(wanted, sizeof(wanted), "its name %s is taken by process %d", name,
		first);
	assert_non_null(strstr(vm->problem, wanted));
	assert_string_equal(find_pid(&vms, first)->name, name);
	end(first);
	end(second);
}

static void hostile_names(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	char wanted[128];
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = START("-name", "../@/é,debug-threads=on");
	vm = await(&vms, pid, 4, true);
	snprintf(wanted, sizeof(wanted), "\\x2e.\\x2f%s\\x2f\\xc3\\xa9", name);
	assert_string_equal(vm->name, wanted);
	end(pid);
}

static void a_probe_is_no_vm(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	pid_t probe, other;

	(void)state;
	NEEDS_QEMU();
	probe = START("-name", "@", "-machine", "none", "-smp", "1");
	other = START("-name", "@,debug-threads=on");
	assert_string_equal(await(&vms, other, 4, true)->name, name);
	assert_int_equal(kill(probe, 0), 0);
	assert_int_equal(waitpid(probe, NULL, WNOHANG), 0);
	assert_null(find_pid(&vms, probe));
	end(probe);
	end(other);
}

/* A program of another name with QEMU's arguments, and a zombie. */
static void not_qemu(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	pid_t pid, zombie;

	(void)state;
	NEEDS_QEMU();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", QEMU, "100", NULL);
		_exit(1);
	}
	zombie = START("-name", "@");
	kill(zombie, SIGKILL);
	waitid(P_PID, (id_t)zombie, NULL, WEXITED | WNOWAIT);
	usleep(100000);
	discover(&vms);
	assert_null(find_pid(&vms, pid));
	assert_null(find_pid(&vms, zombie));
	end(pid);
	end(zombie);
}

/* The program file was replaced by an upgrade while the VM runs. */
static void a_deleted_executable(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	char path[128], command[256];
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	snprintf(path, sizeof(path), "%s/qemu-kvm", dir);
	snprintf(command, sizeof(command), "cp $(readlink -f $(command -v sleep)) %s",
		path);
	assert_int_equal(system(command), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, "qemu-kvm", "100", NULL);
		_exit(1);
	}
	await(&vms, pid, 1, false);
	vms_deinit(&vms);
	assert_int_equal(unlink(path), 0);
	discover(&vms);
	assert_non_null(find_pid(&vms, pid));
	end(pid);
}

/* Anybody can start a program by a path that the kernel cannot tell: it is no QEMU, and
 * keeps no other from being found. */
static void a_path_that_is_too_long(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	char deep[201], command[512], target[8];
	int here = open(".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	char link[32];
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	memset(deep, 'd', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(chdir(dir), 0);
	for (int i = 0; i < PATH_MAX / 200 + 1; i++) {
		assert_int_equal(mkdir(deep, 0700), 0);
		assert_int_equal(chdir(deep), 0);
	}
	assert_int_equal(system("cp $(readlink -f $(command -v sleep)) qemu-kvm"), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("./qemu-kvm", "qemu-kvm", "100", NULL);
		_exit(1);
	}
	assert_int_equal(fchdir(here), 0);
	close(here);
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	for (int i = 0; i < 100 && readlink(link, target, sizeof(target)) >= 0; i++)
		usleep(10000);
	assert_int_equal(readlink(link, target, sizeof(target)), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	discover(&vms);
	assert_null(find_pid(&vms, pid));
	end(pid);
	snprintf(command, sizeof(command), "rm -rf %s/%s", dir, deep);
	assert_int_equal(system(command), 0);
}

/* QMP speaks of ids in QEMU's own pid namespace. */
static void in_a_pid_namespace(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm = NULL;
	pid_t outer;

	(void)state;
	NEEDS_QEMU();
	outer = fork();
	if (!outer) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		pid_t inner = START("-name", "@,debug-threads=on", "-qmp",
			"unix:ns,server=on,wait=off", "-object", "iothread,id=iothread7");

		waitpid(inner, NULL, 0);
		_exit(0);
	}
	for (int i = 0; i < 100 && (!vm || vm->problem || vm->n_threads < 5); i++) {
		int status;

		if (waitpid(outer, &status, WNOHANG) == outer &&
			WEXITSTATUS(status) == 77) {
			print_message("SKIPPED: a pid namespace needs root\n");
			skip();
		}
		usleep(100000);
		vms_deinit(&vms);
		discover(&vms);
		vm = vms_find(&vms, name);
	}
	assert_non_null(vm);
	assert_null(vm->problem);
	assert_int_equal(vm->source, SOURCE_QMP);
	assert_int_equal(count(vm, THREAD_VCPU), 2);
	assert_named_as_classified(vm);
	kill(vm->pid, SIGKILL);
	waitpid(outer, NULL, 0);
}

static bool is_silent(const struct silent *silent, pid_t pid)
{
	for (unsigned int i = 0; i < silent->n_items; i++)
		if (silent->items[i].pid == pid)
			return true;
	return false;
}

/* How long it takes, in ms. */
static uint64_t ask_again(struct silent *silent, pid_t pid)
{
	uint64_t began = clock_now_ns(), took;
	struct problem problem = {};
	struct vms vms;

	assert_int_equal(qemu_discover(NULL, silent, &vms, &problem), 0);
	took = (clock_now_ns() - began) / 1000000;
	assert_int_equal(!find_pid(&vms, pid)->problem, !is_silent(silent, pid));
	vms_deinit(&vms);
	return took;
}

/* It is waited for once. One that answers again is silent no more. */
static void a_stopped_one_is_waited_for_once(void **state)
{
	struct silent silent = {};
	uint64_t first, second;
	struct vms vms;
	pid_t pid;

	(void)state;
	NEEDS_QEMU();
	pid = START(
		"-name", "@,debug-threads=off", "-qmp", "unix:@.sock,server=on,wait=off");
	await(&vms, pid, 3, true);
	vms_deinit(&vms);
	kill(pid, SIGSTOP);
	first = ask_again(&silent, pid);
	assert_true(is_silent(&silent, pid));
	second = ask_again(&silent, pid);
	assert_true(is_silent(&silent, pid));
	kill(pid, SIGCONT);
	/* A busy machine may take it longer than it is given now. */
	for (int i = 0; i < 100 && is_silent(&silent, pid); i++)
		ask_again(&silent, pid);
	assert_false(is_silent(&silent, pid));
	end(pid);
	assert_true(first >= QMP_TIMEOUT_MS);
	assert_true(second < first - QMP_TIMEOUT_MS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(with_qmp),
		TEST(with_qmp_and_no_names),
		TEST(by_thread_names),
		TEST(nothing_to_tell_by),
		TEST(a_busy_monitor),
		TEST(two_of_one_name),
		TEST(hostile_names),
		TEST(a_probe_is_no_vm),
		TEST(not_qemu),
		TEST(a_deleted_executable),
		TEST(a_path_that_is_too_long),
		TEST(in_a_pid_namespace),
		TEST(a_stopped_one_is_waited_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
