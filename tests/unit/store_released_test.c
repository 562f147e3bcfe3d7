// SPDX-License-Identifier: GPL-2.0-or-later
/* user/store/released.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/unit/scratch.h"
#include "user/store/released.h"

static struct config config;
static struct problem problem;

static bool is_even(const struct process_id *process)
{
	return !(process->pid & 1);
}

static int forget(void **state)
{
	(void)state;
	config_deinit(&config);
	return released_clear(scratch, &problem);
}

static void write_text(const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/released", scratch);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}

static void read_back(void)
{
	config_deinit(&config);
	assert_int_equal(released_read(scratch, is_even, &config, &problem), 0);
}

static void test_nothing(void **state)
{
	(void)state;
	read_back();
	assert_false(config.all_released);
	assert_int_equal(config.n_released, 0);
	assert_int_equal(released_clear(scratch, &problem), 0);
}

static void test_names(void **state)
{
	const struct process_id here = {.pid = 100, .start_time = 5},
				gone = {.pid = 101, .start_time = 6};
	struct policy policy;

	(void)state;
	assert_int_equal(released_add(scratch, "web 1", &here, &problem), 0);
	assert_int_equal(released_add(scratch, "db", &gone, &problem), 0);
	read_back();
	assert_int_equal(config.n_released, 1);
	assert_string_equal(config.released[0], "web 1");
	config.defaults.kind = POLICY_DEDICATED;
	config_policy(&config, "web 1", &policy);
	assert_int_equal(policy.kind, POLICY_OBSERVE);
	config_policy(&config, "db", &policy);
	assert_int_equal(policy.kind, POLICY_DEDICATED);
}

static void test_all(void **state)
{
	struct policy_ref ref;

	(void)state;
	assert_int_equal(released_add(scratch, NULL, NULL, &problem), 0);
	read_back();
	assert_true(config.all_released);
	config.defaults.kind = POLICY_SHARED;
	assert_int_equal(config_refer(&config, "any", &ref), 0);
	assert_int_equal(ref.policy->kind, POLICY_OBSERVE);
	policy_ref_deinit(&ref);
	assert_int_equal(released_clear(scratch, &problem), 0);
	read_back();
	assert_false(config.all_released);
}

static void test_what_is_no_line(void **state)
{
	char text[512], name[200];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "\n**\nweb1\n2 3\n2 3 \nx 3 web1\n4 5 %s\n6 7 ok\n",
		name);
	write_text(text);
	read_back();
	assert_false(config.all_released);
	assert_int_equal(config.n_released, 1);
	assert_string_equal(config.released[0], "ok");
}

static void test_no_folder(void **state)
{
	(void)state;
	assert_int_equal(released_add("/nonexistent", NULL, NULL, &problem), -ENOENT);
	assert_string_equal(
		problem.text, "/nonexistent/released: No such file or directory");
	assert_int_equal(released_clear("/nonexistent", &problem), 0);
}

#define released_test(f) cmocka_unit_test_setup_teardown(f, forget, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		released_test(test_nothing),
		released_test(test_names),
		released_test(test_all),
		released_test(test_what_is_no_line),
		released_test(test_no_folder),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
