// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/cpu_lists.h"
#include "user/model/pin_check.h"

static void expect(const char *reason, const char *expected)
{
	if (!expected)
		assert_null(reason);
	else
		assert_string_equal(reason, expected);
}

static void test_who_has_reserved_a_cpu(void **state)
{
	static const struct {
		const char *vm, *list, *reason;
	} rows[] = {
		{"d", "0", NULL},
		{"a", "0", "CPU 0 is reserved by class batch"},
		{"new", "0-1", "CPU 0 is reserved by class batch"},
		{"a", "2", NULL},
		{"a", "1-3", NULL},
		{"a", "4", "CPU 4 is reserved by VM b"},
		{"a", "1-5", "CPU 4 is reserved by VM b"},
		{"a", "6-7", "CPU 6 is reserved by VM c"},
		{"b", "4-5", NULL},
		{"b", "2", "CPU 2 is reserved by VM a"},
		{"new", "5", "CPU 5 is reserved by VM b"},
	};
	static const struct vm facts[] = {{.name = "a"}, {.name = "b"}, {.name = "c"},
		{.name = "d"}, {.name = "e"}};
	const struct policy shared = {.kind = POLICY_SHARED, .class = "batch"};
	const struct policy dedicated = {.kind = POLICY_DEDICATED, .class = "batch"};
	struct desired_class class = {"cpuwarden.slice/cpuwarden-batch.slice", cpus("0")};
	struct desired_vm vms[] = {
		{.vm = &facts[0], .wish.policy = &dedicated, .reserved = cpus("2-3")},
		{.vm = &facts[1], .wish.policy = &dedicated, .reserved = cpus("4-5")},
		{.vm = &facts[2], .wish.policy = &dedicated, .reserved = cpus("6")},
		{.vm = &facts[3], .wish.policy = &shared},
		{.vm = &facts[4], .wish.policy = &shared}};
	const struct desired desired = {
		.vms = vms, .n_vms = 5, .classes = &class, .n_classes = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cpuset set = cpus(rows[i].list);
		cleanup_free char *reason = NULL;

		assert_int_equal(
			pin_check_reserved(&desired, rows[i].vm,
				*rows[i].vm == 'd' ? &shared : &dedicated, &set, &reason),
			0);
		expect(reason, rows[i].reason);
	}
}

/* VMs `mine`, whose pins are the ones that are asked about, and `other`. */
struct configured {
	struct pin mine[2], other[2];
	struct vm_policy vms[2];
	struct config config;
};

static void init(struct configured *it, const char *vcpu0, const char *vcpu1)
{
	memset(it, 0, sizeof(*it));
	it->mine[0] = (struct pin){0, cpus(vcpu0)};
	it->mine[1] = (struct pin){1, cpus(vcpu1)};
	it->other[0] = (struct pin){0, cpus("4")};
	it->other[1] = (struct pin){3, cpus("5")};
	for (int i = 0; i < 2; i++) {
		it->vms[i].policy.kind = POLICY_DEDICATED;
		it->vms[i].policy.partition = PARTITION_ISOLATED;
		it->vms[i].vcpu_pins = i ? it->other : it->mine;
		it->vms[i].n_vcpu_pins = 2;
	}
	strcpy(it->vms[0].name, "mine");
	strcpy(it->vms[1].name, "other");
	it->vms[0].has_emulator_pin = true;
	it->vms[0].emulator_pin = cpus("0-5");
	it->config = (struct config){.has_housekeeping = true,
		.housekeeping = cpus("0"),
		.vms = it->vms,
		.n_vms = 2};
}

static void check(const struct configured *it, enum thread_class class,
	unsigned int index, const char *expected)
{
	cleanup_free char *reason = NULL;

	assert_int_equal(
		pin_check_configured(&it->config, "mine", class, index, &reason), 0);
	expect(reason, expected);
}

static void test_what_a_start_would_run_into(void **state)
{
	struct configured it;

	(void)state;
	init(&it, "2", "3");
	check(&it, THREAD_VCPU, 0, NULL);
	check(&it, THREAD_VCPU, 7, NULL);
	check(&it, THREAD_IOTHREAD, 0, NULL);
	/* libvirt's emulator may be on housekeeping and on its own vCPUs, not on others'.
	 */
	check(&it, THREAD_EMULATOR, 0, "CPU 4 is pinned to vCPU 0 of VM other");
	it.vms[0].emulator_pin = cpus("0-3");
	check(&it, THREAD_EMULATOR, 0, NULL);

	init(&it, "2", "3-5");
	check(&it, THREAD_VCPU, 0, NULL);
	check(&it, THREAD_VCPU, 1, "CPU 4 is pinned to vCPU 0 of VM other");
	init(&it, "2", "5");
	check(&it, THREAD_VCPU, 1, "CPU 5 is pinned to vCPU 3 of VM other");
	init(&it, "0-1", "2");
	check(&it, THREAD_VCPU, 0, "CPU 0, pinned to vCPU 0, is a housekeeping CPU");
	it.config.has_housekeeping = false;
	check(&it, THREAD_VCPU, 0, NULL);
	init(&it, "2", "2-3");
	check(&it, THREAD_VCPU, 0, "CPU 2 is pinned to vCPU 1");
	check(&it, THREAD_VCPU, 1, "CPU 2 is pinned to vCPU 0");
}

/* Those that are only watched may share, and so may vCPUs without partitions. */
static void test_who_need_not_be_alone(void **state)
{
	struct configured it;

	(void)state;
	init(&it, "4", "4");
	it.vms[0].policy.kind = POLICY_OBSERVE;
	check(&it, THREAD_VCPU, 0, NULL);
	init(&it, "4", "2");
	it.vms[1].policy.kind = POLICY_OBSERVE;
	check(&it, THREAD_VCPU, 0, NULL);
	init(&it, "2", "2");
	it.vms[0].policy.partition = PARTITION_MEMBER;
	check(&it, THREAD_VCPU, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_reserved_a_cpu),
		cmocka_unit_test(test_what_a_start_would_run_into),
		cmocka_unit_test(test_who_need_not_be_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
