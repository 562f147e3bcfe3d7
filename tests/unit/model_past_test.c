// SPDX-License-Identifier: GPL-2.0-or-later
/* What was counted since a moment of the past: a difference, but never of different
 * things. */
#include "tests/unit/build_host.h"
#include "user/model/past.h"

static struct vm_tally vms[2];
static struct thread_tally threads[2];
static struct cpu_tally tallies[8];
static struct reservation reserved[1];
static struct counters counters;
static struct past past;

static int enter(void **state)
{
	(void)state;
	memset(vms, 0, sizeof(vms));
	memset(threads, 0, sizeof(threads));
	memset(tallies, 0, sizeof(tallies));
	vms[0] = (struct vm_tally){.name = "web1", .pid = 100, .start_time = 7};
	vms[1] = (struct vm_tally){.name = "web2", .pid = 200, .start_time = 8};
	threads[0] = (struct thread_tally){
		.tid = 101, .class = THREAD_VCPU, .vm = 0, .waits = {5, 2}};
	threads[1] = (struct thread_tally){
		.tid = 100, .class = THREAD_EMULATOR, .vm = 0, .waits = {9}};
	reserved[0] = (struct reservation){.cpu = 4};
	counters = (struct counters){.now = 50,
		.start = 10,
		.vms = vms,
		.n_vms = 2,
		.threads = threads,
		.n_threads = 2,
		.cpus = tallies,
		.n_cpus = 8,
		.reserved = reserved,
		.n_reserved = 1};
	counters.total.switches = 1000;
	past = (struct past){};
	return 0;
}

static int leave(void **state)
{
	(void)state;
	past_deinit(&past);
	return 0;
}

static void violate(size_t vm, uint64_t count)
{
	vms[vm].foreign[CAUSED_BY_USER].count += count;
	vms[vm].foreign[CAUSED_BY_USER].ns += 10 * count;
	counters.total.foreign[CAUSED_BY_USER].count += count;
	counters.total.foreign[CAUSED_BY_USER].ns += 10 * count;
}

static void expect_since(size_t vm, uint64_t count)
{
	struct violations since;

	past_vm_since(&past, &vms[vm], &since);
	assert_int_equal(violations_count(&since), count);
	assert_int_equal(since.foreign[CAUSED_BY_USER].ns, 10 * count);
}

static void test_since(void **state)
{
	struct violations since;

	(void)state;
	violate(0, 3);
	assert_int_equal(past_take(&counters, false, &past), 0);
	/* Of who has none there is nothing to keep. */
	assert_int_equal(past.n_vms, 1);
	expect_since(0, 0);
	violate(0, 2);
	violate(1, 4);
	expect_since(0, 2);
	expect_since(1, 4);
	past_since(&past, &counters, &since);
	assert_int_equal(violations_count(&since), 6);
	past_since(NULL, &counters, &since);
	assert_int_equal(violations_count(&since), 9);
}

/* Forgotten and found again it counts from nothing: none of it is taken for old. */
static void test_counted_anew(void **state)
{
	(void)state;
	violate(0, 5);
	assert_int_equal(past_take(&counters, false, &past), 0);
	vms[0].foreign[CAUSED_BY_USER] = (struct tally){2, 20};
	expect_since(0, 2);
	/* So it does where it has as many again by now. */
	vms[0].foreign[CAUSED_BY_USER] = (struct tally){6, 60};
	vms[0].since = past.time + 1;
	expect_since(0, 6);
	vms[0].since = 0;
	/* A later process of that name is another one. */
	vms[0].foreign[CAUSED_BY_USER] = (struct tally){6, 60};
	vms[0].start_time++;
	expect_since(0, 6);
}

static void test_another_observer(void **state)
{
	(void)state;
	assert_int_equal(past_take(&counters, false, &past), 0);
	assert_true(past_is_of(&past, &counters));
	assert_false(past_is_of(NULL, &counters));
	counters.start++;
	assert_false(past_is_of(&past, &counters));
	counters.start--;
	counters.total.switches--;
	assert_false(past_is_of(&past, &counters));
	counters.total.switches++;
	counters.now = past.time - 1;
	assert_false(past_is_of(&past, &counters));
}

static void test_waits(void **state)
{
	struct thread_tally since;

	(void)state;
	assert_int_equal(past_take(&counters, true, &past), 0);
	assert_int_equal(past.n_waits, 1);
	threads[0].waits[1] += 3;
	since = past_waits_since(&past, &counters, &threads[0]);
	assert_int_equal(since.waits[0], 0);
	assert_int_equal(since.waits[1], 3);
	/* Another thread of that number has waited less, or is another VM's. */
	threads[0].waits[0] = 1;
	since = past_waits_since(&past, &counters, &threads[0]);
	assert_int_equal(since.waits[0], 1);
	assert_int_equal(since.waits[1], 5);
	threads[0].waits[0] = 6;
	threads[0].vm = 1;
	since = past_waits_since(&past, &counters, &threads[0]);
	assert_int_equal(since.waits[0], 6);
}

static void test_taken(void **state)
{
	(void)state;
	tallies[4].bound_kthread.ns = 100;
	tallies[4].interrupts.ns = 10;
	assert_int_equal(past_take(&counters, true, &past), 0);
	tallies[4].softirqs.ns = 5;
	assert_int_equal(past_taken_since(&past, &counters, 4), 5);
	assert_int_equal(past_taken_since(NULL, &counters, 4), 115);
	assert_int_equal(past_taken_since(&past, &counters, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_since, enter, leave),
		cmocka_unit_test_setup_teardown(test_counted_anew, enter, leave),
		cmocka_unit_test_setup_teardown(test_another_observer, enter, leave),
		cmocka_unit_test_setup_teardown(test_waits, enter, leave),
		cmocka_unit_test_setup_teardown(test_taken, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
