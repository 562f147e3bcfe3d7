// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random hosts, wishes, arrivals and departures: whatever is asked for, nobody's CPU is
 * another's, wishes are kept or the VM is refused with a sentence, and who runs stays
 * where he is. CPUWARDEN_SEEDS runs more, CPUWARDEN_SEED one.
 */
#include "tests/unit/claims_checks.h"
#include "tests/unit/random_claims.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 500 };
#else
enum { SEEDS = 10000 };
#endif

enum { ROUNDS = 4 };

static void check_same_vm(const struct desired_vm *a, const struct desired_vm *b)
{
	const char *name = a->vm->name;

	check(a->kind == b->kind, "%s", name);
	check(!a->reason == !b->reason && (!a->reason || !strcmp(a->reason, b->reason)),
		"%s: %s and %s", name, a->reason, b->reason);
	check(a->n_groups == b->n_groups, "%s", name);
	check(cpuset_equal(&a->reserved, &b->reserved), "%s", name);
	for (size_t i = 0; i < a->n_groups; i++) {
		check(!strcmp(a->groups[i].path, b->groups[i].path), "%s", name);
		check(cpuset_equal(&a->groups[i].cpus, &b->groups[i].cpus), "%s",
			a->groups[i].path);
	}
}

static void check_same(const struct desired *a, const struct desired *b)
{
	check(a->n_vms == b->n_vms && a->n_classes == b->n_classes, "counts");
	for (size_t i = 0; i < a->n_vms; i++)
		check_same_vm(&a->vms[i], &b->vms[i]);
	for (size_t i = 0; i < a->n_classes; i++)
		check(!strcmp(a->classes[i].path, b->classes[i].path) &&
				cpuset_equal(&a->classes[i].cpus, &b->classes[i].cpus),
			"%s", a->classes[i].path);
}

/* A VM that asks for the same as when it was placed has the same CPUs of its own; where
 * all are placed anew, it has at least some. */
static unsigned int check_stayed(const struct world *world, bool rebalance)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		const struct desired_vm *vm =
			desired_find(&world->host.desired, world_name(i));
		bool own_file = config_find_vm(&world->host.config, world_name(i));

		if (!vm || !world->placed[i] || world->changed[i] ||
			(world->host_changed && !own_file))
			continue;
		check(is_placed(vm) || world->host_changed, "%s was placed, and now: %s",
			world_name(i), vm->reason);
		for (size_t j = 1; is_placed(vm) && j < vm->n_groups; j++) {
			const struct group *group =
				tree_find(&world->host.tree, vm->groups[j].path);

			check(group, "%s is new", vm->groups[j].path);
			if (rebalance || !is_own_leaf(vm, j))
				continue;
			check(cpuset_equal(&group->cpus, &vm->groups[j].cpus), "%s moves",
				vm->groups[j].path);
			n++;
		}
	}
	return n;
}

/* The CPUs of a class grow where VMs come and shrink where they go. */
static void check_classes_stayed(const struct world *world)
{
	for (size_t i = 0; i < world->host.desired.n_classes; i++) {
		const struct desired_class *class = &world->host.desired.classes[i];
		const struct group *group = tree_find(&world->host.tree, class->path);

		if (!group || world->host_changed || world->rewished || world->kept_any)
			continue;
		check(world->departed || cpuset_subset(&group->cpus, &class->cpus),
			"%s gave something up", class->path);
		check(world->arrived || cpuset_subset(&class->cpus, &group->cpus),
			"%s got more", class->path);
	}
}

static unsigned int count_moved(const struct world *world)
{
	unsigned int n = 0;

	for (size_t i = 0; i < world->host.desired.n_vms; i++) {
		const struct desired_vm *vm = &world->host.desired.vms[i];

		for (size_t j = 1; is_placed(vm) && j < vm->n_groups; j++) {
			const struct group *group =
				tree_find(&world->host.tree, vm->groups[j].path);

			n += group && is_vcpu_leaf(vm, j) && is_own_leaf(vm, j) &&
			     !cpuset_equal(&group->cpus, &vm->groups[j].cpus);
		}
	}
	return n;
}

static bool has_groups(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->tree.n_groups; i++)
		if (is_group_of(host->tree.groups[i]->path, name))
			return true;
	return false;
}

/* Without a new VM that is refused the others get the same. */
static void check_without(const struct world *world, const char *name, bool rebalance)
{
	struct host without = world->host;

	without.computed = false;
	without.vms.items = must(calloc(without.vms.n_items, sizeof(struct vm)));
	without.vms.n_items = 0;
	for (size_t i = 0; i < world->host.vms.n_items; i++)
		if (strcmp(world->host.vms.items[i].name, name))
			without.vms.items[without.vms.n_items++] =
				world->host.vms.items[i];
	compute_asking(&without, rebalance, NULL);
	for (size_t i = 0; i < without.desired.n_vms; i++) {
		const struct desired_vm *now = &without.desired.vms[i];
		const struct desired_vm *with =
			desired_find(&world->host.desired, now->vm->name);

		if (is_placed(with))
			check_same_vm(with, now);
	}
	desired_deinit(&without.desired);
	free(without.vms.items);
}

/* With several, one may have what another then lacks. */
static void check_refused_have_no_influence(const struct world *world, bool rebalance)
{
	size_t n = 0;

	for (size_t i = 0; i < world->host.desired.n_vms; i++)
		n += world->host.desired.vms[i].kind == DESIRED_KEPT;
	if (n != 1)
		return;
	for (size_t i = 0; i < world->host.desired.n_vms; i++) {
		const struct desired_vm *vm = &world->host.desired.vms[i];

		if (vm->kind == DESIRED_KEPT && !has_groups(&world->host, vm->vm->name))
			check_without(world, vm->vm->name, rebalance);
	}
}

static unsigned int n_placed, n_kept, n_in_classes, n_stayed, n_moved, n_spare;

static void count(const struct world *world)
{
	for (size_t i = 0; i < world->host.desired.n_vms; i++) {
		const struct desired_vm *vm = &world->host.desired.vms[i];

		n_placed += vm->kind == DESIRED_PLACED;
		n_kept += vm->kind == DESIRED_KEPT;
		n_in_classes += vm->kind == DESIRED_PLACED && vm->scheme == SCHEME_CLASS;
		n_spare += vm->kind == DESIRED_PLACED && has_spare(vm);
	}
}

static void check_all(struct world *world, bool rebalance)
{
	struct desired first;

	compute_asking(&world->host, rebalance, NULL);
	check_owners(world);
	check_vms(world);
	check_classes(world);
	check_host_keeps_a_cpu(world);
	first = world->host.desired;
	world->host.computed = false;
	compute_asking(&world->host, rebalance, NULL);
	check_same(&first, &world->host.desired);
	desired_deinit(&first);
}

static void run(unsigned long seed)
{
	struct dice dice = dice_of(seed);
	struct world world;

	world_init(&world, &dice);
	for (int round = 0; round < ROUNDS; round++) {
		bool rebalance = rarely(&dice, 5);

		world_change(&world, &dice, round);
		check_all(&world, rebalance);
		n_stayed += check_stayed(&world, rebalance);
		n_moved += rebalance ? count_moved(&world) : 0;
		check_classes_stayed(&world);
		check_refused_have_no_influence(&world, rebalance);
		count(&world);
		carry_out(&world.host);
		world_settled(&world);
	}
	world_deinit(&world);
}

static void test_what_holds_for_any_wishes(void **state)
{
	unsigned long one = from_environment("CPUWARDEN_SEED", 0);
	unsigned long n = one ? one : from_environment("CPUWARDEN_SEEDS", SEEDS);

	(void)state;
	for (unsigned long seed = one ? one : 1; seed <= n; seed++) {
		checked_seed = seed;
		run(seed);
	}
	/* It is not by refusing all, or by never asking, that all is well. */
	if (one)
		return;
	assert_true(n_placed > 2 * n);
	assert_true(n_kept > n / 2);
	assert_true(n_in_classes > n / 4);
	assert_true(n_stayed > n);
	assert_true(n_moved > n / 100);
	assert_true(n_spare > n / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_holds_for_any_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
