// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/qemu.c on real QEMUs (host_start_qemu.h) with the monitor that libvirt has.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/host_start_qemu.h"
#include "user/base/cleanup.h"

#define NAMED "-name", "guest=@,debug-threads=on"
#define MONITOR                                                                      \
	"-chardev", "socket,id=charmonitor,path=monitor,server=on,wait=off", "-mon", \
		"chardev=charmonitor,id=monitor,mode=control"

enum { THREADS = 4 };

/* libvirt's folder is the test's. */
static const char *file_path(void)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s.xml", dir, name);
	return path;
}

#define NEEDS_ROOT()                                                         \
	do {                                                                 \
		NEEDS_QEMU();                                                \
		if (geteuid() != 0) {                                        \
			print_message("SKIPPED: only root's files count\n"); \
			skip();                                              \
		}                                                            \
	} while (0)

/* The thread ids of the vCPUs, as QEMU names them. */
static void find_vcpus(const struct vm *vm, pid_t ret_tids[2])
{
	for (size_t i = 0; i < vm->n_threads; i++)
		if (!strncmp(vm->threads[i].comm, "CPU ", 4))
			ret_tids[vm->threads[i].comm[4] - '0'] = vm->threads[i].tid;
}

static void write_file(pid_t pid, pid_t first, pid_t second)
{
	cleanup_close int fd = -1;
	char text[256];

	snprintf(text, sizeof(text),
		"<domstatus pid='%d'><vcpus><vcpu id='0' pid='%d'/>"
		"<vcpu id='1' pid='%d'/></vcpus></domstatus>\n",
		pid, first, second);
	fd = open(file_path(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const struct vm *discover_again(struct vms *vms, pid_t pid)
{
	const struct vm *vm;

	vms_deinit(vms);
	discover(vms);
	vm = find_pid(vms, pid);
	assert_non_null(vm);
	assert_true(vm->libvirt);
	return vm;
}

static void assert_vcpus(const struct vm *vm, pid_t first, pid_t second)
{
	const pid_t wanted[] = {first, second};

	assert_int_equal(count(vm, THREAD_VCPU), 2);
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].class == THREAD_VCPU)
			assert_int_equal(
				vm->threads[i].tid, wanted[vm->threads[i].index]);
}

static void libvirt_goes_before_names(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	pid_t pid, vcpus[2] = {0};

	(void)state;
	NEEDS_ROOT();
	pid = START(NAMED, MONITOR);
	vm = await(&vms, pid, THREADS, true); /* no file: nothing to complain about */
	assert_int_equal(vm->source, SOURCE_NAME);
	find_vcpus(vm, vcpus);
	assert_vcpus(vm, vcpus[0], vcpus[1]);

	write_file(pid, vcpus[1], vcpus[0]); /* libvirt's numbers need not be QEMU's */
	vm = discover_again(&vms, pid);
	assert_int_equal(vm->source, SOURCE_LIBVIRT);
	assert_null(vm->problem);
	assert_vcpus(vm, vcpus[1], vcpus[0]);
	end(pid);
}

static void a_file_that_is_wrong(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	pid_t pid, vcpus[2] = {0};
	char wanted[256];

	(void)state;
	NEEDS_ROOT();
	pid = START(NAMED, MONITOR);
	find_vcpus(await(&vms, pid, THREADS, true), vcpus);
	write_file(pid, vcpus[0], pid);
	vm = discover_again(&vms, pid);
	assert_int_equal(vm->source, SOURCE_NAME);
	assert_vcpus(vm, vcpus[0], vcpus[1]);
	assert_string_equal(
		vm->problem, "libvirt names the main thread a vCPU or iothread");

	write_file(getpid(), vcpus[0], vcpus[1]);
	vm = discover_again(&vms, pid);
	assert_int_equal(vm->source, SOURCE_NAME);
	assert_vcpus(vm, vcpus[0], vcpus[1]);
	snprintf(wanted, sizeof(wanted), "%s: it is of another process, %d", file_path(),
		getpid());
	assert_string_equal(vm->problem, wanted);
	end(pid);
}

/* Its own QMP socket, as <qemu:commandline> may add one, is asked where libvirt does not
 * tell. */
static void libvirt_goes_before_qmp(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	pid_t pid, vcpus[2] = {0};

	(void)state;
	NEEDS_ROOT();
	pid = START(NAMED, MONITOR, "-qmp", "unix:q,server=on,wait=off");
	vm = await(&vms, pid, THREADS, true);
	assert_int_equal(vm->source, SOURCE_QMP);
	find_vcpus(vm, vcpus);
	write_file(pid, vcpus[0], vcpus[1]);
	assert_int_equal(discover_again(&vms, pid)->source, SOURCE_LIBVIRT);
	write_file(pid, vcpus[0], vcpus[0]);
	vm = discover_again(&vms, pid);
	assert_int_equal(vm->source, SOURCE_QMP);
	assert_vcpus(vm, vcpus[0], vcpus[1]);
	assert_non_null(strstr(vm->problem, "libvirt names thread"));
	end(pid);
}

static void nobody_tells(void **state)
{
	CLEANUP(vms_deinit) struct vms vms = {0};
	const struct vm *vm;
	char wanted[256];
	pid_t pid;

	(void)state;
	NEEDS_ROOT();
	pid = START("-name", "@", MONITOR);
	vm = await(&vms, pid, THREADS, false);
	assert_int_equal(vm->source, SOURCE_NAME);
	snprintf(wanted, sizeof(wanted),
		"%s: No such file or directory; vCPU threads cannot", file_path());
	assert_non_null(strstr(vm->problem, wanted));
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(libvirt_goes_before_names),
		TEST(a_file_that_is_wrong),
		TEST(libvirt_goes_before_qmp),
		TEST(nobody_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
