// SPDX-License-Identifier: GPL-2.0-or-later
/* user/daemon/handover.c */
#include "tests/unit/scratch.h"
#include "tests/unit/write_file.h"
#include "user/daemon/handover.h"

#include <limits.h>
#include <stdbool.h>

static char folder[PATH_MAX];
static struct handovers handovers;

static int enter(void **state)
{
	(void)state;
	handovers_folder(scratch, folder);
	return mkdir(folder, 0700);
}

static int leave(void **state)
{
	(void)state;
	handovers_forget(&handovers);
	return access(folder, F_OK) ? 0 : remove_tree(folder);
}

static const char *in_folder(const char *name)
{
	static char path[PATH_MAX + NAME_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void ask(const char *name)
{
	write_file(in_folder(name), "");
}

static bool waits(const char *name)
{
	return !access(in_folder(name), F_OK);
}

/* Who came while the pass was on waits for the next. */
static void test_a_pass(void **state)
{
	(void)state;
	ask("1");
	ask("a name");
	handovers_note(scratch, &handovers);
	ask("2");
	handovers_done(scratch, &handovers);
	assert_false(waits("1") || waits("a name"));
	assert_true(waits("2"));
	handovers_done(scratch, &handovers);
	assert_true(waits("2"));
	handovers_note(scratch, &handovers);
	handovers_done(scratch, &handovers);
	assert_false(waits("2"));
}

static void test_a_pass_that_failed(void **state)
{
	(void)state;
	ask("1");
	handovers_note(scratch, &handovers);
	handovers_note(scratch, &handovers);
	assert_int_equal(handovers.n_names, 1);
	assert_true(waits("1"));
	handovers_forget(&handovers);
	assert_true(waits("1"));
}

/* Who asked has given up meanwhile; a folder, which nobody asks by; no folder. */
static void test_what_is_not_there(void **state)
{
	(void)state;
	ask("1");
	assert_int_equal(mkdir(in_folder("2"), 0700), 0);
	handovers_note(scratch, &handovers);
	assert_int_equal(handovers.n_names, 1);
	assert_int_equal(unlink(in_folder("1")), 0);
	handovers_done(scratch, &handovers);
	assert_true(waits("2"));
	assert_int_equal(remove_tree(folder), 0);
	handovers_note(scratch, &handovers);
	handovers_done(scratch, &handovers);
	assert_int_equal(handovers.n_names, 0);
}

#define folder_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_a_pass),
		folder_test(test_a_pass_that_failed),
		folder_test(test_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
