// SPDX-License-Identifier: GPL-2.0-or-later
/* user/control/mend.c and its record (user/store/mended.c) on files below a root of ours.
 */
#include "tests/unit/isolation_root.h"

#include <errno.h>

#include "user/control/mend.h"
#include "user/store/mended.h"

#define IRQ_24 "/proc/irq/24/smp_affinity_list"
#define GOVERNOR_4 FILE_CPUS "/cpu4/cpufreq/scaling_governor"

static char run[64], done[4096], failed[4096];

static void note(const char *text, void *data)
{
	char *log = data;
	size_t used = strlen(log);

	snprintf(log + used, sizeof(done) - used, "%s\n", text);
}

static void note_done(const char *text, void *data)
{
	(void)data;
	note(text, done);
}

static void note_failed(const char *text, void *data)
{
	(void)data;
	note(text, failed);
}

static const struct mend_report report = {.done = note_done, .failed = note_failed};

static int enter(void **state)
{
	if (enter_root(state))
		return -1;
	snprintf(run, sizeof(run), "%s/run/cpuwarden", root);
	*done = *failed = '\0';
	return 0;
}

static int mend(const char *reserved_cpus)
{
	struct reserved reserved = {.cpus = cpus(reserved_cpus)};
	struct cpuset online = cpus("0-7");

	*done = *failed = '\0';
	read_facts();
	return control_mend(root, run, &facts, &reserved, &online, &report, &problem);
}

static int unmend(void)
{
	*done = *failed = '\0';
	return control_unmend(root, run, &report, &problem);
}

static void assert_file(const char *name, const char *wanted)
{
	char path[256], text[4096];

	snprintf(path, sizeof(path), "%s%s", root, name);
	assert_true(file_read_at(AT_FDCWD, path, text, sizeof(text)) >= 0);
	assert_string_equal(text, wanted);
}

static bool has_record(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/hostcheck.json", run);
	return !access(path, F_OK);
}

static void assert_as_found(void)
{
	assert_file(IRQ_24, "0-7");
	assert_file("/proc/irq/9/smp_affinity_list", "0");
	assert_file("/proc/irq/10/smp_affinity_list", "0-7");
	assert_file("/proc/irq/37/smp_affinity_list", "4");
	assert_file(FILE_IRQ_DEFAULT, "ff");
	assert_file(FILE_WATCHDOG_CPUS, "0-7");
	assert_file(GOVERNOR_4, "powersave");
	assert_false(has_record());
}

static void test_mend_and_unmend(void **state)
{
	(void)state;
	assert_int_equal(mend("4-5"), 0);
	assert_file(IRQ_24, "0-3,6-7");
	assert_file("/proc/irq/9/smp_affinity_list", "0");
	assert_file("/proc/irq/10/smp_affinity_list", "0-7");
	assert_file("/proc/irq/37/smp_affinity_list", "4");
	assert_file(FILE_IRQ_DEFAULT, "cf");
	assert_file(FILE_WATCHDOG_CPUS, "0-3,6-7");
	assert_file(GOVERNOR_4, "performance");
	assert_file(FILE_CPUS "/cpu3/cpufreq/scaling_governor", "powersave");
	assert_non_null(strstr(done, IRQ_24 ": 0-3,6-7, was 0-7\n"));
	assert_true(has_record());

	assert_int_equal(mend("4-5"), 0);
	assert_string_equal(done, "");
	assert_int_equal(unmend(), 0);
	assert_non_null(strstr(done, FILE_IRQ_DEFAULT ": 0-7, was 0-3,6-7\n"));
	assert_as_found();
	assert_int_equal(unmend(), 0);
	assert_string_equal(done, "");
}

static void test_other_reserved_cpus(void **state)
{
	(void)state;
	assert_int_equal(mend("4-5"), 0);
	assert_int_equal(mend("5-6"), 0);
	assert_file(IRQ_24, "0-4,7");
	assert_file(GOVERNOR_4, "powersave");
	assert_file(FILE_CPUS "/cpu6/cpufreq/scaling_governor", "performance");
	assert_int_equal(unmend(), 0);
	assert_as_found();
}

/* Nothing but reserved CPUs was allowed: all others are. */
static void test_nothing_left(void **state)
{
	(void)state;
	put(IRQ_24, "4-5");
	assert_int_equal(mend("4-5"), 0);
	assert_file(IRQ_24, "0-3,6-7");
	assert_int_equal(unmend(), 0);
	assert_file(IRQ_24, "4-5");
}

static void test_somebody_else(void **state)
{
	(void)state;
	assert_int_equal(mend("4-5"), 0);
	put(IRQ_24, "1");
	assert_int_equal(mend("4-5"), 0);
	assert_file(IRQ_24, "1"); /* does no harm */
	put(FILE_IRQ_DEFAULT, "f0");
	assert_int_equal(mend("4-5"), 0);
	assert_file(FILE_IRQ_DEFAULT, "c0");
	assert_int_equal(unmend(), 0);
	assert_non_null(strstr(done,
		IRQ_24 " is left at 1, which somebody has set since; it was 0-7\n"));
	assert_file(IRQ_24, "1");
	assert_file(FILE_IRQ_DEFAULT, "f0");
	assert_file(FILE_WATCHDOG_CPUS, "0-7");
	assert_false(has_record());
}

/* Killed between its record and its writes: what was found stays what it was. */
static void test_killed_in_between(void **state)
{
	struct mends mends;

	(void)state;
	assert_int_equal(mend("4-5"), 0);
	put(IRQ_24, "0-7");
	assert_int_equal(mend("4-5"), 0);
	assert_file(IRQ_24, "0-3,6-7");
	/* The record is of the second set of CPUs already, the file of the first. */
	assert_int_equal(mend("5-6"), 0);
	put(IRQ_24, "0-3,6-7");
	assert_int_equal(mended_read(run, &mends, &problem), 0);
	assert_string_equal(mends_find(&mends, IRQ_24)->earlier, "0-3,6-7");
	mends_deinit(&mends);
	assert_int_equal(mend("5-6"), 0);
	assert_file(IRQ_24, "0-4,7");
	put(IRQ_24, "0-3,6-7");
	assert_int_equal(unmend(), 0);
	assert_as_found();
}

static void test_gone(void **state)
{
	(void)state;
	assert_int_equal(mend("4-5"), 0);
	take_away("/proc/irq/24");
	assert_int_equal(unmend(), 0);
	assert_null(strstr(done, IRQ_24));
	assert_file(FILE_WATCHDOG_CPUS, "0-7");
	assert_false(has_record());
}

/* A directory refuses to be written, also by root. */
static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(mend("4-5"), 0);
	take_away(FILE_WATCHDOG_CPUS);
	put(FILE_WATCHDOG_CPUS "/x", "");
	assert_int_equal(unmend(), 1);
	assert_non_null(
		strstr(failed, "cannot read " FILE_WATCHDOG_CPUS ": Is a directory\n"));
	assert_file(IRQ_24, "0-7");
	assert_true(has_record());
	take_away(FILE_WATCHDOG_CPUS);
	put(FILE_WATCHDOG_CPUS, "0-3,6-7");
	assert_int_equal(unmend(), 0);
	assert_as_found();
}

static void test_watchdog_off(void **state)
{
	(void)state;
	put(FILE_WATCHDOG, "0");
	assert_int_equal(mend("4-5"), 0);
	assert_file(FILE_WATCHDOG_CPUS, "0-7");
}

static void put_record(const char *text)
{
	put("/run/cpuwarden/hostcheck.json", text);
}

#define RECORD(row) "{\"schema\":\"cpuwarden.found-settings/1\",\"settings\":[" row "]}"
#define PATH "\"path\":\"" FILE_WATCHDOG_CPUS "\""
#define FORMAT ",\"format\":\"list\""
#define VALUES ",\"found\":\"0-7\",\"written\":\"0-3\""

static void test_damaged_record(void **state)
{
	static const char *const texts[] = {"", "{}",
		"{\"schema\":\"cpuwarden.found-settings/2\"}",
		"{\"schema\":\"cpuwarden.found-settings/1\"}", RECORD("{}"), RECORD("1"),
		RECORD("{" PATH FORMAT ",\"found\":\"0-7\"}"),
		RECORD("{" PATH FORMAT ",\"found\":7,\"written\":\"0\"}"),
		RECORD("{" PATH FORMAT ",\"found\":\"x\",\"written\":\"0\"}"),
		RECORD("{" PATH FORMAT VALUES ",\"earlier\":\"x\"}"),
		RECORD("{" PATH ",\"format\":\"lists\"" VALUES "}"),
		RECORD("{\"path\":\"/etc/passwd\"" FORMAT VALUES "}"),
		RECORD("{\"path\":\"/proc/irq/../sysrq-trigger\"" FORMAT VALUES "}")};
	struct mends mends;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		put_record(texts[i]);
		assert_int_equal(mended_read(run, &mends, &problem), -EINVAL);
		assert_int_equal(mend("4-5"), -EINVAL);
		assert_int_equal(unmend(), -EINVAL);
		assert_file(FILE_WATCHDOG_CPUS, "0-7");
	}
	put_record(RECORD("{" PATH FORMAT VALUES "}"));
	assert_int_equal(mended_read(run, &mends, &problem), 0);
	assert_int_equal(mends.n_items, 1);
	assert_false(mends.items[0].refused);
	mends_deinit(&mends);
}

/* An interrupt that was refused once is known, and not tried again. */
static void test_refused_before(void **state)
{
	struct mends mends;

	(void)state;
	assert_int_equal(mend("4-5"), 0);
	assert_int_equal(mended_read(run, &mends, &problem), 0);
	mends_find(&mends, IRQ_24)->refused = true;
	assert_int_equal(mended_write(run, &mends, &problem), 0);
	mends_deinit(&mends);
	put(IRQ_24, "0-7");
	assert_int_equal(mend("4-6"), 0);
	assert_file(IRQ_24, "0-7");
	assert_true(facts.irqs[1].fixed);
	assert_int_equal(unmend(), 0);
	assert_as_found();
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, enter, leave_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOT(test_mend_and_unmend),
		IN_ROOT(test_other_reserved_cpus),
		IN_ROOT(test_nothing_left),
		IN_ROOT(test_somebody_else),
		IN_ROOT(test_killed_in_between),
		IN_ROOT(test_gone),
		IN_ROOT(test_refused),
		IN_ROOT(test_watchdog_off),
		IN_ROOT(test_damaged_record),
		IN_ROOT(test_refused_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
