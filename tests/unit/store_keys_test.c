// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "tests/unit/config_dir.h"

static void test_each_value_means_what_it_says(void **state)
{
	static const struct {
		const char *text;
		struct policy expected;
	} rows[] = {
		{"policy = dedicated\npartition = member\nemulator = own\nnuma = any\n"
		 "smt = require\nmemory = follow\nguard = deny\n",
			{.kind = POLICY_DEDICATED,
				.partition = PARTITION_MEMBER,
				.emulator = PLACE_OWN,
				.emulator_cpus = {{0}},
				.iothreads = PLACE_EMULATOR,
				.class = "shared",
				.numa = NUMA_ANY,
				.smt = SMT_REQUIRE,
				.memory = MEMORY_FOLLOW,
				.guard = GUARD_DENY}},
		{"policy = shared\npartition = isolated\nemulator = 0,2\nnuma = prefer\n"
		 "smt = prefer\nmemory = leave\nguard = log\n",
			{.kind = POLICY_SHARED,
				.partition = PARTITION_ISOLATED,
				.emulator = PLACE_LIST,
				.emulator_cpus = {{5}},
				.iothreads = PLACE_EMULATOR,
				.class = "shared",
				.numa = NUMA_PREFER,
				.smt = SMT_PREFER,
				.memory = MEMORY_LEAVE,
				.guard = GUARD_LOG}},
		{"policy = ignore\nemulator = all\n",
			{.kind = POLICY_IGNORE,
				.partition = PARTITION_ISOLATED,
				.emulator = PLACE_LIST,
				.emulator_cpus = {{255}},
				.iothreads = PLACE_EMULATOR,
				.class = "shared",
				.numa = NUMA_PREFER,
				.smt = SMT_PREFER,
				.memory = MEMORY_LEAVE}},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char text[256];

		snprintf(text, sizeof(text), "[defaults]\n%s", rows[i].text);
		write_file(HOST, text);
		snprintf(text, sizeof(text), "[vm]\n%s", rows[i].text);
		write_file(VM, text);
		expect_ok();
		assert_memory_equal(
			&config.defaults, &rows[i].expected, sizeof(rows[i].expected));
		assert_memory_equal(&config.vms[0].policy, &rows[i].expected,
			sizeof(rows[i].expected));
	}
}

#define LISTEN                                                                              \
	"allowed are ADDRESS:PORT with an address like 127.0.0.1 or [::1] and a port from " \
	"1 to 65535"

static void test_host_errors(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"[hosts]\n",
			"1: unknown section [hosts]: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"},
		{"[]\n",
			"1: unknown section []: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"},
		{"[ host ]\n",
			"1: unknown section [ host ]: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"},
		{"[Host]\n",
			"1: unknown section [Host]: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"},
		{"[vm]\n",
			"1: unknown section [vm]: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"},
		{"[host]\nhousekeping = 0\n",
			"2: unknown key housekeping in [host]: allowed are housekeeping, reserved"},
		{"[host]\npolicy = ignore\n",
			"2: unknown key policy in [host]: allowed are housekeeping, reserved"},
		{"[defaults]\n\nPolicy = ignore\n",
			"3: unknown key Policy in [defaults]: allowed are policy, partition, emulator, iothreads, numa, smt, memory, guard, class, dedicated"},
		{"[defaults]\npolicy = ignore\n# x\npolicy = ignore\n",
			"4: policy is given twice in [defaults]: it is allowed once, and line 2 "
			"has it"},
		{"[defaults]\npolicy = ignore\n[host]\n[defaults]\npolicy = ignore\n",
			"5: policy is given twice in [defaults]: it is allowed once, and line 2 "
			"has it"},
		{"[defaults]\npolicy =\n", "2: policy cannot be '': allowed are observe, "
					   "dedicated, shared, ignore"},
		{"[defaults]\npolicy = ; none\n", "2: policy cannot be '': allowed are "
						  "observe, dedicated, shared, ignore"},
		{"[defaults]\npolicy = Shared\n",
			"2: policy cannot be 'Shared': allowed are "
			"observe, dedicated, shared, ignore"},
		{"[defaults]\npolicy = shared # all\n",
			"2: policy cannot be 'shared # all': allowed are observe, dedicated, "
			"shared, ignore"},
		{"[defaults]\npartition = none\n",
			"2: partition cannot be 'none': allowed are isolated, root, member"},
		{"[defaults]\nnuma = strict\n",
			"2: numa cannot be 'strict': allowed are single, prefer, any"},
		{"[defaults]\nsmt = off\n",
			"2: smt cannot be 'off': allowed are require, isolate, prefer"},
		{"[defaults]\nemulator = onw\n",
			"2: emulator cannot be 'onw': allowed are own, "
			"housekeeping, a CPU list"},
		{"[defaults]\nemulator =\n", "2: emulator cannot be '': allowed are own, "
					     "housekeeping, a CPU list"},
		{"[defaults]\nemulator = 9\n",
			"2: CPU 9 does not exist: this host has CPUs 0-7"},
		{"[host]\nhousekeeping = 0-8\n",
			"2: CPU 8 does not exist: this host has CPUs 0-7"},
		{"[host]\nhousekeeping =\n", "2: the CPU list is empty"},
		{"[host]\nhousekeeping = 5x\n",
			"2: '5x' is no CPU number, range or stride"},
		{"housekeeping = 0\n",
			"1: key housekeeping is outside a section: a [SECTION] "
			"must come before it"},
		{"[host]\nhousekeeping\n",
			"2: 'housekeeping' is neither a section nor KEY = VALUE"},
		{"[host]\nhousekeeping : 0\n",
			"2: 'housekeeping : 0' is neither a section nor KEY = VALUE"},
		{"[host]\nhousekeeping ; = 0\n",
			"2: 'housekeeping' is neither a section nor KEY = VALUE"},
		{"[host]\n = 0\n", "2: '= 0' is neither a section nor KEY = VALUE"},
		{"[host\nhousekeeping = 0\n",
			"1: '[host' is no section: allowed is [NAME]"},
		{"[host ; x]\n", "1: '[host' is no section: allowed is [NAME]"},
		{"[host] x\n", "1: '[host] x' is no section: allowed is [NAME]"},
		{"[host]]\n", "1: '[host]]' is no section: allowed is [NAME]"},
		{"[host]\n\033[31m\n", "2: '?[31m' is neither a section nor KEY = VALUE"},
		{"[vm ]\n",
			"1: unknown section [vm ]: allowed are host, defaults, vm PATTERN, class NAME, observer, exporter"},
		{"[vm web*]\npolicy = ignore\n[vm db*]\npolicy = ignore\npolicy = ignore\n",
			"5: policy is given twice in [vm db*]: it is allowed once, and line 4 has it"},
		{"[vm web*]\n[vm web*]\n", "2: the section [vm web*] is given twice"},
		{"[vm web*]\ncpus = 1\n",
			"2: unknown key cpus in [vm web*]: allowed are policy, partition, emulator, iothreads, numa, smt, memory, guard, class, dedicated"},
		{"[vm web*]\niothreads = mine\n",
			"2: iothreads cannot be 'mine': allowed are emulator, own, housekeeping, a CPU list"},
		{"[defaults]\nclass = a/b\n",
			"2: class cannot be 'a/b': allowed are letters, digits and _, at most 31 of them"},
		{"[defaults]\ndedicated = 0-9000\n",
			"2: CPU 8192 does not exist: this host has CPUs 0-8191"},
		{"[class gold]\n[class gold]\n",
			"2: the section [class gold] is given twice"},
		{"[class g.]\n",
			"1: a class cannot be called 'g.': allowed are letters, digits and _, at most 31 of them"},
		{"[class gold]\npolicy = ignore\n",
			"2: unknown key policy in [class gold]: allowed are cpus, overcommit"},
		{"[class gold]\novercommit = 0.5\n",
			"2: overcommit cannot be '0.5': allowed are numbers from 1 to 100 with at most two decimals"},
		{"[class gold]\novercommit = 2.\n",
			"2: overcommit cannot be '2.': allowed are numbers from 1 to 100 with at most two decimals"},
		{"[class gold]\novercommit = 1.234\n",
			"2: overcommit cannot be '1.234': allowed are numbers from 1 to 100 with at most two decimals"},
		{"[class gold]\novercommit = 100.01\n",
			"2: overcommit cannot be '100.01': allowed are numbers from 1 to 100 with at most two decimals"},
		{"[observer]\ninterrupts = on\n",
			"2: interrupts cannot be 'on': allowed are count, measure"},
		{"[exporter]\nlisten = 9753\n", "2: listen cannot be '9753': " LISTEN},
		{"[exporter]\nlisten = :9753\n", "2: listen cannot be ':9753': " LISTEN},
		{"[exporter]\nlisten = localhost:9753\n",
			"2: listen cannot be 'localhost:9753': " LISTEN},
		{"[exporter]\nlisten = 1.2.3:1\n",
			"2: listen cannot be '1.2.3:1': " LISTEN},
		{"[exporter]\nlisten = ::1:9753\n",
			"2: listen cannot be '::1:9753': " LISTEN},
		{"[exporter]\nlisten = [::1]\n", "2: listen cannot be '[::1]': " LISTEN},
		{"[exporter]\nlisten = [::1:1\n",
			"2: listen cannot be '[::1:1': " LISTEN},
		{"[exporter]\nlisten = [:1\n", "2: listen cannot be '[:1': " LISTEN},
		{"[exporter]\nlisten = []:1\n", "2: listen cannot be '[]:1': " LISTEN},
		{"[exporter]\nlisten = [1.2.3.4]:1\n",
			"2: listen cannot be '[1.2.3.4]:1': " LISTEN},
		{"[exporter]\nlisten = 1.2.3.4:0\n",
			"2: listen cannot be '1.2.3.4:0': " LISTEN},
		{"[exporter]\nlisten = 1.2.3.4:65536\n",
			"2: listen cannot be '1.2.3.4:65536': " LISTEN},
		{"[exporter]\nlisten = 1.2.3.4:\n",
			"2: listen cannot be '1.2.3.4:': " LISTEN},
		{"[exporter]\nlisten = 1.2.3.4:80x\n",
			"2: listen cannot be '1.2.3.4:80x': " LISTEN},
		{"[exporter]\nlisten = 1.2.3.4:00000000000000000000000000000000000000000000"
		 "00000000000080\n",
			"2: listen cannot be '1.2.3.4:0000000000000000000000000000000000000000"
			"000000000000': " LISTEN},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char expected[PROBLEM_SIZE];

		write_file(HOST, rows[i].text);
		snprintf(expected, sizeof(expected), HOST ":%s", rows[i].expected);
		assert_int_equal(read_config(), -EINVAL);
		assert_string_equal(problem.text, expected);
	}
}

static void test_vm_errors(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"[vm]\nname = x\n",
			"2: unknown key name in [vm]: allowed are policy, "
			"partition, emulator, iothreads, numa, smt, memory, guard, class, dedicated"},
		{"[vm]\n0 = 1\n",
			"2: unknown key 0 in [vm]: allowed are policy, partition, emulator, iothreads, numa, smt, memory, guard, class, dedicated"},
		{"[vcpupin]\npolicy = 1\n",
			"2: unknown key policy in [vcpupin]: allowed are "
			"vCPU numbers from 0 to 8191"},
		{"[vcpupin]\n-1 = 1\n",
			"2: unknown key -1 in [vcpupin]: allowed are vCPU "
			"numbers from 0 to 8191"},
		{"[vcpupin]\n0-1 = 1\n",
			"2: unknown key 0-1 in [vcpupin]: allowed are vCPU "
			"numbers from 0 to 8191"},
		{"[vcpupin]\n8192 = 1\n",
			"2: unknown key 8192 in [vcpupin]: allowed are vCPU "
			"numbers from 0 to 8191"},
		{"[iothreadpin]\n4096 = 1\n",
			"2: unknown key 4096 in [iothreadpin]: allowed are iothread numbers "
			"from 0 to 4095"},
		{"[iothreadpin]\n18446744073709551617 = 1\n",
			"2: unknown key 18446744073709551617 in [iothreadpin]: allowed are "
			"iothread numbers from 0 to 4095"},
		{"[emulatorpin]\n0 = 1\n",
			"2: unknown key 0 in [emulatorpin]: allowed are cpus"},
		{"[vcpupin]\n1 = 1\n2 = 2\n01 = 3\n",
			"4: 01 is given twice in [vcpupin]: it is allowed once, and line 2 has "
			"it"},
		{"[emulatorpin]\ncpus = 1\ncpus = 1\n",
			"3: cpus is given twice in [emulatorpin]: it is allowed once, and line "
			"2 has it"},
		{"[vcpupin]\n0:1 = 2\n",
			"2: '0:1 = 2' is neither a section nor KEY = VALUE"},
		{"[vcpupin]\n0 =\n", "2: the CPU list is empty"},
		{"[vcpupin]\n0 = 3-1\n",
			"2: '3-1' is a range that ends before it begins"},
		{"[vcpupin]\n0 = 8\n", "2: CPU 8 does not exist: this host has CPUs 0-7"},
		{"[emulatorpin]\ncpus = 1,^1\n", "2: the CPU list '1,^1' leaves no CPU"},
		{"[iothreadpin]\n1 = x\n", "2: 'x' is no CPU number, range or stride"},
		{"[vm]\npolicy = pinned\n",
			"2: policy cannot be 'pinned': allowed are observe, "
			"dedicated, shared, ignore"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * N_ELEMENTS(rows); i++) {
		const char *path = i % 2 ? VM_RUN : VM, *text = rows[i / 2].text;
		char expected[PROBLEM_SIZE];

		write_file(VM, "[vcpupin]\n0 = 1\n");
		write_file(path, text);
		snprintf(expected, sizeof(expected), "%s:%s", path, rows[i / 2].expected);
		assert_int_equal(read_config(), -EINVAL);
		assert_string_equal(problem.text, expected);
		unlink(path);
	}
}

/* [process] is for files of /run alone. */
static void test_sections_of_a_vm(void **state)
{
	(void)state;
	write_file(VM, "[process]\npid = 1\n");
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text,
		VM ":1: unknown section [process]: allowed are vm, vcpupin, "
		   "emulatorpin, iothreadpin");
	unlink(VM);
	write_file(VM_RUN, "[host]\n");
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text,
		VM_RUN ":1: unknown section [host]: allowed are process, vm, vcpupin, "
		       "emulatorpin, iothreadpin");
}

/* What /etc pins a file of /run may pin elsewhere, or take back. */
static void test_none_takes_a_pin_back(void **state)
{
	(void)state;
	write_file(VM, "[vcpupin]\n0 = 1\n1 = 2\n2 = 3\n[emulatorpin]\ncpus = 4\n"
		       "[iothreadpin]\n1 = 5\n");
	write_file(VM_RUN, "[vcpupin]\n1 = none\n3 = 6\n4 = none\n[emulatorpin]\n"
			   "cpus = none\n[iothreadpin]\n1 = none\n");
	expect_ok();
	assert_int_equal(config.vms[0].n_vcpu_pins, 3);
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 0), "1");
	assert_null(vm_policy_vcpu_pin(&config.vms[0], 1));
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 2), "3");
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 3), "6");
	assert_false(config.vms[0].has_emulator_pin);
	assert_int_equal(config.vms[0].n_iothread_pins, 0);
}

static void test_each_number_may_be_pinned(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_non_null(file);
	fputs("[vcpupin]\n", file);
	for (unsigned int i = VCPUS_MAX; i--;)
		fprintf(file, "%u=%u\n", i, i % 8);
	fputs("[iothreadpin]\n", file);
	for (unsigned int i = IOTHREADS_MAX; i--;)
		fprintf(file, "%u=%u\n", i, i % 8);
	assert_int_equal(fclose(file), 0);
	write_file(VM, text);
	write_file(VM_RUN, text);
	free(text);
	expect_ok();
	assert_int_equal(config.vms[0].n_vcpu_pins, VCPUS_MAX);
	assert_int_equal(config.vms[0].n_iothread_pins, IOTHREADS_MAX);
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 8190), "6");
	expect_cpus(vm_policy_iothread_pin(&config.vms[0], 4095), "7");
}

static void expect_policy(const char *name, enum policy_kind kind, enum smt_wish smt)
{
	struct policy policy;

	config_policy(&config, name, &policy);
	assert_int_equal(policy.kind, kind);
	assert_int_equal(policy.smt, smt);
}

static void test_patterns(void **state)
{
	(void)state;
	write_file(HOST, "[vm web*]\npolicy = dedicated\nsmt = isolate\n"
			 "[defaults]\nsmt = require\n"
			 "[vm *1]\npolicy = ignore\n");
	write_file(VM, "[vm]\nnuma = any\n");
	expect_ok();
	expect_policy("db", POLICY_OBSERVE, SMT_REQUIRE);
	expect_policy("db1", POLICY_IGNORE, SMT_REQUIRE);
	expect_policy("web2", POLICY_DEDICATED, SMT_ISOLATE);
	/* Its file is laid over what the patterns say, of which the last wins. */
	expect_policy("web1", POLICY_IGNORE, SMT_ISOLATE);
	assert_int_equal(config.n_vms, 1);
	assert_int_equal(config.vms[0].policy.numa, NUMA_ANY);
}

static void test_classes(void **state)
{
	struct vm_class class;

	(void)state;
	write_file(HOST, "[class tin]\ncpus = 1\n[class silver]\novercommit = 1.5\n"
			 "[class gold]\ncpus = 2-3\novercommit = 2.25\n"
			 "[defaults]\npolicy = shared\nclass = gold\ndedicated = 0,3\n"
			 "iothreads = 1-2\n");
	expect_ok();
	class = config_class(&config, "gold");
	assert_string_equal(class.name, "gold");
	assert_true(class.has_cpus);
	assert_int_equal(class.cpus.words[0], 0xc);
	assert_int_equal(class.overcommit, 225);
	class = config_class(&config, "silver");
	assert_false(class.has_cpus);
	assert_int_equal(class.overcommit, 150);
	class = config_class(&config, "tin");
	assert_true(class.has_cpus);
	assert_int_equal(class.overcommit, OVERCOMMIT_DEFAULT);
	class = config_class(&config, "shared");
	assert_string_equal(class.name, "shared");
	assert_int_equal(class.overcommit, OVERCOMMIT_DEFAULT);
	assert_string_equal(config.defaults.class, "gold");
	assert_int_equal(config.defaults.dedicated.words[0], 9);
	assert_int_equal(config.defaults.iothreads, PLACE_LIST);
	assert_int_equal(config.defaults.iothread_cpus.words[0], 6);
}

static void test_pools_do_not_meet(void **state)
{
	(void)state;
	write_file(HOST, "[host]\nhousekeeping = 0-3\nreserved = 3-7\n");
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(
		problem.text, HOST ": CPU 3 is given as housekeeping and as reserved");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_each_value_means_what_it_says),
		config_test(test_host_errors),
		config_test(test_vm_errors),
		config_test(test_sections_of_a_vm),
		config_test(test_none_takes_a_pin_back),
		config_test(test_each_number_may_be_pinned),
		config_test(test_patterns),
		config_test(test_classes),
		config_test(test_pools_do_not_meet),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
