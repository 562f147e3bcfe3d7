// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/model/cpulist.h"
#include "user/store/config.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof(*(array)))
#define HOST "etc/cpuwarden.conf"
#define VM "etc/vms.d/web1.conf"
#define VM_RUN "run/vms.d/web1.conf"

/* Each test has an empty etc/ and run/ in a directory of its own, and CPUs 0-7. */
static char top[] = "/tmp/cpuwarden-config-XXXXXX", dir[64];
static struct config config;
static struct problem problem;

static int make_top(void **state)
{
	(void)state;
	return mkdtemp(top) && !chmod(top, 0755) ? 0 : -1;
}

static int remove_top(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return chdir("/") || system(command) ? -1 : 0;
}

static int enter(void **state)
{
	static unsigned int n;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/%u", top, n++);
	config_init(&config);
	memset(&problem, 0, sizeof(problem));
	return mkdir(dir, 0755) || chdir(dir) || mkdir("etc", 0755) ||
	       mkdir("etc/vms.d", 0755) || mkdir("run", 0755) || mkdir("run/vms.d", 0755);
}

static int leave(void **state)
{
	(void)state;
	config_deinit(&config);
	return 0;
}

static void write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *file;

	unlink(path); /* to truncate it would make ext4 wait for the disk */
	file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void write_file(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static int read_config(void)
{
	struct cpuset present;

	assert_int_equal(cpulist_parse_kernel("0-7", &present), 0);
	config_deinit(&config);
	return config_read("etc", "run", &present, &config, &problem);
}

static void expect_ok(void)
{
	if (read_config())
		fail_msg("%s", problem.text);
}

static void expect_cpus(const struct cpuset *set, const char *expected)
{
	cleanup_free char *text = NULL;

	assert_non_null(set);
	text = cpulist_format(set);
	assert_string_equal(text, expected);
}

static void test_no_files_give_the_defaults(void **state)
{
	(void)state;
	expect_ok();
	assert_int_equal(config.defaults.kind, POLICY_OBSERVE);
	assert_string_equal(config.listen, "127.0.0.1:9753");
	assert_int_equal(config.n_vms, 0);
	assert_int_equal(
		rmdir("etc/vms.d") || rmdir("etc") || rmdir("run/vms.d") || rmdir("run"),
		0);
	expect_ok();
	assert_int_equal(config.n_vms, 0);
}

static void test_the_example_of_the_manual(void **state)
{
	const struct vm_policy *vm;

	(void)state;
	write_file(HOST,
		"# cpuwarden.conf\n"
		"[host]\n"
		"housekeeping = 0-1            ; default: the first core of each node\n"
		"[defaults]\n"
		"policy = observe              ; observe | dedicated | shared | ignore\n"
		"partition = root              ; isolated | root | member\n"
		"emulator = housekeeping       ; own | housekeeping | LIST\n"
		"numa = single                 ; single | prefer | any\n"
		"smt = isolate                 ; require | isolate | prefer\n"
		"[exporter]\n"
		"listen = 0.0.0.0:9000\n");
	write_file(VM, "# vms.d/web1.conf\n"
		       "[vm]\n"
		       "policy = dedicated\n"
		       "[vcpupin]\n"
		       "0 = 4\n"
		       "1 = 5\n"
		       "[emulatorpin]\n"
		       "cpus = 2-3\n"
		       "[iothreadpin]\n"
		       "1 = 3\n");
	expect_ok();
	assert_true(config.has_housekeeping);
	expect_cpus(&config.housekeeping, "0-1");
	assert_int_equal(config.defaults.kind, POLICY_OBSERVE);
	assert_string_equal(config.listen, "0.0.0.0:9000");
	vm = config_find_vm(&config, "web1");
	assert_non_null(vm);
	assert_int_equal(vm->policy.kind, POLICY_DEDICATED);
	assert_int_equal(vm->policy.partition, PARTITION_ROOT);
	assert_int_equal(vm->policy.emulator, EMULATOR_HOUSEKEEPING);
	assert_int_equal(vm->policy.numa, NUMA_SINGLE);
	assert_int_equal(vm->policy.smt, SMT_ISOLATE);
	expect_cpus(vm_policy_vcpu_pin(vm, 0), "4");
	expect_cpus(vm_policy_vcpu_pin(vm, 1), "5");
	assert_null(vm_policy_vcpu_pin(vm, 2));
	assert_true(vm->has_emulator_pin);
	expect_cpus(&vm->emulator_pin, "2-3");
	expect_cpus(vm_policy_iothread_pin(vm, 1), "3");
}

static void test_each_value_means_what_it_says(void **state)
{
	static const struct {
		const char *text;
		struct policy expected;
	} rows[] = {
		{"policy = dedicated\npartition = member\nemulator = own\nnuma = any\n"
		 "smt = require\n",
			{POLICY_DEDICATED, PARTITION_MEMBER, EMULATOR_OWN, {{0}},
				NUMA_ANY, SMT_REQUIRE}},
		{"policy = shared\npartition = isolated\nemulator = 0,2\nnuma = prefer\n"
		 "smt = prefer\n",
			{POLICY_SHARED, PARTITION_ISOLATED, EMULATOR_LIST, {{5}},
				NUMA_PREFER, SMT_PREFER}},
		{"policy = ignore\nemulator = all\n",
			{POLICY_IGNORE, PARTITION_ISOLATED, EMULATOR_LIST, {{255}},
				NUMA_PREFER, SMT_PREFER}},
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

static void test_what_a_vm_leaves_out_is_the_default(void **state)
{
	(void)state;
	write_file(HOST, "[defaults]\npolicy = shared\nemulator = 6-7\nsmt = isolate\n");
	write_file(VM, "[vm]\nsmt = require\n");
	write_file("etc/vms.d/db.conf", "[vm]\nemulator = own\n");
	write_file("run/vms.d/empty.conf", "");
	expect_ok();
	assert_int_equal(config.n_vms, 3);
	assert_string_equal(config.vms[0].name, "db");
	assert_int_equal(config.vms[0].policy.kind, POLICY_SHARED);
	assert_int_equal(config.vms[0].policy.emulator, EMULATOR_OWN);
	expect_cpus(&config.vms[0].policy.emulator_cpus, "");
	assert_string_equal(config.vms[1].name, "empty");
	assert_memory_equal(
		&config.vms[1].policy, &config.defaults, sizeof(config.defaults));
	assert_string_equal(config.vms[2].name, "web1");
	assert_int_equal(config.vms[2].policy.smt, SMT_REQUIRE);
	expect_cpus(&config.vms[2].policy.emulator_cpus, "6-7");
}

static void test_run_wins_key_by_key(void **state)
{
	const struct vm_policy *vm;

	(void)state;
	write_file(VM,
		"[vm]\npolicy = dedicated\nsmt = require\n[vcpupin]\n5 = 5\n0 = 0\n"
		"3 = 3\n[emulatorpin]\ncpus = 1\n[iothreadpin]\n2 = 2\n");
	write_file(VM_RUN, "[vm]\npolicy = shared\n[vcpupin]\n4 = 4\n3 = 7\n1 = 1\n"
			   "[iothreadpin]\n1 = 6\n");
	expect_ok();
	assert_int_equal(config.n_vms, 1);
	vm = &config.vms[0];
	assert_int_equal(vm->policy.kind, POLICY_SHARED);
	assert_int_equal(vm->policy.smt, SMT_REQUIRE);
	assert_int_equal(vm->n_vcpu_pins, 5);
	expect_cpus(vm_policy_vcpu_pin(vm, 0), "0");
	expect_cpus(vm_policy_vcpu_pin(vm, 1), "1");
	assert_null(vm_policy_vcpu_pin(vm, 2));
	expect_cpus(vm_policy_vcpu_pin(vm, 3), "7");
	expect_cpus(vm_policy_vcpu_pin(vm, 4), "4");
	expect_cpus(vm_policy_vcpu_pin(vm, 5), "5");
	expect_cpus(&vm->emulator_pin, "1");
	expect_cpus(vm_policy_iothread_pin(vm, 1), "6");
	expect_cpus(vm_policy_iothread_pin(vm, 2), "2");
}

static void test_only_files_of_vms_are_read(void **state)
{
	static const char *const others[] = {"web1.conf.new", "web1.conf~", "#web1.conf#",
		".web1.conf", ".conf", "web1", "web1.conf.bak", "README"};
	char path[64];

	(void)state;
	write_file("etc/vms.d/b.conf", "");
	write_file("run/vms.d/a.conf", "");
	write_file("etc/vms.d/B.conf", "");
	write_file("etc/vms.d/a.conf", "");
	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		snprintf(path, sizeof(path), "etc/vms.d/%s", others[i]);
		write_file(path, "rubbish");
	}
	assert_int_equal(mkdir("run/vms.d/backup", 0755), 0);
	expect_ok();
	assert_int_equal(config.n_vms, 3);
	assert_string_equal(config.vms[0].name, "B");
	assert_string_equal(config.vms[1].name, "a");
	assert_string_equal(config.vms[2].name, "b");
}

static void test_a_name_fits_or_is_refused(void **state)
{
	char path[256], name[VM_NAME_SIZE + 1];

	(void)state;
	memset(name, 'n', sizeof(name));
	snprintf(path, sizeof(path), "etc/vms.d/%.127s.conf", name);
	write_file(path, "");
	expect_ok();
	assert_int_equal(strlen(config.vms[0].name), 127);
	snprintf(path, sizeof(path), "run/vms.d/%.128s.conf", name);
	write_file(path, "");
	assert_int_equal(read_config(), -ENAMETOOLONG);
	assert_non_null(strstr(problem.text, ".conf: a VM's name has at most 127 bytes"));
}

static void test_shapes_of_lines(void **state)
{
	(void)state;
	write_file(HOST, "\xef\xbb\xbf; a comment\r\n"
			 "  # another\n"
			 "\n \t \n"
			 "  [host]   ; the host\r\n"
			 "\thousekeeping=0 - 3\n");
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text,
		"etc/cpuwarden.conf:6: '0 - 3' is no CPU number, "
		"range or stride");
	write_file(HOST, "\xef\xbb\xbf[host]\r\n"
			 "\thousekeeping=0-1 , 3 \t; so\r\n"
			 "  [defaults]\n"
			 "[host]\n"
			 "[exporter]\n"
			 "   listen   =   [::1]:9753;x");
	assert_int_equal(read_config(), -EINVAL);
	assert_non_null(
		strstr(problem.text, ":6: listen cannot be '[::1]:9753;x': allowed"));
	write_file(HOST, "\xef\xbb\xbf[host]\r\n"
			 "\thousekeeping=0-1 , 3 \t; so\r\n"
			 "  [defaults]\n"
			 "[host]\n"
			 "[exporter]\n"
			 "   listen   =   [::1]:9753 ;x");
	expect_ok();
	expect_cpus(&config.housekeeping, "0-1,3");
	assert_string_equal(config.listen, "[::1]:9753");
}

/* An indented line is a line of its own, never more of the value before it. */
static void test_indentation_continues_nothing(void **state)
{
	(void)state;
	write_file(VM, "[vcpupin]\n0 = 1,\n 2\n");
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text,
		"etc/vms.d/web1.conf:2: item 2 of the CPU list '1,' is empty");
	write_file(VM, "[vcpupin]\n0 = 1\n 2\n");
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text,
		"etc/vms.d/web1.conf:3: '2' is neither a section nor KEY = VALUE");
	write_file(VM, "[vcpupin]\n0 = 1\n 1 = 2\n");
	expect_ok();
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 0), "1");
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 1), "2");
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
			"1: unknown section [hosts]: allowed are host, defaults, exporter"},
		{"[]\n", "1: unknown section []: allowed are host, defaults, exporter"},
		{"[ host ]\n",
			"1: unknown section [ host ]: allowed are host, defaults, exporter"},
		{"[Host]\n",
			"1: unknown section [Host]: allowed are host, defaults, exporter"},
		{"[vm]\n",
			"1: unknown section [vm]: allowed are host, defaults, exporter"},
		{"[host]\nhousekeping = 0\n",
			"2: unknown key housekeping in [host]: allowed are housekeeping"},
		{"[host]\npolicy = ignore\n",
			"2: unknown key policy in [host]: allowed are housekeeping"},
		{"[defaults]\n\nPolicy = ignore\n",
			"3: unknown key Policy in [defaults]: allowed are policy, partition, "
			"emulator, numa, smt"},
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
		{"[host]\n",
			"1: unknown section [host]: allowed are vm, vcpupin, emulatorpin, "
			"iothreadpin"},
		{"[vm]\nname = x\n", "2: unknown key name in [vm]: allowed are policy, "
				     "partition, emulator, numa, smt"},
		{"[vm]\n0 = 1\n",
			"2: unknown key 0 in [vm]: allowed are policy, partition, "
			"emulator, numa, smt"},
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

/* inih cuts at 200 bytes; here are all lengths around its cuts, and white space there. */
static void test_long_values_lose_nothing(void **state)
{
	char text[2048];

	(void)state;
	for (int spaces = 0; spaces < 600; spaces++) {
		snprintf(text, sizeof(text), "[vcpupin]\n0 = 1,%*s3%*s,5 ; %0*d\n1 = 2\n",
			spaces, "", spaces / 3, "", spaces + 1, 0);
		write_file(VM, text);
		expect_ok();
		expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 0), "1,3,5");
		expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 1), "2");
		snprintf(text, sizeof(text), "[vm]\n%*spolicy%*s =%*sshared", spaces, "",
			spaces % 40, "", spaces / 2, "");
		write_file(VM, text);
		expect_ok();
		assert_int_equal(config.vms[0].policy.kind, POLICY_SHARED);
	}
}

/* What means something to inih at the start of a piece is still part of the value. */
static void test_long_values_gain_nothing(void **state)
{
	static const char *const tails[] = {"#", ";", "|", "=1", "[vm]", "||", "\\"};
	char text[1024], expected[PROBLEM_SIZE];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(tails); i++) {
		for (int zeros = 1; zeros < 450; zeros++) {
			snprintf(text, sizeof(text), "[vcpupin]\n0 = 0,%0*d,3%s\n", zeros,
				0, tails[i]);
			write_file(VM, text);
			assert_int_equal(read_config(), -EINVAL);
			snprintf(expected, sizeof(expected),
				VM ":2: '3%s' is no CPU number, "
				   "range or stride",
				tails[i]);
			assert_string_equal(problem.text, expected);
		}
	}
}

/* A line of that many bytes: "0 = 1,1,...". */
static void write_line(size_t len)
{
	char *text = malloc(len + 32);

	assert_non_null(text);
	strcpy(text, "[vcpupin]\n0 = ");
	for (size_t i = 0; i < len - 4; i++)
		text[14 + i] = i == len - 5 || i % 2 == 0 ? '1' : ',';
	strcpy(text + 10 + len, "\n1 = 2\n");
	write_file(VM, text);
	free(text);
}

static void test_lines_of_64_kib_and_no_more(void **state)
{
	(void)state;
	write_line(65536);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(
		problem.text, VM ":2: CPU 11 does not exist: this host has CPUs 0-7");
	write_line(65535);
	expect_ok();
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 0), "1");
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 1), "2");
	write_line(65537);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text, VM ":2: a line has at most 65536 bytes");
}

static void test_long_names_are_refused(void **state)
{
	char text[512], expected[PROBLEM_SIZE];

	(void)state;
	for (int len = 45; len < 400; len++) {
		snprintf(text, sizeof(text), "[vm]\n%0*d = 1\n", len, 0);
		write_file(VM, text);
		assert_int_equal(read_config(), -EINVAL);
		if (len < 49)
			snprintf(expected, sizeof(expected),
				VM ":2: unknown key %0*d in [vm]: allowed are policy, "
				   "partition, emulator, numa, smt",
				len, 0);
		else
			strcpy(expected, VM
				":2: a key has at most 49 bytes with the white space after it");
		assert_string_equal(problem.text, expected);
		snprintf(text, sizeof(text), "[%0*d]\n", len, 0);
		write_file(VM, text);
		assert_int_equal(read_config(), -EINVAL);
		if (len < 50)
			snprintf(expected, sizeof(expected),
				VM ":1: unknown section [%0*d]: allowed are vm, vcpupin, "
				   "emulatorpin, iothreadpin",
				len, 0);
		else
			strcpy(expected, VM ":1: a section's name has at most 49 bytes");
		assert_string_equal(problem.text, expected);
	}
}

static void test_files_of_1_mib_and_no_more(void **state)
{
	const size_t size = 1024 * 1024;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', size + 1);
	write_bytes(HOST, text, size);
	expect_ok();
	write_bytes(HOST, text, size + 1);
	free(text);
	assert_int_equal(read_config(), -EFBIG);
	assert_string_equal(problem.text, HOST ": a file has at most 1048576 bytes");
}

static void test_a_nul_byte_is_refused(void **state)
{
	static const char text[] = "[vm]\npolicy = shared\0\n", comment[] = "# \0\n";

	(void)state;
	write_bytes(VM, text, sizeof(text) - 1);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text, VM ":2: a NUL byte: only text is allowed");
	write_bytes(VM, comment, sizeof(comment) - 1);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text, VM ":1: a NUL byte: only text is allowed");
}

static void test_only_regular_files_are_read(void **state)
{
	const char *expected =
		VM ": only a regular file is allowed, no link, directory or device";

	(void)state;
	assert_int_equal(mkdir(VM, 0755), 0);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text, expected);
	assert_int_equal(rmdir(VM), 0);
	assert_int_equal(mkfifo(VM, 0644), 0);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text, expected);
	assert_int_equal(unlink(VM), 0);
	assert_int_equal(symlink("/dev/zero", VM), 0);
	assert_int_equal(read_config(), -EINVAL);
	assert_string_equal(problem.text, expected);
}

static void test_what_cannot_be_read_is_said(void **state)
{
	int file, directory;
	char sentence[PROBLEM_SIZE];

	(void)state;
	write_file(VM, "");
	assert_int_equal(chmod(VM, 0), 0);
	if (!geteuid())
		assert_int_equal(seteuid(65534), 0);
	file = read_config();
	strcpy(sentence, problem.text);
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(file, -EACCES);
	assert_string_equal(sentence, VM ": cannot be read: Permission denied");

	assert_int_equal(rmdir("run/vms.d"), 0);
	write_file("run/vms.d", "");
	unlink(VM);
	directory = read_config();
	assert_int_equal(directory, -ENOTDIR);
	assert_string_equal(problem.text, "run/vms.d: cannot be read: Not a directory");
}

static void test_an_error_leaves_the_last_good_one_alone(void **state)
{
	struct config before;
	struct cpuset present = {{255}};

	(void)state;
	write_file(VM, "[vcpupin]\n0 = 1\n");
	expect_ok();
	before = config;
	write_file(VM, "[vcpupin]\n0 = 1\n1 = 2\n1 = 3\n");
	write_file("etc/vms.d/a.conf", "[iothreadpin]\n0 = 1\n");
	assert_int_equal(config_read("etc", "run", &present, &config, NULL), -EINVAL);
	assert_memory_equal(&config, &before, sizeof(config));
}

#define config_test(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_no_files_give_the_defaults),
		config_test(test_the_example_of_the_manual),
		config_test(test_each_value_means_what_it_says),
		config_test(test_what_a_vm_leaves_out_is_the_default),
		config_test(test_run_wins_key_by_key),
		config_test(test_only_files_of_vms_are_read),
		config_test(test_a_name_fits_or_is_refused),
		config_test(test_shapes_of_lines),
		config_test(test_indentation_continues_nothing),
		config_test(test_host_errors),
		config_test(test_vm_errors),
		config_test(test_each_number_may_be_pinned),
		config_test(test_long_values_lose_nothing),
		config_test(test_long_values_gain_nothing),
		config_test(test_lines_of_64_kib_and_no_more),
		config_test(test_long_names_are_refused),
		config_test(test_files_of_1_mib_and_no_more),
		config_test(test_a_nul_byte_is_refused),
		config_test(test_only_regular_files_are_read),
		config_test(test_what_cannot_be_read_is_said),
		config_test(test_an_error_leaves_the_last_good_one_alone),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
