// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From any state to what is wanted, and from any state to nothing: thousands of seeds,
 * each a host with VMs that were placed by one policy, cut off at any step, damaged, and
 * are now to be brought to another policy or given back. CPUWARDEN_SEEDS runs more,
 * CPUWARDEN_SEED one.
 */
#include "tests/unit/random_host.h"
#include "user/model/health.h"
#include "user/model/holders.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 200 };
#else
enum { SEEDS = 800 };
#endif

/* Whoever is no longer to be placed gives up its groups, as a cycle does before all else.
 */
static size_t clear(struct fake *fake, const char *what)
{
	size_t steps = 0;

	for (size_t i = 0; i < fake->host->vms.n_items; i++) {
		const char *name = fake->host->vms.items[i].name;
		const struct desired_vm *vm = desired_find(&fake->host->desired, name);
		cleanup_free char *top = top_of(fake, name);
		bool misplaced = vm && vm->kind == DESIRED_PLACED &&
				 strcmp(vm->groups[0].path, top);
		struct unit unit;

		if ((vm && vm->kind != DESIRED_OBSERVED && !misplaced) ||
			!tree_find(&fake->host->tree, top))
			continue;
		plan_release(fake, name, &unit);
		run_steps(fake, &unit, NULL, SIZE_MAX, what);
		steps += unit.n_steps;
		unit_deinit(&unit);
	}
	return steps;
}

/* One pass over all VMs. Returns the number of steps. */
static size_t pass(struct fake *fake, const char *what, bool *ret_kept)
{
	size_t steps;

	compute(fake->host);
	steps = clear(fake, what);
	steps += settle_classes(fake, true, what);
	*ret_kept = false;
	steps += bring_classes(fake, NULL, ret_kept, what);
	for (size_t i = 0; i < fake->host->desired.n_vms; i++) {
		const struct desired_vm *vm = &fake->host->desired.vms[i];

		*ret_kept |= vm->kind == DESIRED_KEPT || is_blocked_vm(fake, vm);
		if (is_blocked_vm(fake, vm))
			continue;
		steps += bring(fake, vm->vm->name, what);
	}
	return steps + settle_classes(fake, false, what);
}

/* A state that somebody may find: placed, or killed at any step, then damaged. */
static void reach_some_state(struct dice *dice, struct fake *fake, const char *what)
{
	size_t limit = roll(dice, 8);
	bool kept;

	random_wishes(dice, fake->host, true);
	compute(fake->host);
	if (fake->host->desired.n_classes && rarely(dice, 8))
		bring_classes(fake, &limit, &kept, what);
	else
		bring_classes(fake, NULL, &kept, what);
	for (size_t i = 0; i < fake->host->desired.n_vms; i++) {
		const struct desired_vm *vm = &fake->host->desired.vms[i];
		bool cut = rarely(dice, 4);
		struct unit unit;

		if (is_blocked_vm(fake, vm))
			continue;
		plan_vm(fake, vm->vm->name, &unit);
		run_steps(fake, &unit, vm,
			cut ? roll(dice, (unsigned int)unit.n_steps + 1) : SIZE_MAX,
			what);
		unit_deinit(&unit);
		if (cut && rarely(dice, 2))
			break;
	}
	if (rarely(dice, 2))
		random_damage(dice, fake);
	if (rarely(dice, 3))
		random_hotplug(dice, fake);
	if (rarely(dice, 2))
		random_wishes(dice, fake->host, false);
}

static void expect_health(struct fake *fake, const char *what)
{
	for (size_t i = 0; i < fake->host->desired.n_vms; i++) {
		const struct desired_vm *vm = &fake->host->desired.vms[i];
		cleanup_free char *reason = NULL;

		if (vm->kind != DESIRED_PLACED || is_blocked_vm(fake, vm))
			continue;
		assert_int_equal(health_check(vm, &fake->host->tree, &reason), 0);
		if (!reason)
			continue;
		print_tree(fake);
		fail_msg("%s: nothing is left to do, yet %s", what, reason);
	}
}

/* The slice has what the VMs have, and nothing else is kept from the host; a VM has one
 * group, and each class one with VMs in it. */
static void expect_no_leftovers(struct fake *fake, const char *what)
{
	const struct tree *tree = &fake->host->tree;
	const struct group *slice = tree_find(tree, SLICE);
	struct cpuset used = holders_other(tree, "");
	bool placed = false;

	for (size_t i = 0; i < fake->host->desired.n_vms; i++) {
		placed |= fake->host->desired.vms[i].kind == DESIRED_PLACED;
		/* Who waits may wait for the damaged. */
		if (is_blocked_vm(fake, &fake->host->desired.vms[i]))
			return;
	}
	for (size_t i = 0; placed && i < tree->n_groups; i++) {
		const char *path = tree->groups[i]->path;
		const struct desired_vm *vm = NULL;

		for (size_t j = 0; j < fake->host->desired.n_vms; j++)
			if (!strcmp(fake->host->desired.vms[j].vm->name,
				    strrchr(path, '/') ? strrchr(path, '/') + 1 : ""))
				vm = &fake->host->desired.vms[j];
		if (is_class_group(path) && !has_below(tree, path))
			fail_msg("%s: no VM is in /%s", what, path);
		if (is_vm_group(path) && vm && vm->kind == DESIRED_PLACED &&
			strcmp(path, vm->groups[0].path))
			fail_msg("%s: /%s is not where its VM is", what, path);
	}
	if (!placed || cpuset_equal(&used, claim_of(fake, slice)))
		return;
	print_tree(fake);
	fail_msg("%s: the slice has CPUs that no VM has", what);
}

/*
 * Two passes do it, a third has nothing to do. A VM that waits for another to give up
 * CPUs needs two of its own then.
 */
static void converge(struct fake *fake, const char *what)
{
	unsigned int passes = 2;
	bool kept;

	for (unsigned int i = 0; pass(fake, what, &kept); i++) {
		if (!i && kept)
			passes += 2;
		if (i < passes)
			continue;
		print_tree(fake);
		fail_msg("%s: something is left to do after %u passes", what, i);
	}
	expect_health(fake, what);
	expect_no_leftovers(fake, what);
}

static void give_back(struct fake *fake, bool cpuset_given, const char *what)
{
	const struct found_host found = {.cpuset_given = cpuset_given};
	struct tree *tree = &fake->host->tree;
	struct unit unit;

	forget_wishes(fake->host);
	fake->host->config.defaults.kind = POLICY_OBSERVE;
	compute(fake->host);
	clear(fake, what);
	settle_classes(fake, false, what);
	assert_int_equal(diff_release_host(&found, false, tree, &unit), 0);
	run_steps(fake, &unit, NULL, SIZE_MAX, what);
	unit_deinit(&unit);
	assert_int_equal(tree->n_groups, 0);
	assert_false(fake->host_record);
	assert_true(cpuset_equal(&tree->root_effective, &fake->host->topology.online));
	assert_int_equal(
		tree->root_gives_cpuset, cpuset_given && tree->root_gives_cpuset);
	for (size_t i = 0; i < fake->host->vms.n_items; i++)
		for (size_t j = 0; j < fake->host->vms.items[i].n_threads; j++) {
			const struct vm_thread *thread =
				&fake->host->vms.items[i].threads[j];

			assert_string_equal(thread->cgroup, HOME);
			assert_true(cpuset_equal(
				&thread->affinity, &fake->host->topology.online));
		}
}

static void run_seed(unsigned long seed, bool back, bool remote)
{
	struct dice dice = dice_of(seed);
	struct fake fake;
	struct host host;
	char what[64];

	snprintf(what, sizeof(what), "seed %lu%s%s", seed, remote ? ", remote" : "",
		back ? ", back" : "");
	random_host(&dice, &host);
	fake_init(&fake, &host);
	fake.forgets_masks = rarely(&dice, 2);
	host.tree.root_gives_cpuset = rarely(&dice, 2);
	host.tree.remote = remote;
	settle(&fake);
	reach_some_state(&dice, &fake, what);
	if (back)
		give_back(&fake, rarely(&dice, 2), what);
	else
		converge(&fake, what);
	fake_deinit(&fake);
	host_deinit(&host);
}

static void run_seeds(bool back, bool remote)
{
	unsigned long first = from_environment("CPUWARDEN_SEED", 0);
	unsigned long n = first ? 1 : from_environment("CPUWARDEN_SEEDS", SEEDS);

	for (unsigned long seed = first ? first : 1; n; seed++, n--)
		run_seed(seed, back, remote);
}

static void test_any_state_converges_without_a_wrong_step(void **state)
{
	(void)state;
	run_seeds(false, false);
}

static void test_any_state_can_be_given_back(void **state)
{
	(void)state;
	run_seeds(true, false);
}

static void test_any_state_of_remote_partitions_converges(void **state)
{
	(void)state;
	run_seeds(false, true);
}

static void test_any_state_of_remote_partitions_can_be_given_back(void **state)
{
	(void)state;
	run_seeds(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_state_converges_without_a_wrong_step),
		cmocka_unit_test(test_any_state_can_be_given_back),
		cmocka_unit_test(test_any_state_of_remote_partitions_converges),
		cmocka_unit_test(test_any_state_of_remote_partitions_can_be_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
