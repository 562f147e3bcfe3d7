// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of a VM: which process one in /run is of, and how they are written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "tests/unit/config_dir.h"
#include "user/store/vm_file.h"

#define OF_7 "[process]\npid = 7\nstart_time = 99\n"

/* Process 7 of start time 99 runs, and no other. */
static bool only_7(const struct process_id *process)
{
	return process->pid == 7 && process->start_time == 99;
}

static int read_with(process_alive_fn *alive, const struct config_draft *draft)
{
	const struct config_source source = {"etc", "run", alive, draft};
	struct cpuset present = cpus("0-7");

	config_deinit(&config);
	return config_read(&source, &present, &config, &problem);
}

static void expect_pin(const char *cpus)
{
	const struct vm_policy *policy = config_find_vm(&config, "web1");

	if (cpus)
		expect_cpus(vm_policy_vcpu_pin(policy, 0), cpus);
	else
		assert_null(policy);
}

static void test_a_file_of_run_ends_with_its_process(void **state)
{
	static const struct {
		const char *text, *pin;
	} rows[] = {
		{"[vcpupin]\n0 = 4\n", "4"},
		{"[vcpupin]\n0 = 4\n" OF_7, "4"},
		{"[process]\nstart_time = 99\n[vcpupin]\n0 = 4\n[process]\npid = 007\n",
			"4"},
		{"[vcpupin]\n0 = 4\n[process]\npid = 8\nstart_time = 99\n", "1"},
		{"[vcpupin]\n0 = 4\n[process]\npid = 7\nstart_time = 98\n", "1"},
		/* What does not count is not judged either. */
		{"[vcpupin]\n0 = 444\n[process]\npid = 8\nstart_time = 99\n", "1"},
	};

	(void)state;
	write_file(VM, "[vcpupin]\n0 = 1\n");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		write_file(VM_RUN, rows[i].text);
		if (read_with(only_7, NULL))
			fail_msg("%s", problem.text);
		expect_pin(rows[i].pin);
	}
	/* Nothing else is said of the VM then. */
	unlink(VM);
	assert_int_equal(read_with(only_7, NULL), 0);
	expect_pin(NULL);
}

static void test_a_process_is_given_whole(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{"[process]\npid = 7\n",
			VM_RUN ": pid and start_time of [process] come together"},
		{"[process]\nstart_time = 7\n",
			VM_RUN ": pid and start_time of [process] come together"},
		{"[process]\npid = 0\n", VM_RUN ":2: pid = 0 in [process]: allowed are"},
		{"[process]\npid = x\n", VM_RUN ":2: pid = x in [process]: allowed are"},
		{"[process]\npid = 2147483648\n", VM_RUN ":2: pid = 2147483648 in"},
		{"[process]\n\nname = x\n", VM_RUN ":3: name = x in [process]: allowed"},
		{OF_7 "pid = 7\n", VM_RUN ":4: pid is given twice in [process]"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		write_file(VM_RUN, rows[i].text);
		assert_int_equal(read_with(only_7, NULL), -EINVAL);
		assert_ptr_equal(
			strstr(problem.text, rows[i].words), (char *)problem.text);
	}
}

static void test_a_draft_stands_for_both_files(void **state)
{
	const struct config_draft both = {
		"web1", "[vcpupin]\n0 = 2\n1 = 5\n", "[vcpupin]\n0 = 3\n"};
	const struct config_draft etc = {"web1", "[vcpupin]\n0 = 2\n", NULL};
	const struct config_draft none = {"web1", NULL, NULL};
	const struct config_draft bad = {"web1", NULL, "[vcpupin]\n0 = 9\n"};
	const struct config_draft other = {"web2", "[vcpupin]\n0 = 7\n", NULL};

	(void)state;
	write_file(VM, "[vcpupin]\n0 = 1\n");
	write_file(VM_RUN, "[vcpupin]\n0 = 4\n");
	assert_int_equal(read_with(only_7, &both), 0);
	expect_pin("3");
	expect_cpus(vm_policy_vcpu_pin(&config.vms[0], 1), "5");
	assert_int_equal(read_with(only_7, &etc), 0);
	expect_pin("2");
	assert_int_equal(read_with(only_7, &none), 0);
	expect_pin(NULL);
	assert_int_equal(read_with(only_7, &bad), -EINVAL);
	assert_string_equal(
		problem.text, VM_RUN ":2: CPU 9 does not exist: this host has CPUs 0-7");
	assert_int_equal(read_with(only_7, &other), 0);
	expect_pin("4");
	assert_int_equal(config.n_vms, 2);
	expect_cpus(vm_policy_vcpu_pin(config_find_vm(&config, "web2"), 0), "7");
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void test_sweep(void **state)
{
	(void)state;
	write_file("run/vms.d/ended.conf",
		"[vcpupin]\n0 = 4\n[process]\npid = 8\nstart_time = 99\n");
	write_file("run/vms.d/alive.conf", OF_7);
	write_file("run/vms.d/of-nobody.conf", "[vcpupin]\n0 = 4\n");
	write_file("run/vms.d/broken.conf", "[process]\npid = 8\nstart_time = 99\nx\n");
	write_file("run/vms.d/.hidden.conf", "[process]\npid = 8\nstart_time = 99\n");
	write_file("run/vms.d/ended", "[process]\npid = 8\nstart_time = 99\n");
	assert_int_equal(vm_file_sweep("run", only_7, &problem), 0);
	assert_false(exists("run/vms.d/ended.conf"));
	assert_true(exists("run/vms.d/alive.conf"));
	assert_true(exists("run/vms.d/of-nobody.conf"));
	assert_true(exists("run/vms.d/broken.conf"));
	assert_true(exists("run/vms.d/.hidden.conf"));
	assert_true(exists("run/vms.d/ended"));
	assert_int_equal(vm_file_sweep("nowhere", only_7, &problem), 0);
}

static void expect_file(const char *path, const char *text, mode_t mode)
{
	char buf[256] = "";
	struct stat st;
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_int_equal(fread(buf, 1, sizeof(buf) - 1, file), strlen(text));
	fclose(file);
	assert_string_equal(buf, text);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, mode);
}

static unsigned int count_files(const char *path)
{
	DIR *folder = opendir(path);
	unsigned int n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n - 2;
}

static void test_save(void **state)
{
	mode_t mask = umask(077);
	struct stat st;

	(void)state;
	assert_int_equal(vm_file_save("a/b", "web1", "one\n", &problem), 0);
	umask(mask);
	expect_file("a/b/vms.d/web1.conf", "one\n", S_IFREG | 0644);
	assert_int_equal(stat("a/b/vms.d", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(chmod("a/b/vms.d/web1.conf", 0460), 0);
	if (!geteuid())
		assert_int_equal(chown("a/b/vms.d/web1.conf", 12, 34), 0);
	assert_int_equal(vm_file_save("a/b", "web1", "two", &problem), 0);
	expect_file("a/b/vms.d/web1.conf", "two", S_IFREG | 0460);
	if (!geteuid()) {
		assert_int_equal(stat("a/b/vms.d/web1.conf", &st), 0);
		assert_int_equal(st.st_uid, 12);
		assert_int_equal(st.st_gid, 34);
	}
	assert_int_equal(count_files("a/b/vms.d"), 1);
	assert_int_equal(vm_file_save("a/b", "web1", NULL, &problem), 0);
	assert_int_equal(vm_file_save("a/b", "web1", NULL, &problem), 0);
	assert_int_equal(vm_file_save("nowhere", "web1", NULL, &problem), 0);
	assert_int_equal(count_files("a/b/vms.d"), 0);
	assert_false(exists("nowhere"));
}

/* What a killed run has left goes, what looks like it and is not stays. */
static void test_sweep_clears_up(void **state)
{
	static const char *const stays[] = {".web1.conf.0123456789abcde.new",
		".web1.conf.0123456789abcdef.old", "web1.conf.0123456789abcdef.new",
		".web1.conf.0123456789abcdeF.new", ".0123456789abcdef.new", ".new",
		"web1.conf"};
	char path[64];

	(void)state;
	write_file("etc/vms.d/.web1.conf.0123456789abcdef.new", "x");
	write_file("etc/vms.d/.x.0000000000000000.new", "x");
	for (size_t i = 0; i < N_ELEMENTS(stays); i++) {
		snprintf(path, sizeof(path), "etc/vms.d/%s", stays[i]);
		write_file(path, "x");
	}
	assert_int_equal(vm_file_sweep("etc", NULL, &problem), 0);
	assert_int_equal(count_files("etc/vms.d"), N_ELEMENTS(stays));
	for (size_t i = 0; i < N_ELEMENTS(stays); i++) {
		snprintf(path, sizeof(path), "etc/vms.d/%s", stays[i]);
		assert_true(exists(path));
	}
}

/* What is linked to from there is nobody's to change. */
static void test_save_follows_no_link(void **state)
{
	(void)state;
	write_file("target", "old\n");
	assert_int_equal(symlink("../../target", VM), 0);
	assert_int_equal(vm_file_save("etc", "web1", "new\n", &problem), 0);
	expect_file("target", "old\n", S_IFREG | 0644);
	expect_file(VM, "new\n", S_IFREG | 0644);
}

static void test_save_says_what_failed(void **state)
{
	(void)state;
	write_file("etc/file", "");
	assert_int_equal(vm_file_save("etc/file", "web1", "x", &problem), -ENOTDIR);
	assert_string_equal(problem.text,
		"etc/file/vms.d/web1.conf: cannot be written: Not a directory");
	assert_int_equal(mkdir(VM, 0755), 0);
	assert_int_equal(vm_file_save("etc", "web1", "x", &problem), -EISDIR);
	assert_int_equal(count_files("etc/vms.d"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_a_file_of_run_ends_with_its_process),
		config_test(test_a_process_is_given_whole),
		config_test(test_a_draft_stands_for_both_files),
		config_test(test_sweep),
		config_test(test_save),
		config_test(test_sweep_clears_up),
		config_test(test_save_follows_no_link),
		config_test(test_save_says_what_failed),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
