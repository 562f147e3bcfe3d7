// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/topology.c on this host: what the kernel says of it, whatever the environment
 * says, and without a trace. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/topology.h"
#include "user/model/cpulist.h"

static unsigned int bindings;

/* In the place of libc's, for hwloc too. */
int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
	bindings++;
	return (int)syscall(SYS_sched_setaffinity, pid, size, set);
}

static void read_here(struct topology *ret_topology)
{
	struct problem problem;

	/* Padding too: these are compared as memory. */
	memset(ret_topology, 0, sizeof(*ret_topology));
	if (topology_read(ret_topology, &problem))
		fail_msg("%s", problem.text);
}

static void as_the_kernel_says(void **state)
{
	struct topology topology;

	(void)state;
	read_here(&topology);
	assert_int_equal(cpuset_weight(&topology.online), sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(cpuset_subset(&topology.online, &topology.present));
	assert_true(cpuset_subset(&topology.present, &topology.possible));
	assert_int_equal(
		cpuset_next(&topology.first_cores, 0), cpuset_next(&topology.online, 0));
	cpuset_for_each (cpu, &topology.online) {
		struct cpuset siblings = topology_siblings(&topology, (unsigned int)cpu);
		cleanup_free char *list = cpulist_format(&siblings);
		char path[96], told[4096];

		snprintf(path, sizeof(path),
			"/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
			cpu);
		if (file_read_at(AT_FDCWD, path, told, sizeof(told)) > 0)
			assert_string_equal(list, told);
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/node%d", cpu,
			topology.places[cpu].node);
		if (!access("/sys/devices/system/node/node0", F_OK))
			assert_int_equal(access(path, F_OK), 0);
	}
	cpuset_for_each (node, &topology.with_memory)
		assert_true(topology.node_memory[node] > 1 << 20);
	assert_false(cpuset_empty(&topology.with_memory));
}

static void binds_nobody(void **state)
{
	hwloc_topology_t hwloc;
	struct topology topology;

	(void)state;
	/* hwloc's own binding comes by here. */
	assert_int_equal(hwloc_topology_init(&hwloc), 0);
	assert_int_equal(hwloc_topology_load(hwloc), 0);
	bindings = 0;
	assert_int_equal(hwloc_set_cpubind(hwloc, hwloc_get_root_obj(hwloc)->cpuset,
				 HWLOC_CPUBIND_THREAD),
		0);
	assert_int_equal(bindings, 1);
	hwloc_topology_destroy(hwloc);

	bindings = 0;
	setenv("HWLOC_COMPONENTS", "x86", 1);
	read_here(&topology);
	read_here(&topology);
	assert_int_equal(bindings, 0);
}

static const char other_host[] = "package:2 [numanode] l3:1 core:2 pu:3";

static void write_other_host(const char *path)
{
	hwloc_topology_t hwloc;

	assert_int_equal(hwloc_topology_init(&hwloc), 0);
	assert_int_equal(hwloc_topology_set_synthetic(hwloc, other_host), 0);
	assert_int_equal(hwloc_topology_load(hwloc), 0);
	assert_int_equal(hwloc_topology_export_xml(hwloc, path, 0), 0);
	hwloc_topology_destroy(hwloc);
}

static void expect_untouched(
	const struct topology *before, const char *name, const char *value)
{
	struct topology after;

	setenv(name, value, 1);
	read_here(&after);
	if (memcmp(before, &after, sizeof(after)))
		fail_msg("%s=%s makes a difference", name, value);
	assert_null(getenv(name));
}

/* Runs with the standard error in a file, which must stay empty. */
static void the_environment_says_nothing(void **state)
{
	char directory[] = "/tmp/topology-test.XXXXXX", xml[64], said[64];
	int saved = dup(STDERR_FILENO), fd;
	struct topology before;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(xml, sizeof(xml), "%s/xml", directory);
	snprintf(said, sizeof(said), "%s/said", directory);
	write_other_host(xml);
	read_here(&before);
	fd = open(said, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && saved >= 0);
	dup2(fd, STDERR_FILENO);
	expect_untouched(&before, "HWLOC_XMLFILE", xml);
	expect_untouched(&before, "HWLOC_SYNTHETIC", other_host);
	expect_untouched(&before, "HWLOC_FSROOT", directory);
	expect_untouched(&before, "HWLOC_COMPONENTS", "no_os,stop");
	expect_untouched(&before, "HWLOC_COMPONENTS", "-linux");
	expect_untouched(&before, "HWLOC_THISSYSTEM", "0");
	expect_untouched(&before, "HWLOC_COMPONENTS_VERBOSE", "1");
	expect_untouched(&before, "HWLOC_PLUGINS_VERBOSE", "1");
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	assert_int_equal(unlink(xml) | unlink(said) | rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_kernel_says),
		cmocka_unit_test(binds_nobody),
		cmocka_unit_test(the_environment_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
