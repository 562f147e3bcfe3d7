/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * For tests of single plans: web1 on a host with CPUs 0-7, what a plan is word for word,
 * and that the fake kernel takes it and nothing is left to do then.
 */
#include "tests/unit/fake_classes.h"
#include "user/model/health.h"

#define S "/cpuwarden.slice"
#define W S "/web1"
#define BEGIN "put the rules of web1 in force, runs on old CPUs settling\n"
#define COMMIT "narrow the rules of web1 to the new CPUs\n"
#define AWAY(list) "keep kernel threads that can run elsewhere off CPUs " list "\n"

static struct host host;
static struct fake fake;

/* web1 has the emulator on 2, vCPU 0 on 4, vCPU 1 on 5. */
static inline int enter(void **state)
{
	(void)state;
	host_init(&host, "0-7", "0");
	add_vm(&host, "web1", 2, 0);
	pin_vcpu(&host, "web1", 0, "4");
	pin_vcpu(&host, "web1", 1, "5");
	pin_emulator(&host, "web1", "2");
	fake_init(&fake, &host);
	settle(&fake);
	compute(&host);
	return 0;
}

static inline void place(const char *name)
{
	compute(&host);
	expect_placed(&host, name);
	bring(&fake, name, "placed");
}

static inline int enter_placed(void **state)
{
	int r = enter(state);

	place("web1");
	return r;
}

static inline int leave(void **state)
{
	(void)state;
	fake_deinit(&fake);
	host_deinit(&host);
	return 0;
}

/* What is to be done for the VM, that it can be done, and that it is enough. */
static inline void expect_plan(const char *name, const char *expected)
{
	cleanup_free char *fault = NULL;
	struct unit unit;

	compute(&host);
	plan_vm(&fake, name, &unit);
	expect_steps(&unit, expected);
	run_steps(&fake, &unit, wanted(&host, name), SIZE_MAX, "planned");
	unit_deinit(&unit);
	compute(&host);
	plan_vm(&fake, name, &unit);
	expect_steps(&unit, "");
	unit_deinit(&unit);
	if (wanted(&host, name)->kind != DESIRED_PLACED)
		return;
	assert_int_equal(health_check(wanted(&host, name), &host.tree, &fault), 0);
	assert_null(fault);
}

static inline struct group *leaf(const char *path)
{
	return must(tree_find(&host.tree, path));
}

static inline void make_wrong(const char *path, const char *list)
{
	struct fake_damage *to = &fake.damage[fake.n_damage++];

	snprintf(to->path, sizeof(to->path), "%s", path);
	to->effective = cpus(list);
	settle(&fake);
}

#define fresh(f) cmocka_unit_test_setup_teardown(f, enter, leave)
#define placed(f) cmocka_unit_test_setup_teardown(f, enter_placed, leave)
