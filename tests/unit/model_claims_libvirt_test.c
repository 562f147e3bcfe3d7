// SPDX-License-Identifier: GPL-2.0-or-later
/* Who gets which CPU among VMs in libvirt's groups, whose pins are adopted. */
#include "tests/unit/libvirt_host.h"

#include "tests/unit/one_host.h"

#define WEB1 TOP("web1")

/* CPUs 0-7, of which policy does not choose 0; web1 with two vCPUs and an iothread. */
static int enter(void **state)
{
	enter_host(state);
	host.tree.remote = true;
	add_domain(&host, "web1", 2, 1);
	return 0;
}

static void expect_web1(const char *leaf, const char *list)
{
	char path[256];

	snprintf(path, sizeof(path), WEB1 "%s%s", *leaf ? "/" : "", leaf);
	expect_group(&host, "web1", path, list);
}

static void test_libvirts_pins_are_adopted(void **state)
{
	const struct desired_vm *vm;

	(void)state;
	virsh(&host, WEB1 "/vcpu0", "4,6");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "2-3");
	virsh(&host, WEB1 "/iothread1", "3");
	compute(&host);
	expect_placed(&host, "web1");
	expect_web1("", "4-6");
	expect_web1("vcpu0", "4,6");
	expect_web1("vcpu1", "5");
	expect_web1("emulator", "2-3");
	expect_web1("iothread1", "3");
	vm = wanted(&host, "web1");
	assert_int_equal(vm->layout, LAYOUT_LIBVIRT);
	expect_cpus(&vm->reserved, "4-6");
	assert_int_equal(vm->groups[0].partition, PARTITION_MEMBER);
	assert_int_equal(vm->groups[1].partition, PARTITION_MEMBER);
	assert_int_equal(vm->groups[2].partition, PARTITION_ISOLATED);
	assert_false(vm->groups[1].floats);
}

static void test_pins_of_ours_go_before(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "2");
	virsh(&host, WEB1 "/iothread1", "2");
	pin_vcpu(&host, "web1", 1, "7");
	pin_emulator(&host, "web1", "3");
	pin_iothread(&host, "web1", 1, "0");
	compute(&host);
	expect_web1("vcpu0", "4");
	expect_web1("vcpu1", "7");
	expect_web1("emulator", "3");
	expect_web1("iothread1", "0");
}

/* With `virsh vcpupin web1 1 0-7` a pin is taken back. */
static void test_all_cpus_or_none_are_no_pin_of_a_vcpu(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu1", "0-7");
	compute(&host);
	expect_web1("vcpu0", "1");
	expect_web1("vcpu1", "2");
	virsh(&host, WEB1 "/vcpu1", "0-15");
	compute(&host);
	expect_web1("vcpu1", "2");
	virsh(&host, WEB1 "/vcpu1", "0-5");
	compute(&host);
	expect_web1("vcpu1", "0-5");
}

static void test_what_we_wrote_is_not_libvirts_pin(void **state)
{
	struct found_vm *record = record_of(&host, "web1");

	(void)state;
	put_written(record, WEB1 "/vcpu0", "", "6");
	put_written(record, WEB1 "/vcpu1", "3", "5");
	put_found(record, WEB1 "/iothread1", true, "");
	put_written(record, WEB1 "/emulator", "2-6", "2,4");
	virsh(&host, WEB1 "/vcpu0", "6");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "2,4");
	virsh(&host, WEB1 "/iothread1", "7");
	compute(&host);
	/* Nobody pinned it: it keeps its one. */
	expect_web1("vcpu0", "6");
	/* libvirt's pin of before holds, since ours is gone. */
	expect_web1("vcpu1", "3");
	expect_web1("emulator", "2,4-5");
	expect_web1("iothread1", "7");
	/* Nobody's pin can be chosen anew where the CPU is another's. */
	virsh(&host, WEB1 "/iothread1", "");
	pin_vcpu(&host, "web1", 1, "6");
	compute(&host);
	expect_web1("vcpu0", "1");
}

static void test_what_was_written_since_is_a_pin(void **state)
{
	(void)state;
	put_written(record_of(&host, "web1"), WEB1 "/vcpu0", "3", "6");
	virsh(&host, WEB1 "/vcpu0", "4-5");
	compute(&host);
	expect_web1("vcpu0", "4-5");
}

/* What an earlier process of that name was given says nothing of this one. */
static void test_the_record_of_an_earlier_process(void **state)
{
	(void)state;
	put_written(record_of(&host, "web1"), WEB1 "/vcpu0", "3", "4-5");
	virsh(&host, WEB1 "/vcpu0", "4-5");
	compute(&host);
	expect_web1("vcpu0", "3");
	record_of(&host, "web1")->start_time++;
	compute(&host);
	expect_web1("vcpu0", "4-5");
	record_of(&host, "web1")->start_time--;
	record_of(&host, "web1")->pid++;
	compute(&host);
	expect_web1("vcpu0", "4-5");
}

static void test_the_emulator_loses_what_the_vcpus_have(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/emulator", "0-5");
	virsh(&host, WEB1 "/iothread1", "1-2");
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "1");
	compute(&host);
	expect_placed(&host, "web1");
	expect_web1("emulator", "0,2-3,5");
	expect_web1("iothread1", "2");
}

static void test_who_is_not_pinned_floats(void **state)
{
	const struct desired_vm *vm;

	(void)state;
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "5");
	compute(&host);
	vm = wanted(&host, "web1");
	expect_web1("emulator", "0-3,6-7");
	expect_web1("iothread1", "0-3,6-7");
	assert_true(vm->groups[1].floats);
	assert_false(vm->groups[2].floats);
	assert_true(vm->groups[4].floats);
	expect_cpus(&vm->rules.set, "0-3,6-7");
	expect_cpus(desired_thread_set(vm, 1), "4");
	assert_true(vm->rules.threads[1].owns);
	expect_cpus(&vm->rules.owned, "");
}

static void test_nothing_is_left_for_the_emulator(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "4-5");
	compute(&host);
	expect_kept(&host, "web1", "its vCPUs' CPUs are all that the emulator has");
	virsh(&host, WEB1 "/emulator", "");
	virsh(&host, WEB1 "/iothread1", "5");
	compute(&host);
	expect_kept(&host, "web1", "its vCPUs' CPUs are all that iothread 1 has");
	/* What is the only one of another thread's is not chosen for a vCPU. */
	keep_house(&host, "0,2-3,5-7");
	virsh(&host, WEB1 "/iothread1", "1");
	virsh(&host, WEB1 "/vcpu1", "");
	compute(&host);
	expect_kept(&host, "web1", "1 CPU is wanted, 0 are free: 1 more would do");
}

static void test_two_vcpus_on_one_cpu(void **state)
{
	(void)state;
	virsh(&host, WEB1 "/vcpu0", "4-5");
	virsh(&host, WEB1 "/vcpu1", "5-6");
	compute(&host);
	expect_kept(&host, "web1",
		"CPU 5 is pinned to vCPU 0 and to vCPU 1: a vCPU's partition shares with nobody "
		"(partition = member would)");
	wish(&host, "web1")->policy.partition = PARTITION_MEMBER;
	compute(&host);
	expect_placed(&host, "web1");
}

static void test_housekeeping_is_refused_to_vcpus_alone(void **state)
{
	(void)state;
	keep_house(&host, "0-1");
	virsh(&host, WEB1 "/emulator", "0-1");
	virsh(&host, WEB1 "/iothread1", "0");
	compute(&host);
	expect_placed(&host, "web1");
	expect_web1("emulator", "0-1");
	expect_web1("vcpu0", "2");
	virsh(&host, WEB1 "/vcpu1", "1");
	compute(&host);
	expect_kept(&host, "web1", "CPU 1, pinned to vCPU 1, is a housekeeping CPU");
	virsh(&host, WEB1 "/vcpu1", "7-8");
	compute(&host);
	expect_kept(&host, "web1", "CPU 8, pinned to vCPU 1, is offline");
}

static void test_an_emulator_on_housekeeping(void **state)
{
	(void)state;
	host.config.defaults.emulator = PLACE_HOUSEKEEPING;
	compute(&host);
	expect_placed(&host, "web1");
	expect_web1("emulator", "0");
	assert_false(wanted(&host, "web1")->groups[1].floats);
	keep_house(&host, "0,6-7");
	compute(&host);
	expect_web1("emulator", "0,6-7");
	virsh(&host, WEB1 "/emulator", "3");
	compute(&host);
	expect_web1("emulator", "3");
	virsh(&host, WEB1 "/emulator", "");
	host.config.defaults.emulator = PLACE_LIST;
	host.config.defaults.emulator_cpus = cpus("4-5");
	compute(&host);
	expect_web1("emulator", "4-5");
}

static void test_a_kernel_without_remote_partitions(void **state)
{
	const struct desired_vm *vm;

	(void)state;
	host.tree.remote = false;
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/emulator", "2-4");
	compute(&host);
	vm = wanted(&host, "web1");
	assert_int_equal(vm->kind, DESIRED_OBSERVED);
	assert_string_equal(vm->reason,
		"this kernel has no cpuset.cpus.exclusive (Linux 6.7 has), without which libvirt's "
		"groups cannot become partitions where they are: libvirt's pins hold and are "
		"watched, but others may run on the same CPUs (partition = member asks for no "
		"more)");
	assert_int_equal(vm->n_groups, 0);
	assert_int_equal(vm->rules.n_threads, 4);
	expect_cpus(&vm->rules.set, "2-4");
	expect_cpus(desired_thread_set(vm, 0), "2-4");
	expect_cpus(desired_thread_set(vm, 1), "4");
	/* Who is pinned nowhere may run anywhere. */
	assert_int_equal(cpuset_weight(desired_thread_set(vm, 2)), CPUSET_CPUS);
	assert_int_equal(cpuset_weight(desired_thread_set(vm, 3)), CPUSET_CPUS);
	assert_false(vm->rules.threads[1].owns);
	expect_cpus(&vm->rules.owned, "");
	virsh(&host, WEB1 "/emulator", "");
	compute(&host);
	assert_int_equal(cpuset_weight(&wanted(&host, "web1")->rules.set), CPUSET_CPUS);
}

/* Of two reasons the one that somebody can do something about is told, and nothing is
 * watched. */
static void test_pins_that_cannot_be_on_a_kernel_without(void **state)
{
	(void)state;
	host.tree.remote = false;
	virsh(&host, WEB1 "/vcpu0", "9");
	compute(&host);
	expect_kept(&host, "web1", "CPU 9, pinned to vCPU 0, is offline");
}

static void test_members_ask_for_nothing_of_the_kernel(void **state)
{
	const struct desired_vm *vm;

	(void)state;
	host.tree.remote = false;
	host.config.defaults.partition = PARTITION_MEMBER;
	virsh(&host, WEB1 "/vcpu0", "4");
	virsh(&host, WEB1 "/vcpu1", "5");
	virsh(&host, WEB1 "/emulator", "4-5");
	compute(&host);
	expect_placed(&host, "web1");
	vm = wanted(&host, "web1");
	expect_web1("", "");
	expect_web1("vcpu0", "4");
	expect_web1("emulator", "4-5");
	assert_int_equal(vm->groups[2].partition, PARTITION_MEMBER);
	expect_cpus(&vm->reserved, "");
	assert_false(vm->rules.threads[1].owns);
	/* Nor where nobody else of the VM is on its CPU. */
	virsh(&host, WEB1 "/emulator", "2");
	virsh(&host, WEB1 "/iothread1", "2");
	compute(&host);
	assert_false(wanted(&host, "web1")->rules.threads[1].owns);
	expect_cpus(&wanted(&host, "web1")->rules.owned, "");
}

/* What cannot be written is not declared. */
static void test_pins_of_ours_on_a_kernel_without(void **state)
{
	(void)state;
	host.tree.remote = false;
	virsh(&host, WEB1 "/vcpu0", "4");
	pin_vcpu(&host, "web1", 0, "5");
	compute(&host);
	assert_int_equal(wanted(&host, "web1")->kind, DESIRED_OBSERVED);
	expect_cpus(desired_thread_set(wanted(&host, "web1"), 1), "4");
}

static void test_workers_of_an_iothread(void **state)
{
	struct vm_thread *worker;
	const struct desired_vm *vm;

	(void)state;
	virsh(&host, WEB1 "/emulator", "1");
	virsh(&host, WEB1 "/iothread1", "3");
	worker = add_thread(&host, "web1", THREAD_EMULATOR, 0, 1200);
	free(worker->cgroup);
	worker->cgroup = must(strdup(WEB1 "/iothread1"));
	compute(&host);
	vm = wanted(&host, "web1");
	assert_int_equal(vm->rules.threads[4].tid, 1200);
	expect_cpus(desired_thread_set(vm, 4), "3");
	assert_string_equal(vm->groups[vm->thread_groups[4]].path, WEB1 "/iothread1");
	/* And of one that is not known yet. */
	expect_cpus(&vm->rules.set, "1,3");
	/* The main thread is nobody's worker. */
	free(vm->vm->threads[0].cgroup);
	find_vm(&host, "web1")->threads[0].cgroup = must(strdup(WEB1 "/iothread1"));
	find_vm(&host, "web1")->threads[1].cgroup[0] = 'm';
	compute(&host);
	expect_cpus(desired_thread_set(wanted(&host, "web1"), 0), "1");
}

static void test_a_leaf_that_is_missing(void **state)
{
	struct group *group = group_at(&host, WEB1 "/vcpu1");

	(void)state;
	free(group->path);
	group->path = must(strdup(WEB1 "/vcpu9"));
	tree_sort(&host.tree);
	compute(&host);
	expect_kept(&host, "web1", "libvirt has no group for vCPU 1 below /" WEB1);
}

/* Though all groups are there: vCPU 1 may be about to be pinned to what vCPU 0 would get.
 */
static void test_one_that_is_being_started(void **state)
{
	(void)state;
	find_vm(&host, "web1")->starting = true;
	compute(&host);
	expect_kept(&host, "web1", "libvirt is still starting it");
}

static void test_threads_that_are_not_in_libvirts_groups(void **state)
{
	struct vm *vm = find_vm(&host, "web1");

	(void)state;
	for (size_t i = 0; i < vm->n_threads; i++) {
		free(vm->threads[i].cgroup);
		vm->threads[i].cgroup = must(strdup("user.slice"));
	}
	compute(&host);
	expect_kept(&host, "web1",
		"its threads are in /user.slice and not in groups that libvirt made for them");
}

#define claims_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		claims_test(test_libvirts_pins_are_adopted),
		claims_test(test_pins_of_ours_go_before),
		claims_test(test_all_cpus_or_none_are_no_pin_of_a_vcpu),
		claims_test(test_what_we_wrote_is_not_libvirts_pin),
		claims_test(test_what_was_written_since_is_a_pin),
		claims_test(test_the_record_of_an_earlier_process),
		claims_test(test_the_emulator_loses_what_the_vcpus_have),
		claims_test(test_who_is_not_pinned_floats),
		claims_test(test_nothing_is_left_for_the_emulator),
		claims_test(test_two_vcpus_on_one_cpu),
		claims_test(test_housekeeping_is_refused_to_vcpus_alone),
		claims_test(test_an_emulator_on_housekeeping),
		claims_test(test_a_kernel_without_remote_partitions),
		claims_test(test_pins_that_cannot_be_on_a_kernel_without),
		claims_test(test_members_ask_for_nothing_of_the_kernel),
		claims_test(test_pins_of_ours_on_a_kernel_without),
		claims_test(test_workers_of_an_iothread),
		claims_test(test_a_leaf_that_is_missing),
		claims_test(test_one_that_is_being_started),
		claims_test(test_threads_that_are_not_in_libvirts_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
