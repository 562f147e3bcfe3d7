// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include "tests/unit/config_dir.h"

static void test_no_files_give_the_defaults(void **state)
{
	(void)state;
	expect_ok();
	assert_int_equal(config.defaults.kind, POLICY_OBSERVE);
	assert_string_equal(config.listen, "127.0.0.1:9753");
	assert_false(config.measure_interrupts);
	assert_false(config.drift_off);
	assert_int_equal(config.n_vms, 0);
	assert_int_equal(
		rmdir("etc/vms.d") || rmdir("etc") || rmdir("run/vms.d") || rmdir("run"),
		0);
	expect_ok();
	assert_int_equal(config.n_vms, 0);
}

static char start[PATH_MAX]; /* the folder of the sources */

/* With `uncomment`, what is given there as an example, too. */
static void write_reference(bool uncomment)
{
	char path[PATH_MAX + 32], line[256];
	cleanup_fclose FILE *from = NULL, *to = NULL;

	snprintf(path, sizeof(path), "%s/docs/cpuwarden.conf", start);
	from = fopen(path, "r");
	to = fopen(HOST, "w");
	assert_non_null(from);
	assert_non_null(to);
	while (fgets(line, sizeof(line), from)) {
		bool example = !strncmp(line, "; ", 2) &&
			       (line[2] == '[' || islower((unsigned char)line[2]));

		fputs(uncomment && example ? line + 2 : line, to);
	}
}

static void test_the_reference_is_what_holds_without_it(void **state)
{
	struct config without;

	(void)state;
	write_reference(false);
	expect_ok();
	config_init(&without);
	assert_memory_equal(
		&config.defaults, &without.defaults, sizeof(without.defaults));
	assert_string_equal(config.listen, without.listen);
	assert_false(config.has_housekeeping || config.has_reserved);
	assert_int_equal(config.n_patterns + config.n_classes, 0);
	config_deinit(&without);
	write_reference(true);
	expect_ok();
	assert_true(config.has_housekeeping && config.has_reserved);
	assert_int_equal(config.n_patterns, 1);
	assert_int_equal(config.n_classes, 1);
	assert_true(config.classes[0].has_cpus);
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
		"listen = 0.0.0.0:9000\n"
		"[observer]\n"
		"interrupts = measure\n"
		"drift = off\n");
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
	assert_true(config.measure_interrupts);
	assert_true(config.drift_off);
	vm = config_find_vm(&config, "web1");
	assert_non_null(vm);
	assert_int_equal(vm->policy.kind, POLICY_DEDICATED);
	assert_int_equal(vm->policy.partition, PARTITION_ROOT);
	assert_int_equal(vm->policy.emulator, PLACE_HOUSEKEEPING);
	assert_int_equal(vm->policy.numa, NUMA_SINGLE);
	assert_int_equal(vm->policy.smt, SMT_ISOLATE);
	expect_cpus(vm_policy_vcpu_pin(vm, 0), "4");
	expect_cpus(vm_policy_vcpu_pin(vm, 1), "5");
	assert_null(vm_policy_vcpu_pin(vm, 2));
	assert_true(vm->has_emulator_pin);
	expect_cpus(&vm->emulator_pin, "2-3");
	expect_cpus(vm_policy_iothread_pin(vm, 1), "3");
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
	assert_int_equal(config.vms[0].policy.emulator, PLACE_OWN);
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
	const struct config_source source = {.etc_dir = "etc", .run_dir = "run"};
	struct config before;
	struct cpuset present = {{255}};

	(void)state;
	write_file(VM, "[vcpupin]\n0 = 1\n");
	expect_ok();
	before = config;
	write_file(VM, "[vcpupin]\n0 = 1\n1 = 2\n1 = 3\n");
	write_file("etc/vms.d/a.conf", "[iothreadpin]\n0 = 1\n");
	assert_int_equal(config_read(&source, &present, &config, NULL), -EINVAL);
	assert_memory_equal(&config, &before, sizeof(config));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_no_files_give_the_defaults),
		config_test(test_the_reference_is_what_holds_without_it),
		config_test(test_the_example_of_the_manual),
		config_test(test_what_a_vm_leaves_out_is_the_default),
		config_test(test_run_wins_key_by_key),
		config_test(test_only_files_of_vms_are_read),
		config_test(test_a_name_fits_or_is_refused),
		config_test(test_what_cannot_be_read_is_said),
		config_test(test_an_error_leaves_the_last_good_one_alone),
	};

	if (!getcwd(start, sizeof(start)))
		return 1;
	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
