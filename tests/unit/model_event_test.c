// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "user/model/event.h"

static const struct event blank = {.type = "violation",
	.pid = -1,
	.tid = -1,
	.cpu = -1,
	.vcpu = -1,
	.ns = -1,
	.count = -1,
	.lines = -1};

static struct event_filter filter;
static char told[EVENT_SENTENCE_SIZE];

static int enter(void **state)
{
	(void)state;
	event_filter_init(&filter);
	return 0;
}

static const char *tell(const struct event *event, const char *group)
{
	event_sentence(event, group, told, sizeof(told));
	return told;
}

static void test_everything_matches(void **state)
{
	struct event event = blank;

	(void)state;
	assert_true(event_matches(&event, &filter));
	event.type = "of a newer daemon";
	assert_true(event_matches(&event, &filter));
}

static void test_times(void **state)
{
	struct event event = blank;

	(void)state;
	filter.since = 10;
	filter.until = 20;
	for (event.time = 0; event.time < 30; event.time++)
		assert_int_equal(event_matches(&event, &filter),
			event.time >= 10 && event.time <= 20);
}

static void test_vms(void **state)
{
	static const char *const vms[] = {"web1", "db"};
	struct event event = blank;

	(void)state;
	filter.vms = vms;
	filter.n_vms = 2;
	assert_false(event_matches(&event, &filter)); /* the host's */
	event.vm = "web1";
	assert_true(event_matches(&event, &filter));
	event.vm = "db";
	assert_true(event_matches(&event, &filter));
	event.vm = "web11";
	assert_false(event_matches(&event, &filter));
}

/* Whoever asks for one VM's violations is told that there were more, and only then. */
static void test_untold(void **state)
{
	static const char *const vms[] = {"web1"};
	struct event event = blank;
	struct problem problem;

	(void)state;
	filter.vms = vms;
	filter.n_vms = 1;
	event.type = "violations";
	assert_true(event_matches(&event, &filter));
	assert_int_equal(event_filter_add_kinds(&filter, "foreign", &problem), 0);
	assert_true(event_matches(&event, &filter));
	event.type = "drifts";
	assert_false(event_matches(&event, &filter));
	event_filter_init(&filter);
	assert_int_equal(event_filter_add_kinds(&filter, "drift", &problem), 0);
	assert_true(event_matches(&event, &filter));
	event.type = "violations";
	assert_false(event_matches(&event, &filter));
}

static bool matches(const char *type, const char *class, const char *cause)
{
	struct event event = blank;

	event.type = type;
	event.class = class;
	event.cause = cause;
	return event_matches(&event, &filter);
}

static void test_types(void **state)
{
	struct problem problem;

	(void)state;
	assert_int_equal(
		event_filter_add_kinds(&filter, "violation,started", &problem), 0);
	assert_int_equal(event_filter_add_kinds(&filter, "drifts", &problem), 0);
	assert_true(matches("violation", "foreign", "user"));
	assert_true(matches("violation", "off_set", NULL));
	assert_true(matches("started", NULL, NULL));
	assert_true(matches("drifts", NULL, NULL));
	/* Of violations some were not told, or not written. */
	assert_true(matches("violations", NULL, NULL));
	assert_true(matches("lost", NULL, NULL));
	assert_false(matches("drift", NULL, NULL));
	assert_false(matches("", NULL, NULL));
}

static void test_classes_and_causes(void **state)
{
	struct problem problem;

	(void)state;
	assert_int_equal(event_filter_add_kinds(&filter, "off_set,kthread", &problem), 0);
	assert_true(matches("violation", "off_set", NULL));
	assert_true(matches("violation", "foreign", "kthread"));
	assert_false(matches("violation", "foreign", "user"));
	assert_false(matches("violation", NULL, NULL));
	/* They are a violation's only. */
	assert_false(matches("drift", "off_set", "kthread"));
	assert_int_equal(event_filter_add_kinds(&filter, "foreign", &problem), 0);
	assert_true(matches("violation", "foreign", "user"));
}

static void test_no_class(void **state)
{
	static const char *const lists[] = {
		"", "x", "violation,", ",violation", "drift,,repair", "Violation", "off"};
	struct problem problem;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		assert_int_equal(
			event_filter_add_kinds(&filter, lists[i], &problem), -EINVAL);
		/* All that there is. */
		assert_non_null(strstr(problem.text, "violation, violations, drift, "));
		assert_non_null(strstr(problem.text, ", own_vm, kthread"));
	}
	assert_true(matches("drift", NULL, NULL)); /* still no filter */
	event_filter_add_kinds(&filter, "a\033[31m", &problem);
	assert_non_null(strstr(problem.text, "'a\\x1b[31m'"));
}

static void test_violations(void **state)
{
	struct event event = blank;

	(void)state;
	assert_string_equal(tell(&event, NULL), "a task ran");
	event.class = "foreign";
	event.cause = "user";
	event.comm = "intruder";
	event.pid = event.tid = 360;
	event.cpu = 2;
	event.ns = 2700000;
	assert_string_equal(tell(&event, NULL),
		"intruder (pid 360) ran on CPU 2 for 2.7 ms: foreign by user");
	event.tid = 361;
	event.vcpu = 0;
	event.cgroup_id = 17;
	assert_string_equal(tell(&event, NULL),
		"intruder (pid 360, thread 361, cgroup 17) ran on CPU 2 (vCPU 0) for 2.7 ms: "
		"foreign by user");
	assert_string_equal(tell(&event, "user.slice/a\nb"),
		"intruder (pid 360, thread 361, in /user.slice/a\\x0ab) ran on CPU 2 (vCPU 0) "
		"for 2.7 ms: foreign by user");
	event.class = "off_set";
	event.cause = NULL;
	event.vcpu = -1;
	assert_string_equal(tell(&event, "/"),
		"intruder (pid 360, thread 361, in /) ran off its set on CPU 2 for 2.7 ms: "
		"off_set");
	event = blank;
	event.type = "violations";
	event.count = 12;
	event.reason = "too many";
	assert_string_equal(
		tell(&event, NULL), "12 more that are not told one by one: too many");
}

static void test_others(void **state)
{
	struct event event = blank;

	(void)state;
	event.type = "drift";
	event.pid = 7;
	event.tid = 8;
	event.comm = "sh";
	event.kind = "affinity";
	assert_string_equal(
		tell(&event, NULL), "affinity changed by sh (pid 7, thread 8)");
	event.text = "affinity changed by sh (pid 7)";
	assert_string_equal(
		tell(&event, NULL), "affinity changed by sh (pid 7), thread 8");
	event.type = "started";
	assert_string_equal(tell(&event, NULL), "is there (pid 7)");
	event.type = "ended";
	assert_string_equal(tell(&event, NULL), "has ended (pid 7)");
	event.type = "recovered";
	assert_string_equal(tell(&event, NULL), "the host is as it should be again");
	event.vm = "web1";
	assert_string_equal(tell(&event, NULL), "is as it should be again");
	event = blank;
	event.type = "repair";
	event.step = "set-cpus";
	event.cgroup = "a/b";
	assert_string_equal(tell(&event, NULL), "set-cpus /a/b");
	event.type = "lost";
	event.lines = 3;
	assert_string_equal(
		tell(&event, NULL), "3 events before this one could not be written");
	event.type = "new";
	event.reason = "for a reason";
	assert_string_equal(tell(&event, NULL), "for a reason");
}

/* Whatever the texts are, each is harmless, and the whole fits. */
static void test_hostile_texts(void **state)
{
	static const char *const types[] = {"violation", "violations", "drift", "drifts",
		"repair", "degraded", "recovered", "started", "ended", "lost", "\033"};
	static char nasty[20000];

	(void)state;
	memset(nasty, '\033', sizeof(nasty) - 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		for (int with_text = 0; with_text < 2; with_text++) {
			struct event event = blank;

			event.type = types[i];
			event.class = event.cause = event.comm = event.kind = event.step =
				event.cgroup = event.reason = nasty;
			event.text = with_text ? nasty : NULL;
			event.pid = 1;
			tell(&event, nasty);
			assert_null(strchr(told, '\033'));
			assert_true(strlen(told) < sizeof(told));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_everything_matches, enter),
		cmocka_unit_test_setup(test_times, enter),
		cmocka_unit_test_setup(test_vms, enter),
		cmocka_unit_test_setup(test_untold, enter),
		cmocka_unit_test_setup(test_types, enter),
		cmocka_unit_test_setup(test_classes_and_causes, enter),
		cmocka_unit_test_setup(test_no_class, enter),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
