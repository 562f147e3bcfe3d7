// SPDX-License-Identifier: GPL-2.0-or-later
/* user/daemon/watch.c, on real files. */
#include "tests/unit/scratch.h"
#include "tests/unit/write_file.h"
#include "user/daemon/watch.h"

#include <limits.h>

static sd_event *event;
static struct watch *watch;
static struct problem problem;
static unsigned int changes;

static void on_change(const char *what, void *data)
{
	(void)what, (void)data;
	changes++;
}

/* The last two that were asked for are valid. */
static const char *at(const char *name)
{
	static char paths[2][PATH_MAX], (*path)[PATH_MAX] = paths;

	path = path == paths ? paths + 1 : paths;
	snprintf(*path, sizeof(*path), "%s/top/%s", scratch, name);
	return *path;
}

static int enter(void **state)
{
	(void)state;
	return mkdir(at(""), 0700) || sd_event_new(&event) < 0 ||
	       watch_new(event, on_change, NULL, &watch, &problem);
}

static int leave(void **state)
{
	(void)state;
	watch_free(watch);
	sd_event_unref(event);
	return remove_tree(at(""));
}

static unsigned int heard(void)
{
	changes = 0;
	while (sd_event_run(event, 0) > 0)
		;
	return changes;
}

static void make(const char *folder)
{
	assert_int_equal(mkdir(at(folder), 0700), 0);
}

static void follow(const char *folder)
{
	watch_begin(watch);
	assert_int_equal(watch_folder(watch, at(folder)), 0);
	watch_end(watch);
}

static void test_a_folder(void **state)
{
	(void)state;
	make("a");
	follow("a");
	assert_int_equal(heard(), 0);
	write_file(at("a/file"), "x");
	assert_true(heard() > 0);
	assert_int_equal(rename(at("a/file"), at("a/other")), 0);
	assert_true(heard() > 0);
	assert_int_equal(unlink(at("a/other")), 0);
	assert_true(heard() > 0);
	follow("a");
	assert_int_equal(heard(), 0);
	write_file(at("beside"), "x");
	assert_int_equal(heard(), 0);
}

/* As when another file system is mounted over it. */
static void test_another_folder_at_the_same_path(void **state)
{
	(void)state;
	make("a");
	make("b");
	assert_int_equal(symlink(at("a"), at("link")), 0);
	follow("link");
	assert_int_equal(unlink(at("link")), 0);
	assert_int_equal(symlink(at("b"), at("link")), 0);
	assert_int_equal(heard(), 0);
	follow("link");
	write_file(at("b/file"), "x");
	assert_true(heard() > 0);
	write_file(at("a/file"), "x");
	assert_int_equal(heard(), 0);
}

/* Of the folder above only its coming is heard, step by step. */
static void test_a_folder_that_is_missing(void **state)
{
	(void)state;
	follow("a/b");
	write_file(at("beside"), "x");
	make("other");
	assert_int_equal(heard(), 0);
	make("a");
	assert_true(heard() > 0);
	follow("a/b");
	write_file(at("beside"), "y");
	make("a/c");
	assert_int_equal(heard(), 0);
	make("a/b");
	assert_true(heard() > 0);
	follow("a/b");
	write_file(at("a/b/file"), "x");
	assert_true(heard() > 0);
	assert_int_equal(remove_tree(at("a/b")), 0);
	assert_true(heard() > 0);
	follow("a/b");
	write_file(at("a/beside"), "x");
	assert_int_equal(heard(), 0);
	make("a/b");
	assert_true(heard() > 0);
}

/* Two that are missing below the same folder are awaited, each. */
static void test_two_that_are_missing(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		watch_begin(watch);
		assert_int_equal(watch_folder(watch, at("a")), 0);
		assert_int_equal(watch_folder(watch, at("b")), 0);
		watch_end(watch);
		assert_int_equal(heard(), 0);
		make(i ? "b" : "a");
		assert_true(heard() > 0);
	}
}

static void test_arrivals(void **state)
{
	(void)state;
	make("a");
	watch_begin(watch);
	assert_int_equal(watch_arrivals(watch, at("a")), 0);
	watch_end(watch);
	write_file(at("a/file"), "x");
	assert_int_equal(heard(), 1);
	assert_int_equal(unlink(at("a/file")), 0);
	assert_int_equal(heard(), 0);
}

static void test_what_is_watched_no_more(void **state)
{
	(void)state;
	make("a");
	make("b");
	follow("a");
	follow("b");
	write_file(at("a/file"), "x");
	assert_int_equal(heard(), 0);
	write_file(at("b/file"), "x");
	assert_true(heard() > 0);
}

#define watch_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		watch_test(test_a_folder),
		watch_test(test_another_folder_at_the_same_path),
		watch_test(test_a_folder_that_is_missing),
		watch_test(test_two_that_are_missing),
		watch_test(test_arrivals),
		watch_test(test_what_is_watched_no_more),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
