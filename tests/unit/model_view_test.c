// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/build_sample.h"

/* Two readings, 2 s apart, of a host of 8 CPUs with web1 on 2, 3, 6, 7. */
struct pair {
	struct sample before, now;
	struct view view;
};

static void pair_init(struct pair *pair)
{
	memset(pair, 0, sizeof(*pair));
	sample_init(&pair->before, 100, 2, 4);
	sample_init(&pair->now, 102, 2, 4);
	sample_add_vm(&pair->before, "web1", 2, 2);
	sample_add_vm(&pair->now, "web1", 2, 2);
}

static const struct view *look_at(struct pair *pair)
{
	view_deinit(&pair->view);
	pair->view = view_of(&pair->before, &pair->now);
	return &pair->view;
}

static void pair_deinit(struct pair *pair)
{
	view_deinit(&pair->view);
	sample_deinit(&pair->before);
	sample_deinit(&pair->now);
}

static void assert_tally(const struct tally *tally, uint64_t count, uint64_t ns)
{
	assert_int_equal(tally->count, count);
	assert_int_equal(tally->ns, ns);
}

static void test_rates_are_of_the_interval(void **state)
{
	struct tally sum;
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	pair.before.cpus[2].tally.foreign[CAUSED_BY_USER] = (struct tally){10, 1000};
	pair.now.cpus[2].tally.foreign[CAUSED_BY_USER] = (struct tally){15, 4000};
	pair.now.cpus[3].tally.foreign[CAUSED_BY_KTHREAD] = (struct tally){1, 50};
	pair.now.cpus[0].tally.off_set = (struct tally){2, 7};
	pair.before.vms[0].foreign[CAUSED_BY_USER] = (struct tally){10, 1000};
	pair.now.vms[0].foreign[CAUSED_BY_USER] = (struct tally){15, 4000};
	view = look_at(&pair);
	assert_int_equal(view->interval_ns, 2 * SECOND);
	assert_tally(&view->cpus[2].counts.foreign[CAUSED_BY_USER], 5, 3000);
	assert_tally(&view->vms[0].counts.foreign[CAUSED_BY_USER], 5, 3000);
	assert_tally(&view->vms[0].vcpus[0].foreign, 5, 3000);
	assert_tally(&view->vms[0].vcpus[2].foreign, 1, 50);
	assert_tally(&view->total.off_set, 2, 7);
	sum = view_violations(&view->total);
	assert_tally(&sum, 8, 3057);
	assert_int_equal(view->switches, 2000);
	assert_true(view_rate(view, 5) > 2.49 && view_rate(view, 5) < 2.51);
	assert_int_equal(view->observer, OBSERVER_RUNNING);
	pair_deinit(&pair);
}

static void test_the_states_of_cpus(void **state)
{
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	pair.now.cpus[0].online = false;
	pair.now.cpus[1].shared = true;
	pair.now.cpus[2].tally.foreign[CAUSED_BY_OWN_VM].count = 1;
	pair.now.cpus[2].tally.settling.count = 1;
	pair.now.cpus[3].tally.settling.count = 1;
	pair.now.cpus[5].tally.off_set.count = 1;
	pair.now.cpus[4].tally.bound_kthread.count = 1;
	/* Counted before, and not over. */
	sample_add_culprit(&pair.now, "x", 6, "web1", true);
	/* Over. */
	sample_add_culprit(&pair.now, "y", 7, "web1", false);
	view = look_at(&pair);
	assert_int_equal(view->cpus[0].state, CPU_OFFLINE);
	assert_int_equal(view->cpus[1].state, CPU_SHARED);
	assert_int_equal(view->cpus[2].state, CPU_INTRUDED);
	assert_int_equal(view->cpus[3].state, CPU_SETTLING);
	assert_int_equal(view->cpus[4].state, CPU_HOUSEKEEPING);
	assert_int_equal(view->cpus[5].state, CPU_INTRUDED);
	assert_int_equal(view->cpus[6].state, CPU_INTRUDED);
	assert_int_equal(view->cpus[7].state, CPU_RESERVED);
	assert_int_equal(view->n_intruded, 3);
	assert_true(view->vms[0].intruded);
	pair_deinit(&pair);
}

static void test_another_observer_counts_from_zero(void **state)
{
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	pair.before.cpus[2].tally.foreign[CAUSED_BY_USER] = (struct tally){1000, 1000};
	pair.now.cpus[2].tally.foreign[CAUSED_BY_USER] = (struct tally){3, 30};
	pair.before.vms[0].off_set = (struct tally){1000, 1000};
	pair.now.vms[0].off_set = (struct tally){4, 40};
	pair.before.vms[0].vcpus[0].tally.waits[3] = 900;
	pair.now.vms[0].vcpus[0].tally.waits[3] = 1000;
	pair.now.start = pair.now.vms[0].since = 101 * SECOND;
	pair.now.switches = 5;
	view = look_at(&pair);
	assert_tally(&view->cpus[2].counts.foreign[CAUSED_BY_USER], 3, 30);
	assert_tally(&view->vms[0].counts.off_set, 4, 40);
	assert_int_equal(view->switches, 5);
	/* Those of another observer are not to be compared with. */
	assert_int_equal(view->vms[0].waits, 0);
	pair_deinit(&pair);
}

static void test_less_is_none(void **state)
{
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	pair.before.cpus[2].tally.settling = (struct tally){1001, 5 * SECOND};
	pair.now.cpus[2].tally.settling = (struct tally){1000, 4 * SECOND};
	pair.before.vms[0].settling = (struct tally){1001, 5 * SECOND};
	pair.now.vms[0].settling = (struct tally){1000, 4 * SECOND};
	pair.before.vms[0].vcpus[0].tally.run_ns = 9;
	pair.before.vms[0].vcpus[0].tally.waits[1] = 9;
	pair.before.switches = 1000000;
	view = look_at(&pair);
	assert_tally(&view->total.settling, 0, 0);
	assert_tally(&view->vms[0].counts.settling, 0, 0);
	assert_int_equal(view->vms[0].run_permille, 0);
	assert_int_equal(view->vms[0].waits, 0);
	assert_int_equal(view->cpus[2].state, CPU_RESERVED);
	/* Nothing was counted. */
	assert_int_equal(view->switches, 0);
	assert_int_equal(view->observer, OBSERVER_BLIND);
	pair_deinit(&pair);
}

static void test_no_cpu_has_more_time_than_there_was(void **state)
{
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	/* A run that was not seen while it was on. */
	pair.now.cpus[2].tally.foreign[CAUSED_BY_USER] = (struct tally){1, 90 * SECOND};
	pair.now.vms[0].vcpus[1].tally.run_ns = 3 * SECOND;
	view = look_at(&pair);
	assert_tally(&view->total.foreign[CAUSED_BY_USER], 1, 2 * SECOND);
	assert_int_equal(view->vms[0].vcpus[1].run_permille, 1000);
	pair_deinit(&pair);
}

static void test_a_vm_that_is_new(void **state)
{
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	sample_add_vm(&pair.now, "web2", 1, 1)->since = 101 * SECOND;
	pair.now.vms[1].off_set = (struct tally){2, 20};
	pair.now.vms[1].vcpus[0].tally.run_ns = 77 * SECOND;
	sample_add_vm(&pair.now, "web3", 0, 1)->off_set = (struct tally){9, 90};
	view = look_at(&pair);
	assert_tally(&view->vms[1].counts.off_set, 2, 20);
	assert_false(view->vms[1].vcpus[0].known);
	assert_int_equal(view->vms[1].run_permille, 0);
	/* It was observed all the while: what was before is not known. */
	assert_tally(&view->vms[2].counts.off_set, 0, 0);
	assert_true(view->vms[0].vcpus[0].known);
	pair_deinit(&pair);
}

static void test_a_vm_of_the_same_name_is_another(void **state)
{
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	pair.before.vms[0].off_set = (struct tally){100, 100};
	pair.now.vms[0].off_set = (struct tally){101, 101};
	pair.now.vms[0].start_time = 5;
	pair.now.vms[0].since = 101 * SECOND;
	pair.now.vms[0].vcpus[0].tally.run_ns = SECOND;
	view = look_at(&pair);
	assert_tally(&view->vms[0].counts.off_set, 101, 101);
	assert_false(view->vms[0].vcpus[0].known);
	pair_deinit(&pair);
}

static void test_a_vm_that_was_released_and_observed_again(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.before.vms[0].off_set = (struct tally){3, 30};
	pair.now.vms[0].off_set = (struct tally){5, 50};
	pair.now.vms[0].since = 101 * SECOND;
	assert_tally(&look_at(&pair)->vms[0].counts.off_set, 5, 50);
	pair_deinit(&pair);
}

static void test_without_an_earlier_reading_there_are_no_rates(void **state)
{
	struct pair pair;
	struct view view;

	(void)state;
	pair_init(&pair);
	pair.now.cpus[2].tally.foreign[CAUSED_BY_USER].count = 5;
	pair.now.vms[0].off_set.count = 5;
	view = view_of(NULL, &pair.now);
	assert_int_equal(view.interval_ns, 0);
	assert_int_equal(view.cpus[2].state, CPU_RESERVED);
	assert_int_equal(view_violations(&view.vms[0].counts).count, 0);
	assert_true(view_rate(&view, 5) == 0);
	assert_int_equal(view.observer, OBSERVER_RUNNING);
	view_deinit(&view);
	/* Of another boot. */
	pair.before.now = 103 * SECOND;
	assert_int_equal(look_at(&pair)->interval_ns, 0);
	pair_deinit(&pair);
}

static void test_waits_are_of_the_interval(void **state)
{
	struct thread_tally *before, *now;
	struct pair pair;
	const struct view *view;

	(void)state;
	pair_init(&pair);
	before = &pair.before.vms[0].vcpus[1].tally;
	now = &pair.now.vms[0].vcpus[1].tally;
	before->waits[12] = 1000;
	before->wait_ns = 77 * SECOND;
	now->waits[12] = 1000;
	now->waits[2] = 60;
	now->waits[5] = 40;
	now->wait_ns = 77 * SECOND + 100 * 9000;
	now->run_ns = SECOND / 2;
	view = look_at(&pair);
	assert_int_equal(view->vms[0].vcpus[1].waits, 100);
	assert_int_equal(view->vms[0].vcpus[1].mean_ns, 9000);
	assert_int_equal(view->vms[0].vcpus[1].p50_ns, wait_bound(2));
	assert_int_equal(view->vms[0].vcpus[1].p99_ns, wait_bound(5));
	assert_int_equal(view->vms[0].vcpus[1].run_permille, 250);
	assert_int_equal(view->vms[0].p99_ns, wait_bound(5));
	assert_int_equal(view->vms[0].vcpus[0].waits, 0);
	now->waits[WAIT_BUCKETS - 1] = 50;
	view = look_at(&pair);
	assert_int_equal(view->vms[0].vcpus[1].waits, 150);
	assert_int_equal(view->vms[0].vcpus[1].p99_ns, 0);
	pair_deinit(&pair);
}

static void test_interrupts_count_where_they_are_measured(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now.cpus[2].tally.bound_kthread = (struct tally){1, 10};
	pair.now.cpus[2].tally.interrupts = (struct tally){20, 100};
	pair.now.cpus[2].tally.softirqs = (struct tally){300, 1000};
	assert_tally(&look_at(&pair)->vms[0].counts.interference, 1, 10);
	pair.before.measures = true;
	assert_tally(&look_at(&pair)->vms[0].counts.interference, 1, 10);
	pair.before.measures = false;
	pair.now.measures = true;
	assert_tally(&look_at(&pair)->vms[0].counts.interference, 1, 10);
	pair.before.measures = true;
	assert_tally(&look_at(&pair)->vms[0].counts.interference, 321, 1110);
	pair_deinit(&pair);
}

static void test_order(void **state)
{
	struct pair pair;
	const struct view *view;
	size_t order[4];

	(void)state;
	pair_init(&pair);
	sample_add_vm(&pair.before, "web2", 1, 1);
	sample_add_vm(&pair.now, "web2", 1, 1);
	sample_add_vm(&pair.before, "web3", 0, 1);
	sample_add_vm(&pair.now, "web3", 0, 1);
	pair.now.vms[1].off_set = (struct tally){1, 500};
	pair.now.vms[2].off_set = (struct tally){9, 400};
	pair.now.vms[0].vcpus[2].tally.run_ns = SECOND;
	pair.now.vms[0].vcpus[1].tally.waits[3] = 5;
	/* Longer than any bound. */
	pair.now.vms[0].vcpus[3].tally.waits[WAIT_BUCKETS - 1] = 1;
	view = look_at(&pair);
	view_order_vms(view, VIEW_BY_VIOLATIONS, false, order);
	assert_int_equal(order[0] * 100 + order[1] * 10 + order[2], 120);
	view_order_vms(view, VIEW_BY_VIOLATIONS, true, order);
	assert_int_equal(order[0] * 100 + order[1] * 10 + order[2], 21);
	view_order_vms(view, VIEW_BY_NAME, false, order);
	assert_int_equal(order[0] * 100 + order[1] * 10 + order[2], 12);
	view_order_vms(view, VIEW_BY_RUN, true, order);
	assert_int_equal(order[0] * 100 + order[1] * 10 + order[2], 210);
	view_order_vcpus(&view->vms[0], VIEW_BY_WAITS, false, order);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 1);
	view_order_vcpus(&view->vms[0], VIEW_BY_RUN, false, order);
	assert_int_equal(order[0], 2);
	pair_deinit(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates_are_of_the_interval),
		cmocka_unit_test(test_the_states_of_cpus),
		cmocka_unit_test(test_another_observer_counts_from_zero),
		cmocka_unit_test(test_less_is_none),
		cmocka_unit_test(test_no_cpu_has_more_time_than_there_was),
		cmocka_unit_test(test_a_vm_that_is_new),
		cmocka_unit_test(test_a_vm_of_the_same_name_is_another),
		cmocka_unit_test(test_a_vm_that_was_released_and_observed_again),
		cmocka_unit_test(test_without_an_earlier_reading_there_are_no_rates),
		cmocka_unit_test(test_waits_are_of_the_interval),
		cmocka_unit_test(test_interrupts_count_where_they_are_measured),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
