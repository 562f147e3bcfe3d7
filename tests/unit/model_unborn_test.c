// SPDX-License-Identifier: GPL-2.0-or-later
/* A VM that is being started: what is prepared for threads that are yet to come. */
#include "tests/unit/expect_plan.h"

static void add_unborn(const char *name, enum thread_class class, int index)
{
	struct vm *vm = find_vm(&host, name);
	struct vm_thread *thread = must(array_push(&vm->threads, &vm->n_threads));

	thread->class = class;
	thread->index = index;
	thread->cgroup = must(strdup(""));
}

/* web2 with its main thread and, to come, two vCPUs and an iothread. */
static void prepare(void)
{
	add_vm(&host, "web2", 0, 0);
	add_unborn("web2", THREAD_VCPU, 0);
	add_unborn("web2", THREAD_VCPU, 1);
	add_unborn("web2", THREAD_IOTHREAD, 1);
	pin_vcpu(&host, "web2", 0, "1");
	pin_vcpu(&host, "web2", 1, "6");
	pin_emulator(&host, "web2", "3");
	compute(&host);
}

static void test_groups_are_there_before(void **state)
{
	const struct desired_vm *vm;
	struct unit unit;

	(void)state;
	prepare();
	vm = wanted(&host, "web2");
	assert_int_equal(vm->kind, DESIRED_PLACED);
	assert_int_equal(vm->n_groups, 4);
	assert_string_equal(vm->groups[3].path, SLICE "/web2/vcpu1");
	assert_int_equal(vm->groups[3].partition, PARTITION_ISOLATED);
	assert_string_equal(vm->groups[vm->thread_groups[2]].path, SLICE "/web2/vcpu1");
	assert_string_equal(
		vm->groups[vm->thread_groups[3]].path, SLICE "/web2/emulator");
	plan_vm(&fake, "web2", &unit);
	for (size_t i = 0; i < unit.n_steps; i++)
		if (unit.steps[i].kind == STEP_MOVE_PROCESS ||
			unit.steps[i].kind == STEP_MOVE_THREAD ||
			unit.steps[i].kind == STEP_SET_AFFINITY)
			assert_int_equal(unit.steps[i].tid, vm->vm->pid);
	unit_deinit(&unit);
}

static void stand_in(const char *path)
{
	struct vm_thread *main_thread = &find_vm(&host, "web2")->threads[0];

	free(main_thread->cgroup);
	main_thread->cgroup = must(strdup(path));
}

static size_t count_moves(void)
{
	struct unit unit;
	size_t n = 0;

	plan_vm(&fake, "web2", &unit);
	for (size_t i = 0; i < unit.n_steps; i++)
		n += unit.steps[i].kind == STEP_MOVE_PROCESS ||
		     unit.steps[i].kind == STEP_MOVE_THREAD;
	unit_deinit(&unit);
	return n;
}

/* Where its maker is a thread is born: until the last is there it is not sent away. */
static void test_who_gives_birth_stays(void **state)
{
	struct vm *vm;

	(void)state;
	prepare();
	stand_in(SLICE "/web2/vcpu1");
	assert_int_equal(count_moves(), 0);
	stand_in(SLICE "/web2");
	assert_int_equal(count_moves(), 1);
	stand_in(SLICE "/web2/vcpu9");
	assert_int_equal(count_moves(), 1);
	stand_in("");
	assert_int_equal(count_moves(), 1);
	vm = find_vm(&host, "web2");
	for (size_t i = 1; i < vm->n_threads; i++)
		vm->threads[i].tid = vm->pid + (pid_t)i;
	stand_in(SLICE "/web2/vcpu1");
	compute(&host);
	assert_int_equal(count_moves(), 4);
}

/* Until then all of its CPUs are the VM's as a whole, and nobody of it is wrong there. */
static void test_rules_wait_for_the_last(void **state)
{
	const struct rule_vm *rules;

	(void)state;
	prepare();
	rules = &wanted(&host, "web2")->rules;
	assert_int_equal(rules->n_threads, 1);
	assert_int_equal(rules->threads[0].tid, find_vm(&host, "web2")->pid);
	expect_cpus(&rules->owned, "1,3,6");
	expect_cpus(&rules->set, "1,3,6");
	expect_cpus(&rules->threads[0].set, "1,3,6");
}

static void test_a_record_has_no_unborn(void **state)
{
	struct found_vm found;

	(void)state;
	prepare();
	assert_int_equal(vm_born(find_vm(&host, "web2")), 1);
	assert_int_equal(found_vm_of(find_vm(&host, "web2"), &found), 0);
	assert_int_equal(found.n_threads, 1);
	found_vm_deinit(&found);
}

#define unborn_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unborn_test(test_groups_are_there_before),
		unborn_test(test_who_gives_birth_stays),
		unborn_test(test_rules_wait_for_the_last),
		unborn_test(test_a_record_has_no_unborn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
