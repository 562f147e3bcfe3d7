// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/libvirt_daemons.c: which files are believed to be root's programs, and what
 * the kernel knows them by. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "user/host/libvirt_daemons.h"

/* A tmpfs: its stat() tells the kernel's own numbers. */
#define PATTERN "/dev/shm/cpuwarden-XXXXXX"

static char path[sizeof(PATTERN)];

static int enter(void **state)
{
	int fd;

	(void)state;
	strcpy(path, PATTERN);
	fd = mkstemp(path);
	return fd < 0 || close(fd) || chmod(path, 0755) ? -1 : 0;
}

static int leave(void **state)
{
	(void)state;
	return unlink(path);
}

static void a_file_of_roots(void **state)
{
	struct program_file file;
	struct stat st;

	(void)state;
	if (geteuid()) {
		assert_int_equal(program_file_read(path, &file), -EPERM);
		return;
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(program_file_read(path, &file), 0);
	assert_int_equal(file.inode, st.st_ino);
	assert_int_equal(file.major, major(st.st_dev));
	assert_int_equal(file.minor, minor(st.st_dev));
}

static void a_file_that_others_write(void **state)
{
	static const mode_t modes[] = {0775, 0757, 0777};
	struct program_file file = {.inode = 7};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(program_file_read(path, &file), -EPERM);
	}
	assert_int_equal(chmod(path, 0755), 0);
	if (!geteuid()) {
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(program_file_read(path, &file), -EPERM);
	}
	assert_int_equal(file.inode, 7);
}

static void what_is_no_program(void **state)
{
	struct program_file file;

	(void)state;
	assert_int_equal(program_file_read("/dev/null", &file), -EINVAL);
	assert_int_equal(program_file_read("/dev/shm", &file), -EINVAL);
	assert_int_equal(program_file_read("/dev/shm/cpuwarden-none", &file), -ENOENT);
}

/* Two files are told apart, and one under two names is one. */
static void names_do_not_count(void **state)
{
	struct program_file own, link_to_it, other;

	(void)state;
	assert_int_equal(program_file_read("/proc/1/../../bin/sh", &own), 0);
	assert_int_equal(program_file_read("/bin/sh", &link_to_it), 0);
	assert_int_equal(program_file_read("/bin/cat", &other), 0);
	assert_memory_equal(&own, &link_to_it, sizeof(own));
	assert_true(own.inode != other.inode || own.minor != other.minor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_of_roots, enter, leave),
		cmocka_unit_test_setup_teardown(a_file_that_others_write, enter, leave),
		cmocka_unit_test(what_is_no_program),
		cmocka_unit_test(names_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
