// SPDX-License-Identifier: GPL-2.0-or-later
/* The guard: whose threads it is for, how far it goes, and when libvirt may all the same.
 */
#include "tests/unit/libvirt_host.h"

static struct host host;

/* web1 is a bare VM, dom1 libvirt's; each has one vCPU. */
static int enter(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0");
	host.tree.remote = true;
	add_vm(&host, "web1", 1, 0);
	add_domain(&host, "dom1", 1, 0);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	host_deinit(&host);
	return 0;
}

static enum guard guard_of(const char *name)
{
	return wanted(&host, name)->rules.guard;
}

static void test_off_by_default(void **state)
{
	(void)state;
	compute(&host);
	expect_placed(&host, "web1");
	assert_int_equal(guard_of("web1"), GUARD_OFF);
	assert_int_equal(guard_of("dom1"), GUARD_OFF);
	assert_false(wanted(&host, "dom1")->rules.libvirt_pins);
	assert_false(config_wants_guard(&host.config));
}

static void test_a_placed_vm_has_what_is_asked_for(void **state)
{
	(void)state;
	wish(&host, "web1")->policy.guard = GUARD_DENY;
	wish(&host, "dom1")->policy.guard = GUARD_LOG;
	compute(&host);
	expect_placed(&host, "web1");
	expect_placed(&host, "dom1");
	assert_int_equal(guard_of("web1"), GUARD_DENY);
	assert_int_equal(guard_of("dom1"), GUARD_LOG);
}

static void test_a_watched_vm_refuses_nothing(void **state)
{
	(void)state;
	host.config.defaults.kind = POLICY_OBSERVE;
	host.config.defaults.guard = GUARD_DENY;
	compute(&host);
	assert_int_equal(wanted(&host, "web1")->kind, DESIRED_OBSERVED);
	assert_int_equal(guard_of("web1"), GUARD_LOG);
	host.config.defaults.guard = GUARD_LOG;
	compute(&host);
	assert_int_equal(guard_of("web1"), GUARD_LOG);
	host.config.defaults.guard = GUARD_OFF;
	compute(&host);
	assert_int_equal(guard_of("web1"), GUARD_OFF);
}

/* Who starts it moves its threads, and QEMU binds some itself. */
static void test_not_before_all_threads_are_there(void **state)
{
	struct vm *vm = find_vm(&host, "web1");
	struct vm_thread *thread = must(array_push(&vm->threads, &vm->n_threads));

	(void)state;
	thread->class = THREAD_VCPU;
	thread->index = 1;
	thread->cgroup = must(strdup(""));
	host.config.defaults.guard = GUARD_DENY;
	compute(&host);
	expect_placed(&host, "web1");
	assert_true(wanted(&host, "web1")->rules.unborn);
	assert_int_equal(guard_of("web1"), GUARD_OFF);
	assert_int_equal(guard_of("dom1"), GUARD_DENY);
}

static void test_libvirt_may_where_no_pin_is_ours(void **state)
{
	(void)state;
	host.config.defaults.guard = GUARD_DENY;
	compute(&host);
	assert_false(wanted(&host, "web1")->rules.libvirt_pins);
	assert_true(wanted(&host, "dom1")->rules.libvirt_pins);
	/* A file without pins takes none from libvirt. */
	wish(&host, "dom1")->policy.smt = SMT_REQUIRE;
	compute(&host);
	assert_true(wanted(&host, "dom1")->rules.libvirt_pins);
}

static void test_any_pin_of_ours_makes_them_ours(void **state)
{
	(void)state;
	host.config.defaults.guard = GUARD_DENY;
	for (int what = 0; what < 3; what++) {
		forget_wishes(&host);
		if (what == 0)
			pin_vcpu(&host, "dom1", 0, "4");
		else if (what == 1)
			pin_emulator(&host, "dom1", "1");
		else
			pin_iothread(&host, "dom1", 1, "1");
		compute(&host);
		assert_int_equal(guard_of("dom1"), GUARD_DENY);
		assert_false(wanted(&host, "dom1")->rules.libvirt_pins);
	}
}

static void test_who_asks_for_one(void **state)
{
	struct pattern *pattern;

	(void)state;
	wish(&host, "web1")->policy.guard = GUARD_LOG;
	assert_true(config_wants_guard(&host.config));
	forget_wishes(&host);
	assert_false(config_wants_guard(&host.config));
	pattern = must(array_push(&host.config.patterns, &host.config.n_patterns));
	snprintf(pattern->glob, sizeof(pattern->glob), "dom*");
	pattern->policy = host.config.defaults;
	pattern->policy.guard = GUARD_DENY;
	pattern->given = POLICY_KEY_GUARD;
	assert_true(config_wants_guard(&host.config));
	compute(&host);
	assert_int_equal(guard_of("dom1"), GUARD_DENY);
	assert_int_equal(guard_of("web1"), GUARD_OFF);
	/* What the section does not have it does not change. */
	host.config.patterns[0].given = POLICY_KEY_SMT;
	compute(&host);
	assert_int_equal(guard_of("dom1"), GUARD_OFF);
	host.config.n_patterns = 0;
	host.config.defaults.guard = GUARD_LOG;
	assert_true(config_wants_guard(&host.config));
}

#define guard_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		guard_test(test_off_by_default),
		guard_test(test_a_placed_vm_has_what_is_asked_for),
		guard_test(test_a_watched_vm_refuses_nothing),
		guard_test(test_not_before_all_threads_are_there),
		guard_test(test_libvirt_may_where_no_pin_is_ours),
		guard_test(test_any_pin_of_ours_makes_them_ours),
		guard_test(test_who_asks_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
