// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/stamp.h"

#include <limits.h>
#include <sys/stat.h>

#include "tests/unit/scratch.h"
#include "tests/unit/write_file.h"

/* Below the scratch folder. */
static const char *at(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

static void take(struct stamp *stamp)
{
	char etc[PATH_MAX], run[PATH_MAX];

	snprintf(etc, sizeof(etc), "%s/etc", scratch);
	snprintf(run, sizeof(run), "%s/run", scratch);
	stamp_take(etc, run, stamp);
}

/* It is another than before, and stays as it is. */
static void expect_change(struct stamp *stamp)
{
	struct stamp now;

	take(&now);
	assert_false(stamp_equal(&now, stamp));
	take(stamp);
	assert_true(stamp_equal(&now, stamp));
	/* The kernel's clock for files ticks but every few milliseconds. */
	usleep(20000);
}

static void test_each_place_is_looked_at(void **state)
{
	static const char *const folders[] = {
		"etc", "run", "etc/vms.d", "run/vms.d", "run/found"};
	static const char *const files[] = {"etc/cpuwarden.conf", "etc/vms.d/web1.conf",
		"run/vms.d/web1.conf", "run/found/web1.json", "run/released"};
	struct stamp stamp, now;

	(void)state;
	take(&stamp);
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		assert_int_equal(mkdir(at(folders[i]), 0755), 0);
		/* The folder of /run has much in it that comes and goes. */
		if (strcmp(folders[i], "run") != 0)
			expect_change(&stamp);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		write_file(at(files[i]), "a");
		expect_change(&stamp);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		assert_int_equal(unlink(at(files[i])), 0);
		expect_change(&stamp);
	}
	/* Whoever holds the lock changes nothing by it. */
	write_file(at("run/lock"), "a");
	take(&now);
	assert_true(stamp_equal(&now, &stamp));
}

static void test_without_configuration(void **state)
{
	struct stamp one, other;

	(void)state;
	stamp_take(NULL, scratch, &one);
	stamp_take(NULL, scratch, &other);
	assert_true(stamp_equal(&one, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_place_is_looked_at),
		cmocka_unit_test(test_without_configuration),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
