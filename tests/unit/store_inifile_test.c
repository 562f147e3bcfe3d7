// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "tests/unit/config_dir.h"

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
				VM
				":2: unknown key %0*d in [vm]: allowed are policy, "
				"partition, emulator, iothreads, numa, smt, memory, guard, class, dedicated",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_shapes_of_lines),
		config_test(test_indentation_continues_nothing),
		config_test(test_long_values_lose_nothing),
		config_test(test_long_values_gain_nothing),
		config_test(test_lines_of_64_kib_and_no_more),
		config_test(test_long_names_are_refused),
		config_test(test_files_of_1_mib_and_no_more),
		config_test(test_a_nul_byte_is_refused),
		config_test(test_only_regular_files_are_read),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
