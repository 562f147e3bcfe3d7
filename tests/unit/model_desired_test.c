// SPDX-License-Identifier: GPL-2.0-or-later
/* What policy and facts make: groups, threads in them, rules; and what holds for any of
 * them. */
#include "tests/unit/random_host.h"

#include "tests/unit/one_host.h"

static const struct rule_thread *rule_of(const char *name, pid_t tid)
{
	const struct rule_vm *rules = &wanted(&host, name)->rules;

	for (size_t i = 0; i < rules->n_threads; i++)
		if (rules->threads[i].tid == tid)
			return &rules->threads[i];
	fail_msg("no rule for %d", tid);
	return NULL;
}

static void expect_group_of(const char *name, pid_t tid, const char *path)
{
	const struct desired_vm *vm = wanted(&host, name);

	for (size_t i = 0; i < vm->vm->n_threads; i++)
		if (vm->vm->threads[i].tid == tid) {
			const char *group = vm->groups[vm->thread_groups[i]].path;

			assert_string_equal(group, path);
			assert_true(cpuset_equal(desired_thread_set(vm, i),
				&vm->groups[vm->thread_groups[i]].cpus));
		}
}

static void test_each_thread_has_its_group(void **state)
{
	(void)state;
	add_vm(&host, "web1", 2, 2);
	add_thread(&host, "web1", THREAD_VHOST, 0, 1300);
	add_thread(&host, "web1", THREAD_EMULATOR, 0, 1301);
	pin_iothread(&host, "web1", 2, "6");
	compute(&host);
	expect_group_of("web1", 1000, SLICE "/web1/emulator");
	expect_group_of("web1", 1001, SLICE "/web1/vcpu0");
	expect_group_of("web1", 1002, SLICE "/web1/vcpu1");
	expect_group_of("web1", 1101, SLICE "/web1/emulator");
	expect_group_of("web1", 1102, SLICE "/web1/iothread2");
	expect_group_of("web1", 1300, SLICE "/web1/emulator");
	expect_group_of("web1", 1301, SLICE "/web1/emulator");
}

static void test_partitions_are_for_vcpus(void **state)
{
	const struct desired_vm *vm;

	(void)state;
	add_vm(&host, "web1", 1, 1);
	pin_iothread(&host, "web1", 1, "6");
	wish(&host, "web1")->policy.partition = PARTITION_ROOT;
	compute(&host);
	vm = wanted(&host, "web1");
	assert_int_equal(vm->n_groups, 4);
	assert_int_equal(vm->groups[0].partition, PARTITION_ROOT);
	assert_int_equal(vm->groups[1].partition, PARTITION_MEMBER);
	assert_int_equal(vm->groups[2].partition, PARTITION_ROOT);
	assert_int_equal(vm->groups[3].partition, PARTITION_MEMBER);
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	compute(&host);
	vm = wanted(&host, "web1");
	assert_int_equal(vm->groups[0].partition, PARTITION_ROOT);
	assert_int_equal(vm->groups[2].partition, PARTITION_MEMBER);
}

static void test_released_by_hand_no_pin_holds(void **state)
{
	const struct rule_thread *rule;

	(void)state;
	add_vm(&host, "web1", 1, 0);
	pin_vcpu(&host, "web1", 0, "4");
	pin_emulator(&host, "web1", "2-3");
	host.config.all_released = true;
	compute(&host);
	assert_int_equal(wanted(&host, "web1")->kind, DESIRED_OBSERVED);
	rule = rule_of("web1", 1001);
	assert_true(cpuset_has(&rule->set, 5));
	assert_true(cpuset_has(&wanted(&host, "web1")->rules.set, 5));
}

static void test_a_vcpu_owns_what_it_has_alone(void **state)
{
	(void)state;
	add_vm(&host, "web1", 2, 1);
	pin_vcpu(&host, "web1", 0, "4");
	pin_vcpu(&host, "web1", 1, "5-6");
	pin_emulator(&host, "web1", "2-3");
	pin_iothread(&host, "web1", 1, "3");
	compute(&host);
	assert_true(rule_of("web1", 1001)->owns);
	assert_true(rule_of("web1", 1002)->owns);
	assert_false(rule_of("web1", 1000)->owns);
	assert_false(rule_of("web1", 1101)->owns);
	expect_cpus(&wanted(&host, "web1")->rules.owned, "2-3");
	expect_cpus(&wanted(&host, "web1")->rules.set, "2-3");
	expect_cpus(&rule_of("web1", 1101)->set, "3");
	expect_cpus(&wanted(&host, "web1")->reserved, "2-6");
}

static void test_what_vcpus_share_the_vm_owns(void **state)
{
	(void)state;
	host.config.defaults.partition = PARTITION_MEMBER;
	add_vm(&host, "web1", 3, 0);
	pin_vcpu(&host, "web1", 0, "4-5");
	pin_vcpu(&host, "web1", 1, "5-6");
	pin_vcpu(&host, "web1", 2, "7");
	pin_emulator(&host, "web1", "2");
	compute(&host);
	assert_false(rule_of("web1", 1001)->owns);
	assert_false(rule_of("web1", 1002)->owns);
	assert_true(rule_of("web1", 1003)->owns);
	expect_cpus(&wanted(&host, "web1")->rules.owned, "2,4-6");
}

static void test_policy_observe_lets_run_where_pins_say(void **state)
{
	const struct desired_vm *vm;

	(void)state;
	host.config.defaults.kind = POLICY_OBSERVE;
	add_vm(&host, "web1", 2, 1);
	pin_vcpu(&host, "web1", 1, "5");
	pin_iothread(&host, "web1", 1, "6");
	pin_emulator(&host, "web1", "2-3");
	compute(&host);
	vm = wanted(&host, "web1");
	assert_int_equal(vm->kind, DESIRED_OBSERVED);
	assert_int_equal(vm->n_groups, 0);
	assert_int_equal(vm->rules.n_threads, 4);
	assert_int_equal(cpuset_weight(&rule_of("web1", 1001)->set), CPUSET_CPUS);
	expect_cpus(&rule_of("web1", 1002)->set, "5");
	expect_cpus(&rule_of("web1", 1101)->set, "6");
	expect_cpus(&rule_of("web1", 1000)->set, "2-3");
	expect_cpus(&vm->rules.owned, "");
	assert_false(rule_of("web1", 1002)->owns);
}

static void test_policy_ignore_is_not_there(void **state)
{
	(void)state;
	add_vm(&host, "a", 1, 0);
	add_vm(&host, "b", 1, 0);
	wish(&host, "a")->policy.kind = POLICY_IGNORE;
	compute(&host);
	assert_null(desired_find(&host.desired, "a"));
	assert_int_equal(host.desired.n_vms, 1);
	expect_placed(&host, "b");
}

#define GOLD SLICE "/cpuwarden-gold.slice"

static void expect_member(const char *vm, const char *path, const char *list)
{
	const struct desired_group *group = wanted_group(&host, vm, path);

	if (!group)
		fail_msg("no group %s", path);
	assert_int_equal(group->partition, PARTITION_MEMBER);
	expect_cpus(&group->cpus, list);
}

static void test_policy_shared(void **state)
{
	struct vm_class *gold =
		must(array_push(&host.config.classes, &host.config.n_classes));

	(void)state;
	*gold = (struct vm_class){.name = "gold", .overcommit = OVERCOMMIT_DEFAULT};
	strcpy(host.config.defaults.class, "gold");
	add_vm(&host, "web1", 3, 1);
	wish(&host, "web1")->policy.kind = POLICY_SHARED;
	cpuset_add(&wish(&host, "web1")->policy.dedicated, 2);
	compute(&host);
	expect_placed(&host, "web1");
	assert_int_equal(wanted(&host, "web1")->scheme, SCHEME_CLASS);
	/* Two vCPUs on one CPU, and the third has its own. */
	assert_int_equal(host.desired.n_classes, 1);
	assert_string_equal(host.desired.classes[0].path, GOLD);
	expect_cpus(&host.desired.classes[0].cpus, "1-2");
	expect_member("web1", GOLD "/web1", "1-2");
	expect_member("web1", GOLD "/web1/emulator", "1");
	expect_member("web1", GOLD "/web1/vcpu0", "1");
	expect_member("web1", GOLD "/web1/vcpu2", "2");
	assert_null(wanted_group(&host, "web1", GOLD "/web1/iothread1"));
	expect_cpus(&wanted(&host, "web1")->reserved, "2");
	assert_false(rule_of("web1", 1001)->owns);
	expect_cpus(&rule_of("web1", 1001)->set, "1");
	assert_true(rule_of("web1", 1003)->owns);
	expect_cpus(&wanted(&host, "web1")->rules.owned, "");
}

static void test_rules_carry_the_vms_identity(void **state)
{
	const struct rule_vm *rules;

	(void)state;
	add_vm(&host, "web1", 1, 0);
	compute(&host);
	rules = &wanted(&host, "web1")->rules;
	assert_string_equal(rules->name, "web1");
	assert_int_equal(rules->pid, 1000);
	assert_int_equal(rules->start_time, 10000);
	assert_int_equal(rule_of("web1", 1001)->start_time, 10010);
	assert_int_equal(rule_of("web1", 1001)->index, 0);
}

static uint64_t fingerprint_of_web1(void)
{
	compute(&host);
	return desired_fingerprint(wanted(&host, "web1"));
}

/* By it a repair is told from another wish: each of what is wanted of a group counts. */
static void test_another_wish_has_another_fingerprint(void **state)
{
	struct desired_group *group;
	struct desired_vm *vm;
	uint64_t first;

	(void)state;
	add_vm(&host, "web1", 1, 1);
	first = fingerprint_of_web1();
	assert_int_not_equal(first, 0);
	assert_true(fingerprint_of_web1() == first);
	/* A worker is no wish. */
	add_thread(&host, "web1", THREAD_EMULATOR, 0, 1301);
	assert_true(fingerprint_of_web1() == first);
	pin_iothread(&host, "web1", 1, "6");
	assert_true(fingerprint_of_web1() != first);

	vm = (struct desired_vm *)wanted(&host, "web1");
	first = desired_fingerprint(vm);
	group = &vm->groups[1];
	group->partition++;
	assert_true(desired_fingerprint(vm) != first);
	group->partition--;
	group->floats = !group->floats;
	assert_true(desired_fingerprint(vm) != first);
	group->floats = !group->floats;
	cpuset_add(&group->mems, 1);
	assert_true(desired_fingerprint(vm) != first);
	cpuset_andnot(&group->mems, &group->mems);
	assert_true(desired_fingerprint(vm) == first);
	group->path[strlen(group->path) - 1]++;
	assert_true(desired_fingerprint(vm) != first);
}

static void test_names_that_are_files_of_the_kernel(void **state)
{
	static const struct {
		const char *name, *path;
	} cases[] = {
		{"web1", SLICE "/web1"},
		{"db.prod", SLICE "/db.prod"},
		{"cpuset.cpus", SLICE "/cpuset\\x2ecpus"},
		{"cpu.max.burst", SLICE "/cpu\\x2emax.burst"},
		{"cgroup.procs", SLICE "/cgroup\\x2eprocs"},
		{"memory.", SLICE "/memory\\x2e"},
		{"cpus.max", SLICE "/cpus.max"},
		{"cp.max", SLICE "/cp.max"},
		{"cpu", SLICE "/cpu"},
		{"hugetlb.2MB.max", SLICE "/hugetlb\\x2e2MB.max"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		cleanup_free char *path = vm_group_path(cases[i].name);

		assert_string_equal(path, cases[i].path);
	}
}

/* For any wishes
 * ------------------------------------------------------------------------- */

static void expect_one_owner_each(const struct host *any)
{
	struct cpuset taken = {};

	for (size_t i = 0; i < any->desired.n_vms; i++) {
		const struct desired_vm *vm = &any->desired.vms[i];
		struct cpuset mine = {};

		for (size_t j = 0; j < vm->rules.n_threads; j++) {
			if (!vm->rules.threads[j].owns)
				continue;
			assert_false(cpuset_intersects(&mine, &vm->rules.threads[j].set));
			cpuset_or(&mine, &vm->rules.threads[j].set);
		}
		assert_false(cpuset_intersects(&mine, &vm->rules.owned));
		cpuset_or(&mine, &vm->rules.owned);
		assert_false(cpuset_intersects(&mine, &taken));
		cpuset_or(&taken, &mine);
		assert_true(cpuset_equal(&mine, &vm->reserved));
		if (vm->kind == DESIRED_PLACED && vm->scheme == SCHEME_ROOT)
			assert_true(cpuset_equal(&mine, &vm->groups[0].cpus));
		else if (vm->kind != DESIRED_PLACED)
			assert_true(cpuset_empty(&mine));
	}
	assert_true(cpuset_subset(&taken, &any->topology.online));
	assert_false(cpuset_equal(&taken, &any->topology.online));
	if (any->config.has_housekeeping)
		assert_false(cpuset_intersects(&taken, &any->config.housekeeping));
}

static void expect_groups_and_rules_agree(const struct desired_vm *vm)
{
	struct cpuset sum = {};

	for (size_t i = 1; i < vm->n_groups; i++) {
		assert_false(cpuset_empty(&vm->groups[i].cpus));
		assert_true(path_is_below(vm->groups[i].path, vm->groups[0].path));
		cpuset_or(&sum, &vm->groups[i].cpus);
		for (size_t j = 1; j < vm->n_groups; j++) {
			assert_true(
				i == j || strcmp(vm->groups[i].path, vm->groups[j].path));
			assert_true(i == j ||
				    vm->groups[i].partition == PARTITION_MEMBER ||
				    !cpuset_intersects(
					    &vm->groups[i].cpus, &vm->groups[j].cpus));
		}
	}
	assert_true(cpuset_equal(&sum, &vm->groups[0].cpus));
	assert_int_equal(vm->rules.n_threads, vm->vm->n_threads);
	for (size_t i = 0; i < vm->vm->n_threads; i++) {
		const struct desired_group *group = &vm->groups[vm->thread_groups[i]];

		assert_true(
			vm->thread_groups[i] > 0 && vm->thread_groups[i] < vm->n_groups);
		assert_int_equal(vm->rules.threads[i].tid, vm->vm->threads[i].tid);
		assert_true(cpuset_equal(&vm->rules.threads[i].set, &group->cpus));
		if (vm->vm->threads[i].class == THREAD_VCPU)
			assert_int_equal(group->partition,
				vm->scheme == SCHEME_CLASS ? PARTITION_MEMBER
							   : vm->wish.policy->partition);
		if (i)
			assert_true(
				vm->rules.threads[i].tid > vm->rules.threads[i - 1].tid);
	}
}

static void expect_pins_kept(const struct host *any, const struct desired_vm *vm)
{
	const struct vm_policy *pins = config_find_vm(&any->config, vm->vm->name);

	for (size_t i = 0; pins && i < vm->vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->vm->threads[i];
		unsigned int index = (unsigned int)thread->index;
		const struct cpuset *set = NULL;

		if (thread->class == THREAD_VCPU)
			set = vm_policy_vcpu_pin(pins, index);
		else if (thread->class == THREAD_IOTHREAD)
			set = vm_policy_iothread_pin(pins, index);
		else if (pins->has_emulator_pin)
			set = &pins->emulator_pin;
		if (set)
			assert_true(cpuset_equal(set, desired_thread_set(vm, i)));
	}
}

static void expect_same(const struct desired *a, const struct desired *b)
{
	assert_int_equal(a->n_vms, b->n_vms);
	for (size_t i = 0; i < a->n_vms; i++) {
		const struct desired_vm *x = &a->vms[i], *y = &b->vms[i];

		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->n_groups, y->n_groups);
		assert_true(rule_vm_holds(&x->rules, &y->rules));
		for (size_t j = 0; j < x->n_groups; j++)
			assert_true(cpuset_equal(&x->groups[j].cpus, &y->groups[j].cpus));
	}
}

/* Groups as a plan would make them. */
static void place_all(struct host *any)
{
	for (size_t i = 0; i < any->desired.n_vms; i++)
		for (size_t j = 0; j < any->desired.vms[i].n_groups; j++) {
			const struct desired_group *group =
				&any->desired.vms[i].groups[j];
			cleanup_free char *list = must(cpulist_format(&group->cpus));

			add_group(any, group->path, list, group->partition);
		}
}

static void test_what_holds_for_any_wishes(void **state)
{
	unsigned int n_placed = 0, n_kept = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 3000; seed++) {
		struct dice dice = dice_of(seed);
		struct host any;
		struct desired first;

		random_host(&dice, &any);
		if (rarely(&dice, 3))
			any.topology.online = cpus("0-63");
		random_wishes(&dice, &any, false);
		compute(&any);
		expect_one_owner_each(&any);
		for (size_t i = 0; i < any.desired.n_vms; i++) {
			const struct desired_vm *vm = &any.desired.vms[i];

			n_placed += vm->kind == DESIRED_PLACED;
			n_kept += vm->kind == DESIRED_KEPT;
			assert_int_equal(vm->kind == DESIRED_KEPT, vm->reason != NULL);
			if (vm->kind == DESIRED_PLACED) {
				expect_groups_and_rules_agree(vm);
				expect_pins_kept(&any, vm);
			}
		}
		first = any.desired;
		any.computed = false;
		compute(&any);
		expect_same(&first, &any.desired);
		/* And once all have their places, they keep them. */
		place_all(&any);
		compute(&any);
		expect_same(&first, &any.desired);
		desired_deinit(&first);
		host_deinit(&any);
	}
	assert_true(n_placed > 3000 && n_kept > 300);
}

#define desired_test(f) cmocka_unit_test_setup_teardown(f, enter_host, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		desired_test(test_each_thread_has_its_group),
		desired_test(test_partitions_are_for_vcpus),
		desired_test(test_released_by_hand_no_pin_holds),
		desired_test(test_a_vcpu_owns_what_it_has_alone),
		desired_test(test_what_vcpus_share_the_vm_owns),
		desired_test(test_policy_observe_lets_run_where_pins_say),
		desired_test(test_policy_ignore_is_not_there),
		desired_test(test_policy_shared),
		desired_test(test_rules_carry_the_vms_identity),
		desired_test(test_another_wish_has_another_fingerprint),
		desired_test(test_names_that_are_files_of_the_kernel),
		cmocka_unit_test(test_what_holds_for_any_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
