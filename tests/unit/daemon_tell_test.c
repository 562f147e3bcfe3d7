// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon tells is what `events` understands: every kind of line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "user/daemon/tell.h"
#include "user/store/event_json.h"
#include "user/store/event_log.h"

static char path[128];
static struct event_file *file;
static struct problem problem;

static int enter(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/events.jsonl", scratch);
	return event_file_open(path, 1 << 20, &file, &problem);
}

static int leave(void **state)
{
	(void)state;
	event_file_close(file);
	return unlink(path);
}

/* The one line that was told: its type and VM, of that kind, and its sentence. */
static void expect(const char *kind, const char *vm, const char *sentence)
{
	char told[EVENT_SENTENCE_SIZE];
	struct event_filter filter;
	struct json_object *json;
	struct event_log *log;
	struct event event;
	const char *line;
	size_t len;

	assert_int_equal(event_log_open(path, false, &log, &problem), 0);
	assert_int_equal(event_log_next(log, &line, &len, &problem), 0);
	assert_int_equal(event_json_parse(line, len, &json, &event), 0);
	if (vm)
		assert_string_equal(event.vm, vm);
	else
		assert_null(event.vm);
	event_filter_init(&filter);
	assert_int_equal(event_filter_add_kinds(&filter, kind, &problem), 0);
	assert_true(event_matches(&event, &filter));
	event_sentence(&event, NULL, told, sizeof(told));
	assert_string_equal(told, sentence);
	assert_int_equal(event_log_next(log, &line, &len, &problem), 1);
	json_object_put(json);
	event_log_close(log);
}

static void test_life(void **state)
{
	(void)state;
	tell_life(file, "web1", 12, true);
	expect("started", "web1", "is there (pid 12)");
}

static void test_end(void **state)
{
	(void)state;
	tell_life(file, "web1", 12, false);
	expect("ended", "web1", "has ended (pid 12)");
}

static void test_failure(void **state)
{
	(void)state;
	tell_failure(file, "web1", "CPU 5 is offline");
	expect("degraded", "web1", "CPU 5 is offline");
}

static void test_recovery(void **state)
{
	(void)state;
	tell_recovery(file, "");
	expect("recovered", NULL, "the host is as it should be again");
}

static void test_step(void **state)
{
	const struct unit unit = {.vm = "web1"};
	char group[] = "cpuwarden.slice/web1/vcpu0";
	struct step step = {.kind = STEP_SET_CPUS, .path = group};

	(void)state;
	cpuset_add(&step.cpus, 3);
	tell_step(file, &unit, &step);
	expect("repair", "web1", "set the CPUs of /cpuwarden.slice/web1/vcpu0 to 3");
}

static void test_drift(void **state)
{
	const struct drift_note note = {.change = CHANGED_AFFINITY,
		.vm = "web1",
		.by = {.tid = 8, .tgid = 7, .comm = "t\033sk"}};

	(void)state;
	tell_drift(file, &note);
	expect("drift", "web1", "affinity changed by t\\x1bsk (pid 7), thread 8");
}

static void test_violations(void **state)
{
	const struct culprit foreign = {.vm = "web1",
		.cause = CAUSED_BY_OTHER_VM,
		.cpu = 2,
		.vcpu = 0,
		.tgid = 7,
		.tid = 8,
		.comm = "\xff",
		.cgroup = 9,
		.ns = 1500};
	struct culprit off_set = {
		.vm = "web1", .off_set = true, .cpu = 5, .vcpu = -1, .tgid = 7, .tid = 7};

	(void)state;
	tell_violation(file, &foreign);
	expect("other_vm", "web1",
		"\\xff (pid 7, thread 8, cgroup 9) ran on CPU 2 (vCPU 0) for 1.5 us: foreign "
		"by other_vm");
	assert_int_equal(truncate(path, 0), 0);
	tell_violation(file, &off_set);
	expect("off_set", "web1",
		"a task (pid 7) ran off its set on CPU 5 for 0 ns: off_set");
}

static void test_numbers(void **state)
{
	(void)state;
	tell_unheard(file, 12, "no room");
	expect("violations", NULL, "12 more that are not told one by one: no room");
	assert_int_equal(truncate(path, 0), 0);
	tell_unnoted(file, 3);
	expect("drifts", NULL,
		"3 more changes that are not told one by one: only the latest are kept, and "
		"who made these is not known");
}

/* It goes to standard error, which may be a terminal. */
static void test_the_log_is_printable(void **state)
{
	const struct drift_note note = {.change = CHANGED_AFFINITY,
		.by = {.tid = 7, .tgid = 7, .comm = "\033[31m"}};
	int said = memfd_create("said", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	char text[512];
	ssize_t n;

	(void)state;
	assert_true(said >= 0 && before >= 0);
	dup2(said, STDERR_FILENO);
	tell_drift(file, &note);
	dup2(before, STDERR_FILENO);
	n = pread(said, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "cpuwarden: affinity changed by ?[31m (pid 7)\n");
	close(said);
	close(before);
}

#define tell_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tell_test(test_life),
		tell_test(test_end),
		tell_test(test_failure),
		tell_test(test_recovery),
		tell_test(test_step),
		tell_test(test_drift),
		tell_test(test_violations),
		tell_test(test_numbers),
		tell_test(test_the_log_is_printable),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
