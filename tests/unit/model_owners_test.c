// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose a CPU is: by the observer's rules, and by partitions where nobody observes. */
#include "tests/unit/build_host.h"
#include "user/model/owners.h"

/* vcpu -1: the VM as a whole; vm NULL: nobody. */
static void expect_owner(
	const struct owners *owners, unsigned int cpu, const char *vm, int vcpu)
{
	const struct owner *owner = owners_find(owners, cpu);

	assert_int_equal(cpuset_has(&owners->reserved, cpu), vm != NULL);
	if (!vm) {
		assert_null(owner);
		return;
	}
	assert_non_null(owner);
	assert_string_equal(owner->vm, vm);
	assert_int_equal(owner->vcpu, vcpu);
}

static void test_rules_tell_vcpus_from_the_vm(void **state)
{
	struct rule_thread threads[] = {
		{.tid = 100, .class = THREAD_EMULATOR, .set = cpus("2-3")},
		{.tid = 101, .class = THREAD_VCPU, .set = cpus("4"), .owns = true},
		{.tid = 102,
			.class = THREAD_VCPU,
			.index = 1,
			.set = cpus("5,7"),
			.owns = true},
		{.tid = 103, .class = THREAD_VCPU, .index = 2, .set = cpus("0-1")},
	};
	struct rule_vm web1 = {.name = "web1",
		.owned = cpus("2-3"),
		.threads = threads,
		.n_threads = N_ELEMENTS(threads)};
	struct rule_vm idle = {.name = "idle"};
	struct rule_vm last = {.name = "web2", .owned = cpus("8191")};
	struct owners owners = {};
	struct cpuset of_vm;

	(void)state;
	expect_owner(&owners, 2, NULL, 0);
	assert_int_equal(owners_add_rules(&owners, &web1), 0);
	assert_int_equal(owners_add_rules(&owners, &idle), 0);
	assert_int_equal(owners_add_rules(&owners, &last), 0);
	expect_owner(&owners, 0, NULL, 0);
	expect_owner(&owners, 2, "web1", -1);
	expect_owner(&owners, 3, "web1", -1);
	expect_owner(&owners, 4, "web1", 0);
	expect_owner(&owners, 5, "web1", 1);
	expect_owner(&owners, 7, "web1", 1);
	expect_owner(&owners, 8191, "web2", -1);
	expect_owner(&owners, CPUSET_CPUS, NULL, 0);
	expect_cpus(&owners.reserved, "2-5,7,8191");
	of_vm = owners_of_vm(&owners, "web1");
	expect_cpus(&of_vm, "2-5,7");
	of_vm = owners_of_vm(&owners, "web");
	expect_cpus(&of_vm, "");
	owners_deinit(&owners);
	expect_owner(&owners, 4, NULL, 0);
}

static void test_partitions_of_bare_vms(void **state)
{
	struct owners owners = {};
	struct host host;

	(void)state;
	host_init(&host, "0-15", "0");
	add_vm(&host, "web1", 2, 0);
	add_vm(&host, "cpuset.cpus", 1, 0);
	add_group(&host, SLICE, "1-15", PARTITION_ROOT);
	add_group(&host, SLICE "/web1", "2-5", PARTITION_ROOT);
	add_group(&host, SLICE "/web1/emulator", "2-3", PARTITION_MEMBER);
	add_group(&host, SLICE "/web1/vcpu0", "4", PARTITION_ISOLATED);
	add_group(&host, SLICE "/web1/vcpu1", "5", PARTITION_ISOLATED)->partition.valid =
		false;
	add_group(&host, SLICE "/web1/vcpu1x", "3", PARTITION_ISOLATED);
	add_group(&host, SLICE "/cpuset\\x2ecpus", "8", PARTITION_ROOT);
	add_group(&host, SLICE "/ended", "6-7", PARTITION_ROOT);
	add_group(&host, SLICE "/ended/vcpu0", "7", PARTITION_ISOLATED);
	add_group(&host, SLICE "/plain", "9", PARTITION_MEMBER);
	add_group(&host, SLICE "/cpuwarden-gold.slice", "10-11", PARTITION_ROOT);
	assert_int_equal(owners_add_partitions(&owners, &host.tree, &host.vms), 0);
	expect_owner(&owners, 1, NULL, 0); /* the slice is no VM */
	expect_owner(&owners, 2, "web1", -1);
	expect_owner(&owners, 3, "web1", -1);
	expect_owner(&owners, 4, "web1", 0);
	expect_owner(&owners, 5, "web1", -1); /* what holds it is the VM's */
	expect_owner(&owners, 6, "ended", -1);
	expect_owner(&owners, 7, "ended", 0);
	expect_owner(&owners, 8, "cpuset.cpus", -1);
	expect_owner(&owners, 9, NULL, 0);
	expect_owner(&owners, 10, NULL, 0);
	expect_cpus(&owners.reserved, "2-8");
	owners_deinit(&owners);
	host_deinit(&host);
}

static void test_partitions_of_libvirts_vms(void **state)
{
	static const char top[] = "machine.slice/machine-qemu-1-db.scope/libvirt";
	struct owners owners = {};
	struct host host;
	struct vm_thread *main_thread;
	char path[128];

	(void)state;
	host_init(&host, "0-7", "0");
	add_vm(&host, "db", 1, 0);
	find_vm(&host, "db")->libvirt = true;
	main_thread = find_thread(&host, "db", 1000);
	free(main_thread->cgroup);
	snprintf(path, sizeof(path), "%s/emulator", top);
	main_thread->cgroup = must(strdup(path));
	add_group(&host, "machine.slice", "0-7", PARTITION_MEMBER);
	add_group(&host, path, "0-7", PARTITION_MEMBER);
	snprintf(path, sizeof(path), "%s/vcpu0", top);
	add_group(&host, path, "6", PARTITION_ISOLATED);
	/* It says nothing of where its groups are. */
	add_vm(&host, "lost", 1, 0);
	find_vm(&host, "lost")->libvirt = true;
	assert_int_equal(owners_add_partitions(&owners, &host.tree, &host.vms), 0);
	expect_owner(&owners, 6, "db", 0);
	expect_cpus(&owners.reserved, "6");
	owners_deinit(&owners);
	host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_tell_vcpus_from_the_vm),
		cmocka_unit_test(test_partitions_of_bare_vms),
		cmocka_unit_test(test_partitions_of_libvirts_vms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
