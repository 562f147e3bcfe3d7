// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A small `make bench-placement`: the allocator is ahead of other people's rules, or
 * level where a rule gives up something else for it (tests/bench/placement/main.c says
 * what).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/bench/placement/trace.h"

/* LEVEL: ten-thousandths by which equals differ on so few VMs. */
enum { ARRIVALS = 10000, SEED = 1, LEVEL = 75 };

static void expect_level(const struct scene *scene, const struct rule *rule,
	const char *column, unsigned int ours, unsigned int other)
{
	if (ours + LEVEL < other)
		fail_msg("%s, %u %%: %s: %u, but %s has %u", scene->name, scene->load,
			column, ours, rule->name, other);
}

static void expect_ahead(const struct scene *scene, const struct rule *rule,
	const char *column, unsigned int ours, unsigned int other, unsigned int lead)
{
	if (ours < other + lead)
		fail_msg("%s, %u %%: %s: %u is not ahead of %s, which has %u by %u",
			scene->name, scene->load, column, ours, rule->name, other, lead);
}

static void compare(
	const struct scene *scene, const struct outcome *ours, const struct rule *rule)
{
	struct outcome other = trace_run(scene, rule, ARRIVALS, SEED);
	bool full = scene->load >= 100;

	expect_level(scene, rule, "VMs", ours->vms, other.vms);
	expect_level(scene, rule, "vCPUs", ours->vcpus, other.vcpus);
	expect_level(scene, rule, "one node", ours->one_node, other.one_node);
	expect_level(scene, rule, "one cache", ours->one_cache, other.one_cache);
	expect_level(scene, rule, "whole cores", ours->whole_cores, other.whole_cores);
	/* What each gives up. */
	if (!strcmp(rule->name, "kubelet static"))
		expect_ahead(scene, rule, "one node", ours->one_node, other.one_node,
			full ? 900 : 300);
	if (!strcmp(rule->name, "kubelet, full-pcpus-only"))
		expect_ahead(scene, rule, "whole cores", ours->whole_cores,
			other.whole_cores, full ? 400 : 50);
	if (!strcmp(rule->name, "kubelet, best-effort") && full)
		expect_ahead(scene, rule, "one node", ours->one_node, other.one_node, 1);
	if (!strncmp(rule->name, "nova", 4))
		expect_ahead(scene, rule, "whole cores", ours->whole_cores,
			other.whole_cores, full ? 200 : 50);
	if (scene->caches > 1)
		expect_ahead(
			scene, rule, "one cache", ours->one_cache, other.one_cache, 2500);
}

static void test_scenes(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_scenes; i++) {
		struct outcome ours = trace_run(&scenes[i], &rules[0], ARRIVALS, SEED);

		assert_true(ours.vms > 8500);
		for (size_t j = 1; j < n_rules; j++)
			if (rule_serves(&rules[j], &scenes[i]))
				compare(&scenes[i], &ours, &rules[j]);
	}
}

static void test_same_again(void **state)
{
	struct outcome once = trace_run(&scenes[1], &rules[0], 500, 7),
		       again = trace_run(&scenes[1], &rules[0], 500, 7);

	(void)state;
	assert_int_equal(once.vcpus, again.vcpus);
	assert_int_equal(once.one_node, again.one_node);
	assert_int_equal(once.whole_cores, again.whole_cores);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenes),
		cmocka_unit_test(test_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
