// SPDX-License-Identifier: GPL-2.0-or-later
/* What follows for a VM whose lesser threads came and went is what a look at everything
 * makes of it. */
#include "tests/unit/build_host.h"

#include "tests/unit/one_host.h"

enum { WORKER = 1500 };

/* The VM as it is, to be changed beside the one that desired points to. */
static struct vm copy_of(const char *name)
{
	const struct vm *from = find_vm(&host, name);
	struct vm copy = *from;

	copy.threads = NULL;
	copy.n_threads = 0;
	for (size_t i = 0; i < from->n_threads; i++) {
		struct vm_thread *thread =
			must(array_push(&copy.threads, &copy.n_threads));

		*thread = from->threads[i];
		thread->cgroup = must(strdup(from->threads[i].cgroup));
	}
	return copy;
}

static void end_thread(struct vm *vm, pid_t tid)
{
	for (size_t i = 0; i < vm->n_threads; i++)
		if (vm->threads[i].tid == tid) {
			free(vm->threads[i].cgroup);
			memmove(&vm->threads[i], &vm->threads[i + 1],
				(--vm->n_threads - i) * sizeof(*vm->threads));
			return;
		}
	fail_msg("no thread %d", tid);
}

static void bear_thread(
	struct vm *vm, enum thread_class class, int index, pid_t tid, const char *cgroup)
{
	struct vm_thread *thread =
		must(realloc(vm->threads, (vm->n_threads + 1) * sizeof(*vm->threads)));

	vm->threads = thread;
	thread += vm->n_threads++;
	*thread = (struct vm_thread){.tid = tid,
		.start_time = (uint64_t)tid * 10,
		.class = class,
		.index = index,
		.cgroup = must(strdup(cgroup))};
	qsort(vm->threads, vm->n_threads, sizeof(*vm->threads), compare_tids);
}

static struct desired_vm *desired_of(const char *name)
{
	return (struct desired_vm *)desired_find(&host.desired, name);
}

/* Puts the VM in its place, and compares with what follows from everything. */
static void expect_followed(const char *name, struct vm *now)
{
	struct desired_vm *vm = desired_of(name);
	size_t n = now->n_threads;
	struct rule_thread *rules = must(calloc(n, sizeof(*rules)));
	size_t *groups = vm->thread_groups ? must(calloc(n, sizeof(*groups))) : NULL;
	struct vm *known = find_vm(&host, name);

	assert_int_equal(desired_follow(vm, now), 0);
	assert_int_equal(vm->rules.n_threads, n);
	memcpy(rules, vm->rules.threads, n * sizeof(*rules));
	if (groups)
		memcpy(groups, vm->thread_groups, n * sizeof(*groups));
	vm_deinit(known);
	*known = *now;
	compute(&host);
	vm = desired_of(name);
	assert_int_equal(vm->rules.n_threads, n);
	for (size_t i = 0; i < n; i++) {
		const struct rule_thread *rule = &vm->rules.threads[i];

		if (groups)
			assert_int_equal(groups[i], vm->thread_groups[i]);
		assert_int_equal(rules[i].tid, rule->tid);
		assert_int_equal(rules[i].start_time, rule->start_time);
		assert_int_equal(rules[i].class, rule->class);
		assert_int_equal(rules[i].index, rule->index);
		assert_int_equal(rules[i].owns, rule->owns);
		assert_true(cpuset_equal(&rules[i].set, &rule->set));
	}
	free(rules);
	free(groups);
}

static void expect_more(const char *name, struct vm *now)
{
	struct desired_vm *vm = desired_of(name);
	struct rule_thread *rules = vm->rules.threads;
	size_t n = vm->rules.n_threads;

	assert_int_equal(desired_follow(vm, now), 1);
	assert_ptr_equal(vm->rules.threads, rules);
	assert_int_equal(vm->rules.n_threads, n);
	vm_deinit(now);
}

static void make_web1(void)
{
	add_vm(&host, "web1", 2, 2);
	add_thread(&host, "web1", THREAD_EMULATOR, 0, WORKER);
	pin_iothread(&host, "web1", 2, "6");
	compute(&host);
}

static void test_workers_come_and_go(void **state)
{
	struct vm now;

	(void)state;
	make_web1();
	now = copy_of("web1");
	end_thread(&now, WORKER);
	bear_thread(&now, THREAD_EMULATOR, 0, WORKER + 1, SLICE "/web1/emulator");
	bear_thread(&now, THREAD_VHOST, 0, WORKER + 2, SLICE "/web1/emulator");
	bear_thread(&now, THREAD_EMULATOR, 0, WORKER + 3, SLICE "/web1/vcpu1");
	expect_followed("web1", &now);
}

static void test_an_iothreads_workers_belong_with_it(void **state)
{
	const struct desired_vm *vm;
	struct vm now;

	(void)state;
	make_web1();
	now = copy_of("web1");
	bear_thread(&now, THREAD_EMULATOR, 0, WORKER + 1, SLICE "/web1/iothread2");
	expect_followed("web1", &now);
	vm = desired_of("web1");
	assert_string_equal(vm->groups[vm->thread_groups[vm->vm->n_threads - 1]].path,
		SLICE "/web1/iothread2");
	/* A vhost thread is the emulator's, wherever it is. */
	now = copy_of("web1");
	bear_thread(&now, THREAD_VHOST, 0, WORKER + 2, SLICE "/web1/iothread2");
	expect_followed("web1", &now);
	/* From the same state: the main thread is never a worker. */
	now = copy_of("web1");
	free(now.threads[0].cgroup);
	now.threads[0].cgroup = must(strdup(SLICE "/web1/iothread2"));
	expect_followed("web1", &now);
}

static void test_one_that_is_only_watched(void **state)
{
	struct vm now;

	(void)state;
	add_vm(&host, "web1", 2, 1);
	pin_vcpu(&host, "web1", 0, "4");
	wish(&host, "web1")->policy.kind = POLICY_OBSERVE;
	compute(&host);
	now = copy_of("web1");
	bear_thread(&now, THREAD_EMULATOR, 0, WORKER + 1, HOME);
	expect_followed("web1", &now);
}

static void test_a_vcpu_or_an_iothread_is_more(void **state)
{
	struct vm now;

	(void)state;
	make_web1();
	now = copy_of("web1");
	bear_thread(&now, THREAD_VCPU, 2, WORKER + 1, SLICE "/web1/emulator");
	expect_more("web1", &now);
	now = copy_of("web1");
	bear_thread(&now, THREAD_IOTHREAD, 3, WORKER + 1, SLICE "/web1/emulator");
	expect_more("web1", &now);
	now = copy_of("web1");
	end_thread(&now, 1002);
	expect_more("web1", &now);
	/* Another in its place is the same vCPU. */
	now = copy_of("web1");
	end_thread(&now, 1002);
	bear_thread(&now, THREAD_VCPU, 1, WORKER + 1, SLICE "/web1/emulator");
	expect_followed("web1", &now);
}

#define desired_test(f) cmocka_unit_test_setup_teardown(f, enter_host, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		desired_test(test_workers_come_and_go),
		desired_test(test_an_iothreads_workers_belong_with_it),
		desired_test(test_one_that_is_only_watched),
		desired_test(test_a_vcpu_or_an_iothread_is_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
