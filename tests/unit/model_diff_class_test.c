// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans for a class and its VMs, word for word: the class's group first, then VMs in it,
 * then what it no longer needs; and all that again on kernels without remote partitions.
 */
#include "tests/unit/expect_plan.h"

#define GOLD S "/cpuwarden-gold.slice"
#define G GOLD "/web1"

static void share(const char *name, const char *class)
{
	struct policy *policy = &wish(&host, name)->policy;

	policy->kind = POLICY_SHARED;
	snprintf(policy->class, sizeof(policy->class), "%s", class);
}

static void give_class(const char *list)
{
	struct vm_class *class = host.config.classes;

	if (!class)
		class = must(array_push(&host.config.classes, &host.config.n_classes));
	*class = (struct vm_class){.name = "gold", .has_cpus = true, .overcommit = 400};
	class->cpus = cpus(list);
}

/* web1 and web2 with two vCPUs each share 4-5. */
static int enter_shared(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0");
	add_vm(&host, "web1", 2, 0);
	add_vm(&host, "web2", 2, 0);
	give_class("4-5");
	share("web1", "gold");
	share("web2", "gold");
	fake_init(&fake, &host);
	settle(&fake);
	compute(&host);
	return 0;
}

static int enter_shared_remote(void **state)
{
	int r = enter_shared(state);

	host.tree.remote = true;
	return r;
}

static void expect_class(const char *expected)
{
	struct unit unit;

	compute(&host);
	assert_int_equal(host.desired.n_classes, 1);
	assert_int_equal(diff_class(&host.desired.classes[0], false, &host.tree,
				 fake.host_record, &unit),
		0);
	expect_steps(&unit, expected);
	run_class_steps(
		&fake, host.desired.classes[0].path, &unit, SIZE_MAX, "the class");
	unit_deinit(&unit);
	assert_int_equal(diff_class(&host.desired.classes[0], false, &host.tree,
				 fake.host_record, &unit),
		0);
	expect_steps(&unit, "");
	unit_deinit(&unit);
}

static void expect_rest(const struct cpuset *needed, const char *expected)
{
	struct unit unit;

	assert_int_equal(diff_class_settle(GOLD + 1, needed, &host.tree, &unit), 0);
	expect_steps(&unit, expected);
	run_class_steps(&fake, GOLD + 1, &unit, SIZE_MAX, "what is left");
	unit_deinit(&unit);
}

static void place_all(void)
{
	bool kept = false;

	compute(&host);
	bring_classes(&fake, NULL, &kept, "placed");
	place("web1");
	place("web2");
	assert_false(kept);
}

static int enter_placed_shared(void **state)
{
	int r = enter_shared(state);

	place_all();
	return r;
}

static int enter_placed_shared_remote(void **state)
{
	int r = enter_shared_remote(state);

	place_all();
	return r;
}

static void test_the_class_comes_first(void **state)
{
	(void)state;
	expect_class("record what the host is like now\n"
		     "enable cpuset below /\n"
		     "make the group " S "\n"
		     "set the exclusive CPUs of " S " to 4-5\n"
		     "enable cpuset below " S "\n"
		     "make the group " GOLD "\n"
		     "set the exclusive CPUs of " GOLD " to 4-5\n"
		     "set the CPUs of " GOLD " to 4-5\n"
		     "set the partition of " GOLD " to root\n"
		     "enable cpuset below " GOLD "\n" AWAY("4-5"));
	expect_plan("web1",
		"record where the threads of web1 are now\n"
		"make the group " G "\n"
		"set the CPUs of " G " to 4-5\n"
		"enable cpuset below " G "\n" BEGIN "make the group " G "/emulator\n"
		"make " G "/emulator threaded\n"
		"set the CPUs of " G "/emulator to 4-5\n"
		"make the group " G "/vcpu0\n"
		"make " G "/vcpu0 threaded\n"
		"set the CPUs of " G "/vcpu0 to 4-5\n"
		"make the group " G "/vcpu1\n"
		"make " G "/vcpu1 threaded\n"
		"set the CPUs of " G "/vcpu1 to 4-5\n"
		"move process 1000 with its threads into " G "/emulator\n"
		"move thread 1001 into " G "/vcpu0, on CPUs 4-5\n"
		"move thread 1002 into " G "/vcpu1, on CPUs 4-5\n" COMMIT);
}

static void test_on_older_kernels_the_slice_is_a_partition(void **state)
{
	(void)state;
	expect_class("record what the host is like now\n"
		     "enable cpuset below /\n"
		     "make the group " S "\n"
		     "set the CPUs of " S " to 4-5\n"
		     "set the partition of " S " to root\n"
		     "enable cpuset below " S "\n"
		     "make the group " GOLD "\n"
		     "set the CPUs of " GOLD " to 4-5\n"
		     "set the partition of " GOLD " to root\n"
		     "enable cpuset below " GOLD "\n" AWAY("4-5"));
	place_all();
	expect_plan("web1", "");
	expect_plan("web2", "");
}

static void test_a_vcpu_gets_a_cpu_of_its_own(void **state)
{
	(void)state;
	cpuset_add(&wish(&host, "web1")->policy.dedicated, 1);
	expect_class("set the exclusive CPUs of " S " to 1,4-5\n"
		     "set the exclusive CPUs of " GOLD " to 1,4-5\n"
		     "set the CPUs of " GOLD " to 1,4-5\n");
	expect_plan("web1", "set the CPUs of " G " to 1,4-5\n" BEGIN "set the CPUs of " G
			    "/vcpu1 to 1\n" COMMIT);
	expect_plan("web2", "");
	expect_rest(&host.desired.classes[0].cpus, "");
}

static void test_what_the_class_loses_its_vms_lose_first(void **state)
{
	struct unit unit;

	(void)state;
	give_class("4,6");
	expect_class("set the exclusive CPUs of " S " to 4-6\n"
		     "set the exclusive CPUs of " GOLD " to 4-6\n"
		     "set the CPUs of " GOLD " to 4-6\n");
	compute(&host);
	plan_vm(&fake, "web1", &unit);
	expect_steps(&unit, "set the CPUs of " G " to 4-6\n" BEGIN "set the CPUs of " G
			    "/emulator to 4,6\n"
			    "set the CPUs of " G "/vcpu0 to 4,6\n"
			    "set the CPUs of " G "/vcpu1 to 4,6\n"
			    "set the CPUs of " G " to 4,6\n" COMMIT);
	run_steps(&fake, &unit, wanted(&host, "web1"), SIZE_MAX, "web1");
	unit_deinit(&unit);
	/* web2 still runs on 5. */
	expect_rest(&host.desired.classes[0].cpus, "");
	place("web2");
	expect_rest(&host.desired.classes[0].cpus,
		"set the CPUs of " GOLD " to 4,6\n"
		"set the exclusive CPUs of " GOLD " to 4,6\n"
		"set the exclusive CPUs of " S " to 4,6\n");
	/* Who was bound to 4-5 may use all of them again. */
	expect_plan("web1", BEGIN "set the affinity of thread 1000 to 4,6\n"
				  "set the affinity of thread 1001 to 4,6\n"
				  "set the affinity of thread 1002 to 4,6\n" COMMIT);
}

static void test_a_class_in_use_that_was_toggled(void **state)
{
	(void)state;
	leaf(GOLD + 1)->partition.kind = PARTITION_MEMBER;
	settle(&fake);
	expect_class("set the partition of " GOLD " to root\n" AWAY("4-5"));
	expect_plan("web1", "");
}

static void test_older_kernels_need_a_cpu_to_spare_for_that(void **state)
{
	struct cpuset needed;

	(void)state;
	leaf(GOLD + 1)->partition.valid = false;
	settle(&fake);
	expect_class("set the partition of " GOLD " to member\n"
		     "set the CPUs of " S " to 4-5,7\n"
		     "set the partition of " GOLD " to root\n" AWAY("4-5"));
	needed = host.desired.classes[0].cpus;
	expect_rest(&needed, "set the CPUs of " S " to 4-5\n");
}

static void test_a_claim_that_somebody_cleared(void **state)
{
	(void)state;
	leaf(S + 1)->exclusive = cpus("");
	settle(&fake);
	expect_class("set the exclusive CPUs of " S " to 4-5\n"
		     "set the partition of " GOLD " to member\n"
		     "set the partition of " GOLD " to root\n" AWAY("4-5"));
}

static void test_a_leaf_is_no_partition(void **state)
{
	(void)state;
	leaf(GOLD "/web2/vcpu0" + 1)->cpus = cpus("5");
	leaf(GOLD "/web2/vcpu0" + 1)->partition.kind = PARTITION_ISOLATED;
	settle(&fake);
	compute(&host);
	bring(&fake, "web2", "mended");
	expect_plan("web2", "");
	assert_int_equal(leaf(GOLD "/web2/vcpu0" + 1)->partition.kind, PARTITION_MEMBER);
}

static void expect_release(const char *name, bool alive, const char *expected)
{
	cleanup_free char *top = top_of(&fake, name);
	const struct vm *vm = find_vm(&host, name);
	struct unit dead = {.pid = vm->pid, .start_time = vm->start_time}, unit;

	snprintf(dead.vm, sizeof(dead.vm), "%s", name);
	assert_int_equal(diff_release(&dead, top, alive, &host.tree, &unit), 0);
	expect_steps(&unit, expected);
	if (alive)
		run_steps(&fake, &unit, NULL, SIZE_MAX, "released");
	unit_deinit(&unit);
}

static void test_release_of_one_leaves_the_other_its_cpus(void **state)
{
	(void)state;
	cpuset_add(&wish(&host, "web1")->policy.dedicated, 1);
	place_all();
	expect_release("web1", true,
		"end the rules of web1\n"
		"return the threads of web1 to where they were found\n"
		"remove the group " G "/vcpu1\n"
		"remove the group " G "/vcpu0\n"
		"remove the group " G "/emulator\n"
		"remove the group " G "\n"
		"set the CPUs of " GOLD " to 4-5\n"
		"set the exclusive CPUs of " GOLD " to 4-5\n"
		"set the exclusive CPUs of " S " to 4-5\n"
		"return the affinities of web1's threads\n" AWAY(
			"4-5") "drop the record\n");
	expect_plan("web2", "");
}

static void test_with_the_last_the_class_goes(void **state)
{
	struct unit unit;

	(void)state;
	plan_release(&fake, "web1", &unit);
	run_steps(&fake, &unit, NULL, SIZE_MAX, "released");
	unit_deinit(&unit);
	expect_release("web2", true,
		"end the rules of web2\n"
		"return the threads of web2 to where they were found\n"
		"remove the group " GOLD "/web2/vcpu1\n"
		"remove the group " GOLD "/web2/vcpu0\n"
		"remove the group " GOLD "/web2/emulator\n"
		"remove the group " GOLD "/web2\n"
		"set the partition of " GOLD " to member\n"
		"remove the group " GOLD "\n"
		"set the exclusive CPUs of " S " to nothing\n"
		"return the affinities of web2's threads\n" AWAY(
			"of nobody") "drop the record\n");
	assert_null(tree_find(&host.tree, GOLD + 1));
}

static void test_an_empty_class_is_removed(void **state)
{
	(void)state;
	compute(&host);
	bring_classes(&fake, NULL, &(bool){false}, "made");
	expect_rest(NULL,
		"set the partition of " GOLD " to member\n"
		"remove the group " GOLD "\n"
		"set the exclusive CPUs of " S " to nothing\n" AWAY("of nobody"));
	expect_rest(NULL, "");
}

static void expect_sick(const char *name, const char *expected)
{
	cleanup_free char *fault = NULL;

	assert_int_equal(health_check(wanted(&host, name), &host.tree, &fault), 0);
	if (expected)
		assert_string_equal(must(fault), expected);
	else
		assert_null(fault);
}

static void test_health_of_a_class_is_its_vms(void **state)
{
	struct group *gold = leaf(GOLD + 1);

	(void)state;
	expect_sick("web1", NULL);
	gold->partition.valid = false;
	snprintf(gold->partition.reason, sizeof(gold->partition.reason), "no CPU");
	expect_sick("web1",
		"the partition of " GOLD " should be root and is: root invalid (no CPU)");
	gold->partition.valid = true;
	gold->effective = cpus("4");
	expect_sick("web2", "the effective CPUs of " GOLD " should be 4-5 and are 4");
	gold->effective = cpus("4-5");
	gold->exclusive = cpus("4");
	expect_sick(
		"web1", "the exclusive CPUs of " GOLD " should include 4-5 and are 4");
	gold->exclusive = cpus("4-5");
	leaf(S + 1)->exclusive = cpus("");
	expect_sick(
		"web1", "the exclusive CPUs of " S " should include 4-5 and are none");
	leaf(S + 1)->exclusive = cpus("4-5");
	host.tree.root_effective = cpus("0-4,6-7");
	expect_sick("web1",
		"CPUs 4 are still open to the whole host, whatever the partition says");
	host.tree.root_effective = cpus("0-3,6-7");
	leaf(G "/vcpu0" + 1)->effective = cpus("5");
	expect_sick("web1", "the effective CPUs of " G "/vcpu0 should be 4-5 and are 5");
	expect_sick("web2", NULL);
}

#define with(enter, f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(enter_shared_remote, test_the_class_comes_first),
		with(enter_shared, test_on_older_kernels_the_slice_is_a_partition),
		with(enter_placed_shared_remote, test_a_vcpu_gets_a_cpu_of_its_own),
		with(enter_placed_shared_remote,
			test_what_the_class_loses_its_vms_lose_first),
		with(enter_placed_shared_remote, test_a_class_in_use_that_was_toggled),
		with(enter_placed_shared,
			test_older_kernels_need_a_cpu_to_spare_for_that),
		with(enter_placed_shared_remote, test_a_claim_that_somebody_cleared),
		with(enter_placed_shared_remote, test_a_leaf_is_no_partition),
		with(enter_placed_shared_remote,
			test_release_of_one_leaves_the_other_its_cpus),
		with(enter_placed_shared_remote, test_with_the_last_the_class_goes),
		with(enter_shared_remote, test_an_empty_class_is_removed),
		with(enter_placed_shared_remote, test_health_of_a_class_is_its_vms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
