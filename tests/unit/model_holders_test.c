// SPDX-License-Identifier: GPL-2.0-or-later
/* Who holds which CPUs: what counts, and that counting once tells the same as asking all.
 */
#include "tests/unit/random_host.h"
#include "user/model/holders.h"

#include "tests/unit/one_host.h"

#define GOLD SLICE "/cpuwarden-gold.slice"

static int enter(void **state)
{
	(void)state;
	host_init(&host, "0-15", "0");
	host.tree.remote = true;
	add_group(&host, SLICE, "", PARTITION_MEMBER)->exclusive = cpus("2-9");
	add_group(&host, SLICE "/web1", "2-3", PARTITION_ROOT)->exclusive = cpus("2-3");
	add_group(&host, SLICE "/web1/vcpu0", "3", PARTITION_ISOLATED);
	add_group(&host, GOLD, "4-5", PARTITION_ROOT)->exclusive = cpus("4-5");
	add_group(&host, GOLD "/web2", "4", PARTITION_MEMBER);
	add_group(&host, SLICE "/web3", "0-1,6", PARTITION_MEMBER)->exclusive = cpus("6");
	add_group(&host, "machine.slice/vm/libvirt", "", PARTITION_MEMBER);
	add_group(&host, "machine.slice/vm/libvirt/vcpu0", "8", PARTITION_ISOLATED);
	return 0;
}

static void expect_other(const char *except, const char *ours, const char *all)
{
	struct cpuset cpus = holders_other(&host.tree, except);

	expect_cpus(&cpus, ours);
	cpus = holders_all_other(&host.tree, except);
	expect_cpus(&cpus, all);
}

static void expect_all(void)
{
	expect_other("", "2-6", "2-6,8");
	expect_other(SLICE "/web1", "4-6", "4-6,8");
	expect_other(GOLD, "2-3,6", "2-3,6,8");
	/* What a class has, its VMs do not take from it. */
	expect_other(GOLD "/web2", "2-6", "2-6,8");
	/* The host's CPUs that a member may run on are not held. */
	expect_other(SLICE "/web3", "2-5", "2-5,8");
	expect_other("machine.slice/vm/libvirt", "2-6", "2-6");
}

static void test_what_counts(void **state)
{
	(void)state;
	expect_all();
	assert_int_equal(holders_count(&host.tree), 0);
	expect_all();
	/* Asking has changed nothing. */
	expect_all();
}

static void test_a_leaf_whose_claim_above_is_gone_still_holds(void **state)
{
	(void)state;
	add_group(&host, SLICE "/web3/vcpu0", "6", PARTITION_ISOLATED);
	tree_find(&host.tree, SLICE "/web3")->exclusive = cpus("");
	expect_other("", "2-6", "2-6,8");
	tree_find(&host.tree, SLICE "/web3/vcpu0")->effective = cpus("3");
	expect_other("", "2-5", "2-5,8");
}

static void test_on_older_kernels_all_that_is_set_counts(void **state)
{
	(void)state;
	host.tree.remote = false;
	expect_other("", "0-6", "0-6,8");
}

/* After any steps, counts that were kept are those of a new count, and of no count. */
static void test_counts_are_kept(void **state)
{
	static const char *const paths[] = {SLICE "/web1", SLICE "/web1/vcpu0", GOLD,
		GOLD "/web2", SLICE "/web3", SLICE "/new",
		"machine.slice/vm/libvirt/vcpu0"};
	static const enum step_kind kinds[] = {STEP_MAKE_GROUP, STEP_REMOVE_GROUP,
		STEP_SET_CPUS, STEP_SET_EXCLUSIVE, STEP_SET_PARTITION};
	struct dice dice = dice_of(1);

	(void)state;
	assert_int_equal(holders_count(&host.tree), 0);
	for (int i = 0; i < 3000; i++) {
		const char *path = paths[roll(&dice, N_ELEMENTS(paths))];
		struct holders *kept;
		struct unit unit = {};
		struct step *step = must(unit_add(
			&unit, kinds[roll(&dice, N_ELEMENTS(kinds))], path, NULL));
		struct cpuset counted, asked;

		step->cpus = some_cpus(&dice, &host.topology.online);
		step->partition = (enum partition)roll(&dice, 3);
		assert_int_equal(diff_assume(&host.tree, &unit), 0);
		unit_deinit(&unit);
		path = paths[roll(&dice, N_ELEMENTS(paths))];
		counted = holders_all_other(&host.tree, path);
		kept = host.tree.holders;
		host.tree.holders = NULL;
		asked = holders_all_other(&host.tree, path);
		host.tree.holders = kept;
		assert_true(cpuset_equal(&counted, &asked));
	}
}

#define test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_what_counts),
		test(test_a_leaf_whose_claim_above_is_gone_still_holds),
		test(test_on_older_kernels_all_that_is_set_counts),
		test(test_counts_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
