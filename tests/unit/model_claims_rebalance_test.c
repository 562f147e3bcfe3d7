// SPDX-License-Identifier: GPL-2.0-or-later
/* All VMs anew, on demand; and the choice in sentences. */
#include "tests/unit/hosts.h"
#include "tests/unit/settled_host.h"

#include "tests/unit/one_host.h"

/*
 * Two nodes of four cores, no SMT: CPUs 0-3 and 4-7. Policy does not choose 0 and 4, so
 * that each node has room for three CPUs.
 */
static int enter(void **state)
{
	enter_host(state);
	host.topology = topology_build(1, 2, 1, 4, 1, THREADS_LAST);
	return 0;
}

/* A VM that runs: its emulator and its vCPU on these CPUs. */
static void add_running(const char *name, const char *emulator, const char *vcpu)
{
	struct cpuset both = cpus(emulator), one = cpus(vcpu);
	char path[64];
	struct vm *vm;

	add_vm(&host, name, 1, 0);
	cpuset_or(&both, &one);
	snprintf(path, sizeof(path), SLICE "/%s", name);
	put_group(&host, path, &both, PARTITION_ROOT);
	snprintf(path, sizeof(path), SLICE "/%s/emulator", name);
	add_group(&host, path, emulator, PARTITION_MEMBER);
	snprintf(path, sizeof(path), SLICE "/%s/vcpu0", name);
	add_group(&host, path, vcpu, PARTITION_ISOLATED);
	vm = find_vm(&host, name);
	for (size_t i = 0; i < vm->n_threads; i++) {
		vm->threads[i].affinity = cpus(i ? vcpu : emulator);
		free(vm->threads[i].cgroup);
		vm->threads[i].cgroup = must(strdup(path));
	}
	settle_root(&host);
}

static void rebalance(void)
{
	compute_asking(&host, true, NULL);
}

static void test_a_vm_in_two_nodes_comes_together(void **state)
{
	(void)state;
	add_running("a", "1", "6");
	compute(&host);
	expect_leaf(&host, "a", "", "1,6");
	rebalance();
	expect_leaf(&host, "a", "", "1-2");
	carry_out(&host);
	rebalance();
	expect_leaf(&host, "a", "", "1-2");
	compute(&host);
	expect_leaf(&host, "a", "", "1-2");
}

static void test_nothing_moves_where_nothing_is_gained(void **state)
{
	(void)state;
	add_running("a", "7", "6");
	add_running("b", "2", "3");
	rebalance();
	expect_leaf(&host, "a", "emulator", "7");
	expect_leaf(&host, "a", "vcpu0", "6");
	expect_leaf(&host, "b", "emulator", "2");
	expect_leaf(&host, "b", "vcpu0", "3");
}

static void test_what_is_pinned_stays(void **state)
{
	(void)state;
	add_running("a", "1", "6");
	pin_vcpu(&host, "a", 0, "6");
	rebalance();
	expect_leaf(&host, "a", "vcpu0", "6");
	expect_leaf(&host, "a", "emulator", "5");
	pin_emulator(&host, "a", "1");
	rebalance();
	expect_leaf(&host, "a", "", "1,6");
}

/* Where b is to be a is yet, and goes first. */
static void test_only_where_nobody_is_and_the_rest_later(void **state)
{
	unsigned int turns = 0;

	(void)state;
	add_running("a", "3", "7");
	add_running("b", "1", "6");
	rebalance();
	expect_leaf(&host, "a", "", "3,7");
	expect_leaf(&host, "b", "", "5-6");
	for (; turns < 4; turns++) {
		struct cpuset both = wanted(&host, "a")->reserved;

		cpuset_and(&both, &wanted(&host, "b")->reserved);
		assert_true(cpuset_empty(&both));
		carry_out(&host);
		rebalance();
	}
	/* It has come to an end, and each is in a node. */
	expect_leaf(&host, "a", "", "1-2");
	expect_leaf(&host, "b", "", "5-6");
	carry_out(&host);
	rebalance();
	expect_leaf(&host, "a", "", "1-2");
	expect_leaf(&host, "b", "", "5-6");
}

/* All CPUs that may be given are taken: there is nowhere to go first. */
static void test_two_that_want_each_others_stay(void **state)
{
	(void)state;
	host.config.has_reserved = true;
	host.config.reserved = cpus("1-2,5-6");
	add_running("a", "1", "5");
	add_running("b", "2", "6");
	rebalance();
	expect_leaf(&host, "a", "", "1,5");
	expect_leaf(&host, "b", "", "2,6");
}

static void test_a_new_vm_beside_those_that_move(void **state)
{
	(void)state;
	add_running("b", "1", "6");
	add_vm(&host, "a", 2, 0);
	pin_vcpu(&host, "a", 0, "2");
	rebalance();
	/* b goes first, also before the pin of a new one. */
	expect_leaf(&host, "b", "", "1-2");
	expect_kept(&host, "a", "CPU 2 is reserved by VM b");
	wish(&host, "a")->n_vcpu_pins = 0;
	rebalance();
	expect_leaf(&host, "b", "", "1-2");
	expect_leaf(&host, "a", "", "3,5,7");
}

/* Idle siblings are kept by one that stays, and left by one that goes. */
static void test_idle_siblings(void **state)
{
	(void)state;
	host.topology = topology_build(1, 2, 1, 4, 2, THREADS_FIRST);
	host.tree.root_effective = host.topology.online;
	host.config.defaults.smt = SMT_ISOLATE;
	add_vm(&host, "a", 1, 0);
	compute(&host);
	carry_out(&host);
	expect_leaf(&host, "a", "", "2-4");
	rebalance();
	expect_leaf(&host, "a", "", "2-4");
	keep_house(&host, "0-1,3");
	rebalance();
	expect_placed(&host, "a");
	assert_false(cpuset_has(&wanted(&host, "a")->reserved, 3));
}

/* Explanations --------------------------------------------------------------------------
 */

static void expect_line(const char *expected)
{
	const struct explanation *explanation = &host.desired.explanation;

	for (size_t i = 0; i < explanation->n_lines; i++)
		if (!strcmp(explanation->lines[i], expected))
			return;
	for (size_t i = 0; i < explanation->n_lines; i++)
		print_message("%s\n", explanation->lines[i]);
	fail_msg("no line: %s", expected);
}

static void explain(const char *name)
{
	compute_asking(&host, false, name);
}

static void test_each_kind_of_set_is_explained(void **state)
{
	(void)state;
	host.tree.remote = true;
	add_running("a", "1", "2");
	add_vm(&host, "b", 2, 0);
	pin_vcpu(&host, "b", 1, "6-7");
	wish(&host, "b")->policy.emulator = PLACE_HOUSEKEEPING;
	add_vm(&host, "c", 1, 0);
	wish(&host, "c")->policy.kind = POLICY_SHARED;
	explain("a");
	expect_line("the emulator: CPU 1, as it has already");
	expect_line("vCPU 0: CPU 2, as it has already");
	explain("b");
	expect_line("the emulator: CPUs 0,4, housekeeping");
	expect_line("vCPU 0 on core 5 (CPU 5)");
	expect_line("vCPU 1: CPUs 6-7, pinned");
	explain("c");
	expect_line("vCPU 0: CPU 3, which its class shares");
	explain("nobody");
	assert_int_equal(host.desired.explanation.n_lines, 0);
	compute(&host);
	assert_int_equal(host.desired.explanation.n_lines, 0);
}

/* Also of one that was refused only when the others had been looked at. */
static void test_a_refusal_is_explained(void **state)
{
	bool says_why = false;

	(void)state;
	add_vm(&host, "a", 4, 0);
	pin_vcpu(&host, "a", 0, "1");
	wish(&host, "a")->policy.numa = NUMA_SINGLE;
	explain("a");
	assert_int_equal(wanted(&host, "a")->kind, DESIRED_KEPT);
	expect_line("vCPU 0: CPU 1, pinned");
	for (size_t i = 0; i < host.desired.explanation.n_lines; i++)
		says_why |= !strncmp(host.desired.explanation.lines[i], "node 0: ", 8);
	assert_true(says_why);
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_a_vm_in_two_nodes_comes_together),
		claims_test(test_nothing_moves_where_nothing_is_gained),
		claims_test(test_what_is_pinned_stays),
		claims_test(test_only_where_nobody_is_and_the_rest_later),
		claims_test(test_two_that_want_each_others_stay),
		claims_test(test_a_new_vm_beside_those_that_move),
		claims_test(test_idle_siblings),
		claims_test(test_each_kind_of_set_is_explained),
		claims_test(test_a_refusal_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
