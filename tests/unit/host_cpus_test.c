// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/cpus.c on trees of other hosts, written to a temporary directory, and on this
 * one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/cpus.h"
#include "user/model/cpulist.h"

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	char *dir = strdup("/tmp/cpus-test.XXXXXX");

	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	int r = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

__attribute__((format(printf, 3, 4))) static void put(
	const char *root, const char *text, const char *format, ...)
{
	char name[256], path[512], *slash;
	cleanup_fclose FILE *f = NULL;
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/devices/system/%s", root, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(file_make_dirs(path, 0700), 0);
	*slash = '/';
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "%s\n", text) > 0);
}

static void put_cpus(
	const char *root, const char *possible, const char *present, const char *online)
{
	put(root, possible, "cpu/possible");
	put(root, present, "cpu/present");
	put(root, online, "cpu/online");
}

static void assert_set(const struct cpuset *set, const char *wanted)
{
	cleanup_free char *text = cpulist_format(set);

	assert_string_equal(text, wanted);
}

static void assert_cpus(
	const char *root, const char *possible, const char *online, const char *first)
{
	struct problem problem = {0};
	struct topology cpus;

	if (host_cpus_read_at(root, &cpus, &problem))
		fail_msg("%s", problem.text);
	assert_set(&cpus.possible, possible);
	assert_set(&cpus.online, online);
	assert_set(&cpus.first_cores, first);
}

/* Siblings are half the host apart, as on most x86. */
static void put_two_nodes(const char *root, const char *file)
{
	put_cpus(root, "0-31", "0-15", "0-15");
	put(root, "0-3,8-11", "node/node0/cpulist");
	put(root, "4-7,12-15", "node/node1/cpulist");
	put(root, "0-1", "node/online");
	for (int cpu = 0; cpu < 16; cpu++) {
		char siblings[32];

		snprintf(siblings, sizeof(siblings), "%d,%d", cpu % 8, cpu % 8 + 8);
		put(root, siblings, "cpu/cpu%d/topology/%s", cpu, file);
	}
}

static void two_nodes(void **state)
{
	put_two_nodes(*state, "core_cpus_list");
	assert_cpus(*state, "0-31", "0-15", "0,4,8,12");
}

static void two_nodes_of_an_old_kernel(void **state)
{
	put_two_nodes(*state, "thread_siblings_list");
	assert_cpus(*state, "0-31", "0-15", "0,4,8,12");
}

static void some_are_offline(void **state)
{
	put_two_nodes(*state, "core_cpus_list");
	put(*state, "1-3,5-7,9-10,12-15", "cpu/online"); /* 0, 4, 8, 11 are off */
	put(*state, "1,9", "cpu/cpu1/topology/core_cpus_list");
	/* 12 is a sibling of 4, which is off, and higher than 5 */
	assert_cpus(*state, "0-31", "1-3,5-7,9-10,12-15", "1,5,9,13");
}

static void a_sibling_is_offline(void **state)
{
	put_two_nodes(*state, "core_cpus_list");
	put(*state, "0-11,13-15", "cpu/online");
	assert_cpus(*state, "0-31", "0-11,13-15", "0,4,8");
}

static void nodes_without_cpus(void **state)
{
	put_two_nodes(*state, "core_cpus_list");
	put(*state, "", "node/node2/cpulist");
	put(*state, "garbage", "node/nodeX/cpulist");
	assert_cpus(*state, "0-31", "0-15", "0,4,8,12");
}

static void no_nodes_at_all(void **state)
{
	put_cpus(*state, "0-3", "0-3", "0-3");
	put(*state, "0-1", "cpu/cpu0/topology/core_cpus_list");
	assert_cpus(*state, "0-3", "0-3", "0-1");
}

static void no_topology_at_all(void **state)
{
	put_cpus(*state, "0-3", "0-3", "2-3");
	assert_cpus(*state, "0-3", "2-3", "2");
}

static void the_largest_host(void **state)
{
	put_cpus(*state, "0-8191", "0-8191", "0-8191");
	put(*state, "0-4095", "node/node0/cpulist");
	put(*state, "4096-8191", "node/node1/cpulist");
	put(*state, "4096,8191", "cpu/cpu4096/topology/core_cpus_list");
	assert_cpus(*state, "0-8191", "0-8191", "0,4096,8191");
}

static void broken_trees(void **state)
{
	struct topology cpus, before;
	struct problem problem;

	memset(&cpus, 0x55, sizeof(cpus));
	before = cpus;
	assert_int_equal(host_cpus_read_at("/nonexistent", &cpus, &problem), -ENOENT);
	assert_int_equal(host_cpus_read_at(*state, &cpus, &problem), -ENOENT);
	put_cpus(*state, "0-3", "0-3", "");
	assert_int_equal(host_cpus_read_at(*state, &cpus, &problem), -EINVAL);
	put_cpus(*state, "0-8192", "0-3", "0-3");
	assert_int_equal(host_cpus_read_at(*state, &cpus, &problem), -EINVAL);
	put_cpus(*state, "0-3", "0-3", "0-3");
	put(*state, "x", "node/node0/cpulist");
	assert_int_equal(host_cpus_read_at(*state, &cpus, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "node0/cpulist"));
	put(*state, "0-3", "node/node0/cpulist");
	put(*state, "y", "cpu/cpu0/topology/core_cpus_list");
	assert_int_equal(host_cpus_read_at(*state, &cpus, &problem), -EINVAL);
	assert_memory_equal(&cpus, &before, sizeof(cpus));
}

static void this_host(void **state)
{
	struct problem problem;
	struct topology cpus;

	(void)state;
	assert_int_equal(host_cpus_read(&cpus, &problem), 0);
	assert_int_equal(cpuset_weight(&cpus.online), sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(cpuset_subset(&cpus.online, &cpus.present));
	assert_true(cpuset_subset(&cpus.present, &cpus.possible));
	assert_true(cpuset_subset(&cpus.first_cores, &cpus.online));
	assert_int_equal(cpuset_next(&cpus.first_cores, 0), cpuset_next(&cpus.online, 0));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_nodes),
		TEST(two_nodes_of_an_old_kernel),
		TEST(some_are_offline),
		TEST(a_sibling_is_offline),
		TEST(nodes_without_cpus),
		TEST(no_nodes_at_all),
		TEST(no_topology_at_all),
		TEST(the_largest_host),
		TEST(broken_trees),
		cmocka_unit_test(this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
