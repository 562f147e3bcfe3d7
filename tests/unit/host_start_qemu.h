/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Real QEMUs (TCG, no guest, stopped) for tests of discovery. Names bear the test's pid,
 * so other VMs of the host don't matter. Without a QEMU the tests are skipped, loudly.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/remove_tree.h"
#include "user/host/qemu.h"

#define QEMU "qemu-system-x86_64"

enum { MAX_ARGS = 64 };

static char dir[64];
static char name[64]; /* a VM name of this test run */

static inline int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/qemu-test.XXXXXX");
	snprintf(name, sizeof(name), "t%d", getpid());
	return mkdtemp(dir) ? 0 : -1;
}

static inline int teardown(void **state)
{
	(void)state;
	return remove_tree(dir);
}

static inline bool have_qemu(void)
{
	return !system("command -v " QEMU " >/dev/null");
}

#define NEEDS_QEMU()                                             \
	do {                                                     \
		if (!have_qemu()) {                              \
			print_message("SKIPPED: no " QEMU "\n"); \
			skip();                                  \
		}                                                \
	} while (0)

/* Starts a QEMU in `dir`, with arguments after the usual ones; "@" in them is the VM's
 * name. */
static inline pid_t start(const char *const *more)
{
	static const char *const usual[] = {QEMU, "-accel", "tcg", "-machine", "pc",
		"-nodefaults", "-display", "none", "-S", "-m", "32", "-smp", "2", NULL};
	char *argv[MAX_ARGS] = {NULL};
	int n = 0;
	pid_t pid;

	for (size_t i = 0; usual[i]; i++)
		argv[n++] = strdup(usual[i]);
	for (size_t i = 0; more[i]; i++) {
		const char *at = strchr(more[i], '@');

		assert_true(n < MAX_ARGS - 1);
		if (!at)
			argv[n++] = strdup(more[i]);
		else
			assert_true(asprintf(&argv[n++], "%.*s%s%s", (int)(at - more[i]),
					    more[i], name, at + 1) > 0);
	}
	pid = fork();
	if (!pid) {
		int fd = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 2);
		if (chdir(dir) < 0)
			_exit(1);
		execvp(QEMU, argv);
		_exit(1);
	}
	for (int i = 0; i < n; i++)
		free(argv[i]);
	return pid;
}

static inline void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

/* Not with this machine's libvirt, whatever it runs: its files would be the test's. */
static inline void discover(struct vms *ret_vms)
{
	struct problem problem = {0};

	if (qemu_discover_with(dir, ret_vms, &problem))
		fail_msg("%s", problem.text);
}

static inline const struct vm *find_pid(const struct vms *vms, pid_t pid)
{
	for (size_t i = 0; i < vms->n_items; i++)
		if (vms->items[i].pid == pid)
			return &vms->items[i];
	return NULL;
}

static inline size_t count(const struct vm *vm, enum thread_class class)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n_threads; i++)
		n += vm->threads[i].class == class;
	return n;
}

/*
 * Until that QEMU has all its threads and, when `quiet`, nothing is left to say about it;
 * and until a second look finds it so, too: a thread has its name a moment after it has
 * come.
 */
static inline const struct vm *await(
	struct vms *vms, pid_t pid, size_t n_threads, bool quiet)
{
	size_t n_before = 0, vcpus_before = 0;

	for (int i = 0; i < 200; i++) {
		const struct vm *vm;

		discover(vms);
		vm = find_pid(vms, pid);
		if (vm && vm->n_threads >= n_threads && (!quiet || !vm->problem)) {
			size_t vcpus = count(vm, THREAD_VCPU);

			if (vm->n_threads == n_before && vcpus == vcpus_before)
				return vm;
			n_before = vm->n_threads;
			vcpus_before = vcpus;
		}
		vms_deinit(vms);
		usleep(100000);
	}
	fail_msg("QEMU %d did not come up", pid);
	return NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
