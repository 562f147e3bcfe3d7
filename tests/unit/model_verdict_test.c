// SPDX-License-Identifier: GPL-2.0-or-later
/* What was counted, whether it was all, and what follows. Never OK when blind. */
#include "tests/unit/build_host.h"
#include "user/model/verdict.h"

#define SECOND UINT64_C(1000000000)
#define NO_COUNT "the observer does not count: no switch was seen while it was watched"
#define SKIPPED "the kernel skipped the observer's program at some switches"
#define NOT_WHOLE "the observer has not run for the whole window"
#define HISTORY                                                                             \
	" since the observer's start; how many of them in the window is not known without " \
	"the daemon's history"

static struct counters counters;
static struct verdict_input input;
static struct verdict_result result;

/* An observer that has run for 60 s, and has seen nothing wrong. */
static int enter(void **state)
{
	(void)state;
	memset(&counters, 0, sizeof(counters));
	counters.start = 40 * SECOND;
	counters.now = 100 * SECOND;
	counters.total.switches = 1234;
	counters.programs = 1;
	memset(&input, 0, sizeof(input));
	input.counters = &counters;
	input.alive = true;
	return 0;
}

static void expect(enum verdict verdict, const char *reason)
{
	memset(&result, 0xff, sizeof(result));
	verdict_decide(&input, &result);
	assert_string_equal(result.reason.text, reason);
	assert_int_equal(result.verdict, verdict);
}

static void test_nothing_wrong(void **state)
{
	(void)state;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
	assert_int_equal(result.window_ns, 60 * SECOND);
	assert_int_equal(result.blind_ns, 0);
}

static void test_settling_and_interference_are_no_violations(void **state)
{
	(void)state;
	counters.total.settling = (struct tally){5, 500};
	counters.total.bound_kthread = (struct tally){6, 600};
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
	assert_int_equal(result.settling.count, 5);
	assert_int_equal(result.settling.ns, 500);
}

static void test_no_observer(void **state)
{
	(void)state;
	input.counters = NULL;
	input.absent = "no observer is running";
	input.degraded = "web1 is degraded";
	input.window_ns = 5 * SECOND;
	expect(VERDICT_UNKNOWN, "no observer is running");
	assert_int_equal(result.blind_ns, 5 * SECOND);
	assert_int_equal(result.off_set.count, 0);
}

static void test_something_degraded(void **state)
{
	(void)state;
	input.degraded = "the partition of web1 is invalid";
	expect(VERDICT_WARNING, "no violation, yet the partition of web1 is invalid");
}

static void test_a_repair_warns_within_a_window(void **state)
{
	(void)state;
	input.repaired = "web1 had to be repaired 3.0 s ago";
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed; web1 had to be repaired 3.0 s ago");
	input.window_ns = 5 * SECOND;
	expect(VERDICT_WARNING, "no violation, yet web1 had to be repaired 3.0 s ago");
	input.degraded = "web2 is degraded";
	expect(VERDICT_WARNING, "no violation, yet web2 is degraded");
}

static void test_blind_is_unknown_whatever_else(void **state)
{
	(void)state;
	input.degraded = "something";
	input.alive = false;
	expect(VERDICT_UNKNOWN, "blind: " NO_COUNT);
	assert_int_equal(result.blind_ns, 60 * SECOND);
	input.alive = true;
	counters.recursion_misses = 1;
	expect(VERDICT_UNKNOWN, "blind: " SKIPPED);
	assert_int_equal(result.blind_ns, 60 * SECOND);
	counters.recursion_misses = 0;
	input.window_ns = 61 * SECOND;
	expect(VERDICT_UNKNOWN, "blind: " NOT_WHOLE);
	assert_int_equal(result.blind_ns, SECOND);
}

static void test_what_nobody_watches(void **state)
{
	(void)state;
	input.degraded = "web1 is pending";
	input.unwatched = "the observer does not know web1";
	expect(VERDICT_UNKNOWN, "blind: the observer does not know web1");
	assert_int_equal(result.blind_ns, 60 * SECOND);
	counters.total.off_set.count = 1;
	expect(VERDICT_CRITICAL,
		"1 violation: 1 off_set; and blind: the observer does not know web1");
}

/* Its counters went with it. */
static void test_an_earlier_life(void **state)
{
	struct culprit culprit = {.cpu = 4, .time = 95 * SECOND};
	static const char not_known[] =
		"there was a violation on CPU 4 in the window, of a VM that is gone: "
		"whether that was web1 before is not known";

	(void)state;
	counters.culprits = &culprit;
	counters.n_culprits = 1;
	input.only = "web1";
	input.window_ns = 5 * SECOND;
	expect(VERDICT_UNKNOWN, not_known);
	input.window_ns = 5 * SECOND - 1;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
	input.window_ns = 5 * SECOND;
	strcpy(culprit.vm, "web2");
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
}

static void test_gaps_are_told(void **state)
{
	struct vm_tally vm = {.name = "web1"};
	struct reservation reserved = {.cpu = 4, .since = 70 * SECOND};

	(void)state;
	counters.vms = &vm;
	counters.n_vms = 1;
	counters.reserved = &reserved;
	counters.n_reserved = 1;
	counters.events_lost = 12;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed; CPU 4 has been web1's for 50% of it; 12 "
		"events lost, all of them counted");
	reserved.since = 40 * SECOND;
	counters.events_lost = 1;
	counters.total.off_set.count = 1;
	counters.unwritten = 5;
	expect(VERDICT_CRITICAL,
		"1 violation: 1 off_set; 1 event lost, all of them counted; and blind: 5 runs "
		"of threads that have no place in task_counters");
	assert_int_equal(result.blind_ns, 60 * SECOND);
}

static void test_violations_are_counted_out(void **state)
{
	(void)state;
	counters.total.off_set.count = 1;
	expect(VERDICT_CRITICAL, "1 violation: 1 off_set");
	counters.total.foreign[CAUSED_BY_USER].count = 2;
	expect(VERDICT_CRITICAL, "3 violations: 1 off_set, 2 foreign (2 user)");
	counters.total.off_set.count = 0;
	counters.total.foreign[CAUSED_BY_OWN_VM] = (struct tally){1, 77};
	expect(VERDICT_CRITICAL, "3 violations: 3 foreign (2 user, 1 own_vm)");
	assert_int_equal(result.foreign[CAUSED_BY_OWN_VM].ns, 77);
	counters.total.foreign[CAUSED_BY_OTHER_VM].count = 4;
	counters.total.foreign[CAUSED_BY_KTHREAD].count = 5;
	expect(VERDICT_CRITICAL,
		"12 violations: 12 foreign (2 user, 4 other_vm, 1 own_vm, 5 kthread)");
}

static void test_the_largest_numbers_fit(void **state)
{
	(void)state;
	counters.total.off_set.count = UINT64_MAX / 8;
	for (int i = 0; i < CAUSE_COUNT; i++)
		counters.total.foreign[i].count = UINT64_MAX / 8;
	expect(VERDICT_CRITICAL,
		"11529215046068469755 violations: 2305843009213693951 off_set, "
		"9223372036854775804 foreign (2305843009213693951 user, 2305843009213693951 "
		"other_vm, 2305843009213693951 own_vm, 2305843009213693951 kthread)");
}

static void test_the_culprit_is_named(void **state)
{
	(void)state;
	counters.total.foreign[CAUSED_BY_USER].count = 1;
	input.culprit = "stress (pid 77) on CPU 4";
	input.degraded = "something";
	expect(VERDICT_CRITICAL,
		"1 violation: 1 foreign (1 user); the latest: stress (pid 77) on CPU 4");
}

static void test_a_violation_beats_blindness(void **state)
{
	(void)state;
	counters.total.off_set.count = 1;
	input.alive = false;
	expect(VERDICT_CRITICAL, "1 violation: 1 off_set; and blind: " NO_COUNT);
	input.alive = true;
	input.window_ns = 600 * SECOND;
	input.culprit = "x";
	expect(VERDICT_CRITICAL,
		"1 violation: 1 off_set; the latest: x; and blind: " NOT_WHOLE);
	assert_int_equal(result.blind_ns, 540 * SECOND);
}

/* Counters tell what was since the start: none is none, some may have been before the
 * window. */
static void test_a_shorter_window(void **state)
{
	struct culprit culprit = {.cpu = 4, .time = 50 * SECOND};

	(void)state;
	input.window_ns = 10 * SECOND;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
	counters.total.foreign[CAUSED_BY_KTHREAD].count = 2;
	counters.total.settling = (struct tally){7, 70};
	expect(VERDICT_UNKNOWN, "2 violations: 2 foreign (2 kthread)" HISTORY);
	assert_int_equal(result.settling.count, 7);
	assert_false(result.cleared);
	counters.culprits = &culprit;
	counters.n_culprits = 1;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
	assert_true(result.cleared);
	assert_int_equal(result.foreign[CAUSED_BY_KTHREAD].count, 0);
	counters.n_culprits = 0;
	input.window_ns = 60 * SECOND;
	expect(VERDICT_CRITICAL, "2 violations: 2 foreign (2 kthread)");
	assert_false(result.cleared);
}

/* The daemon's history says what was before the window. */
static void test_history(void **state)
{
	struct vm_tally vms[] = {{.name = "web1", .pid = 1}, {.name = "web2", .pid = 2}};
	struct culprit culprit = {.vm = "web2", .time = 89 * SECOND};
	struct past_vm was = {.pid = 1, .counted.off_set = {5, 50}};
	struct past before = {.time = 88 * SECOND,
		.start = 40 * SECOND,
		.switches = 1000,
		.total.off_set = {5, 50},
		.vms = &was,
		.n_vms = 1};
	struct violations counted;

	(void)state;
	counters.vms = vms;
	counters.n_vms = 2;
	vms[0].off_set = counters.total.off_set = (struct tally){5, 50};
	input.window_ns = 10 * SECOND;
	input.before = &before;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 234 switches "
		"examined in 12 s, none missed");
	assert_int_equal(result.window_ns, 12 * SECOND);
	vms[0].off_set = counters.total.off_set = (struct tally){7, 90};
	vms[1].foreign[CAUSED_BY_USER] = (struct tally){4, 4};
	counters.total.foreign[CAUSED_BY_USER] = (struct tally){4, 4};
	expect(VERDICT_CRITICAL, "6 violations: 2 off_set, 4 foreign (4 user)");
	assert_int_equal(result.off_set.ns, 40);
	verdict_of_vm(&input, &result, &vms[0], &counted);
	assert_int_equal(violations_count(&counted), 2);
	input.only = "web1";
	expect(VERDICT_CRITICAL, "2 violations: 2 off_set");
	/* They were after the past, and yet before the window. */
	counters.culprits = &culprit;
	counters.n_culprits = 1;
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 234 switches "
		"examined in 12 s, none missed");
	assert_int_equal(result.window_ns, 10 * SECOND);
	verdict_of_vm(&input, &result, &vms[0], &counted);
	assert_int_equal(violations_count(&counted), 0);
}

/* CPUs remember what was done to VMs that are gone. */
static void test_an_earlier_life_in_history(void **state)
{
	struct vm_tally vms[] = {{.name = "web1", .pid = 5, .since = 95 * SECOND},
		{.name = "db", .pid = 2}};
	struct past before = {
		.time = 88 * SECOND, .start = 40 * SECOND, .switches = 1000};

	(void)state;
	counters.vms = vms;
	counters.n_vms = 2;
	vms[0].started = 95 * SECOND;
	vms[1].off_set = counters.total.off_set = (struct tally){3, 30};
	input.window_ns = 10 * SECOND;
	input.only = "web1";
	input.before = &before;
	verdict_decide(&input, &result);
	assert_int_equal(result.verdict, VERDICT_OK);
	counters.total.foreign[CAUSED_BY_USER] = (struct tally){4, 40};
	expect(VERDICT_UNKNOWN,
		"there were violations in the window of VMs that are gone: whether one was "
		"web1 before is not known");
	/* It was there before the window. */
	vms[0].started = vms[0].since = 85 * SECOND;
	verdict_decide(&input, &result);
	assert_int_equal(result.verdict, VERDICT_OK);
}

/* An entry that lies in the window, or is another observer's, says nothing of what was
 * before it. */
static void test_no_history(void **state)
{
	struct culprit culprit = {.vm = "web2", .time = 95 * SECOND};
	struct past before = {.time = 91 * SECOND, .start = 40 * SECOND};
	struct vm_tally vms[] = {{.name = "web1", .off_set = {7, 90}}};

	(void)state;
	counters.vms = vms;
	counters.n_vms = 1;
	counters.total.off_set = (struct tally){7, 90};
	counters.culprits = &culprit;
	counters.n_culprits = 1;
	input.window_ns = 10 * SECOND;
	input.only = "web1";
	input.before = &before;
	expect(VERDICT_UNKNOWN, "7 violations: 7 off_set" HISTORY);
	before.time = 88 * SECOND;
	expect(VERDICT_CRITICAL, "7 violations: 7 off_set");
	before.start--;
	expect(VERDICT_UNKNOWN, "7 violations: 7 off_set" HISTORY);
}

/* Who violated is known with the time of his latest run: that decides where CPUs do not.
 */
static void test_who_tells(void **state)
{
	struct culprit culprit = {.vm = "web2", .time = 95 * SECOND};
	struct culprit_tally tally = {
		.vm = "web1", .kind = KIND_FOREIGN, .time = 80 * SECOND};
	struct vm_tally vms[] = {{.name = "web1", .off_set = {7, 90}}};

	(void)state;
	counters.vms = vms;
	counters.n_vms = 1;
	counters.culprits = &culprit;
	counters.n_culprits = 1;
	counters.tallies = &tally;
	counters.n_tallies = 1;
	input.window_ns = 10 * SECOND;
	input.only = "web1";
	verdict_decide(&input, &result);
	assert_int_equal(result.verdict, VERDICT_OK);
	tally.kind = KIND_BOUND_KTHREAD;
	tally.time = 95 * SECOND;
	verdict_decide(&input, &result);
	assert_int_equal(result.verdict, VERDICT_OK);
	tally.kind = KIND_OFF_SET;
	expect(VERDICT_CRITICAL, "7 violations: 7 off_set");
	counters.culprits_full = 1;
	expect(VERDICT_UNKNOWN, "7 violations: 7 off_set" HISTORY);
}

/* Counts that were forgotten are no reason to say that there was nothing. */
static void test_counts_forgotten(void **state)
{
	struct culprit culprit = {.vm = "web1", .time = 95 * SECOND};

	(void)state;
	counters.culprits = &culprit;
	counters.n_culprits = 1;
	input.window_ns = 10 * SECOND;
	expect(VERDICT_UNKNOWN,
		"there was a violation in the window; how many there were is not known, "
		"for what was counted before has been forgotten meanwhile");
}

static void test_exceeded(void **state)
{
	(void)state;
	input.exceeded = "a vCPU waits";
	expect(VERDICT_WARNING, "no violation, yet a vCPU waits");
	counters.total.off_set.count = 1;
	expect(VERDICT_CRITICAL, "1 violation: 1 off_set");
}

static void test_one_vm(void **state)
{
	struct vm_tally vms[] = {
		{.name = "web1", .off_set = {1, 10}, .settling = {3, 30}},
		{.name = "web10", .off_set = {50, 500}},
		/* An earlier life of the same name. */
		{.name = "web1", .ended = true, .foreign = {[CAUSED_BY_USER] = {2, 20}}},
		{.name = "db", .off_set = {0, 0}},
	};

	(void)state;
	counters.vms = vms;
	counters.n_vms = N_ELEMENTS(vms);
	counters.total.off_set.count = 51;
	input.only = "web1";
	expect(VERDICT_CRITICAL, "3 violations: 1 off_set, 2 foreign (2 user)");
	assert_int_equal(result.off_set.ns, 10);
	assert_int_equal(result.settling.ns, 30);
	input.only = "db";
	expect(VERDICT_OK,
		"every declared set held and nothing foreign ran: 1234 switches "
		"examined in 60 s, none missed");
}

static void test_words(void **state)
{
	static const char *const words[] = {"ok", "warning", "critical", "unknown"};
	static const char *const heads[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_string_equal(verdict_word((enum verdict)i), words[i]);
		assert_string_equal(verdict_head((enum verdict)i), heads[i]);
	}
	assert_int_equal(VERDICT_UNKNOWN, 3);
}

/* All combinations of what can be: OK is only said when nothing is missing. */
static void test_never_ok_when_blind(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits < 128; bits++) {
		bool blind, violated = bits & 1, degraded = bits & 2;

		enter(NULL);
		counters.total.off_set.count = violated;
		input.degraded = degraded ? "x" : NULL;
		input.alive = !(bits & 4);
		counters.recursion_misses = bits >> 3 & 1;
		input.window_ns = (bits >> 4 & 3) * 40 * SECOND;
		if (bits & 64)
			input.counters = NULL;
		input.absent = "x";
		verdict_decide(&input, &result);
		blind = !input.counters || !input.alive || counters.recursion_misses ||
			input.window_ns > 60 * SECOND;
		assert_true(result.verdict != VERDICT_OK ||
			    (!blind && !violated && !degraded));
		assert_true(result.verdict != VERDICT_WARNING || (!blind && !violated));
		assert_true(result.verdict != VERDICT_CRITICAL || violated);
		assert_true(*result.reason.text);
		if (blind)
			assert_true(result.blind_ns > 0 || !input.counters);
	}
}

#define verdict_test(f) cmocka_unit_test_setup(f, enter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		verdict_test(test_nothing_wrong),
		verdict_test(test_settling_and_interference_are_no_violations),
		verdict_test(test_no_observer),
		verdict_test(test_something_degraded),
		verdict_test(test_a_repair_warns_within_a_window),
		verdict_test(test_blind_is_unknown_whatever_else),
		verdict_test(test_what_nobody_watches),
		verdict_test(test_an_earlier_life),
		verdict_test(test_gaps_are_told),
		verdict_test(test_violations_are_counted_out),
		verdict_test(test_the_largest_numbers_fit),
		verdict_test(test_the_culprit_is_named),
		verdict_test(test_a_violation_beats_blindness),
		verdict_test(test_a_shorter_window),
		verdict_test(test_history),
		verdict_test(test_an_earlier_life_in_history),
		verdict_test(test_no_history),
		verdict_test(test_who_tells),
		verdict_test(test_counts_forgotten),
		verdict_test(test_exceeded),
		verdict_test(test_one_vm),
		verdict_test(test_words),
		verdict_test(test_never_ok_when_blind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
