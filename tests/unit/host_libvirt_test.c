// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/libvirt.c: a captured file, files that lie, and files that are not root's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/remove_tree.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/libvirt.h"
#include "user/model/vm.h"

#define FIXTURE "tests/fixtures/host/libvirt-status.xml"
#define HEAD "<domstatus state='running' pid='459'>"
#define TAIL "</domstatus>"
#define STARTING                                                    \
	"<domstatus state='paused' reason='starting up' pid='459'>" \
	"<vcpus><vcpu id='0' pid='466'/></vcpus>" TAIL
#define VCPUS(vcpus) HEAD "<vcpus>" vcpus "</vcpus>" TAIL
#define ONE VCPUS("<vcpu id='0' pid='466'/>")

static int parse(
	const char *text, struct libvirt_answer *ret_answer, struct problem *problem)
{
	return libvirt_parse(text, strlen(text), ret_answer, problem);
}

static char *captured(void)
{
	char *text = NULL;

	assert_int_equal(
		file_read_all_at(AT_FDCWD, FIXTURE, LIBVIRT_BYTES_MAX, &text), 0);
	return text;
}

static void assert_captured(const struct libvirt_answer *answer)
{
	assert_int_equal(answer->pid, 459);
	assert_int_equal(answer->n_vcpus, 2);
	assert_int_equal(answer->vcpus[0].index, 0);
	assert_int_equal(answer->vcpus[0].tid, 466);
	assert_int_equal(answer->vcpus[1].index, 1);
	assert_int_equal(answer->vcpus[1].tid, 467);
}

static void a_captured_file(void **state)
{
	CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};
	cleanup_free char *text = captured();
	struct problem problem = {0};

	(void)state;
	assert_int_equal(parse(text, &answer, &problem), 0);
	assert_captured(&answer);
	assert_string_equal(problem.text, "");
}

static void half_a_file(void **state)
{
	cleanup_free char *text = captured();

	(void)state;
	for (size_t len = 0; len < strlen(text); len++) {
		struct libvirt_answer answer = {0};
		struct problem problem = {0};

		assert_int_equal(libvirt_parse(text, len, &answer, &problem), -EBADMSG);
		assert_string_not_equal(problem.text, "");
		assert_null(answer.vcpus);
	}
}

/* Whoever defines a VM has a say in what is below <domain>. */
static void only_what_is_in_its_place(void **state)
{
	static const char *const texts[] = {
		ONE,
		"<?xml version='1.0' encoding='UTF-16'?>\n" ONE,
		HEAD
		"<domain><vcpus><vcpu id='0' enabled='yes'/></vcpus><metadata>"
		"<domstatus pid='1'><vcpus><vcpu id='0' pid='1'/></vcpus></domstatus>"
		"<!-- <vcpus><vcpu id='0' pid='1'/></vcpus> -->"
		"<![CDATA[<vcpus><vcpu id='0' pid='1'/></vcpus>]]>"
		"</metadata></domain><vcpus><vcpu id='0' pid='466'/></vcpus>" TAIL,
		HEAD "<vcpus><vcpu id='0' pid='466'/></vcpus>"
		     "<vcpu id='1' pid='467'/><other><vcpu id='x'/></other>" TAIL,
		HEAD "<a:vcpus xmlns:a='u:a'><vcpu id='1' pid='9'/></a:vcpus>"
		     "<vcpus><vcpu id='0' pid='466'/></vcpus>" TAIL,
		VCPUS("<vcpu pid='466' order='1' id='0'><vcpu id='7' pid='9'/></vcpu>"),
		VCPUS("\n<!-- -->text<new/><vcpu id='&#48;' pid='466'></vcpu>"),
		HEAD "<vcpus/><vcpus><vcpu id='0' pid='466'/></vcpus>" TAIL "\n<!---->",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};
		struct problem problem = {0};

		if (parse(texts[i], &answer, &problem))
			fail_msg("%s: %s", texts[i], problem.text);
		assert_int_equal(answer.pid, 459);
		assert_int_equal(answer.n_vcpus, 1);
		assert_int_equal(answer.vcpus[0].index, 0);
		assert_int_equal(answer.vcpus[0].tid, 466);
	}
}

/* As while the VM is being started. */
static void no_vcpus_yet(void **state)
{
	static const char *const texts[] = {
		HEAD TAIL,
		VCPUS(""),
		"<domstatus pid='459'/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};

		assert_int_equal(parse(texts[i], &answer, NULL), 0);
		assert_int_equal(answer.pid, 459);
		assert_int_equal(answer.n_vcpus, 0);
	}
}

/* Until then groups and pins are being made; a VM may be paused for other reasons. */
static void whether_it_is_starting(void **state)
{
	static const struct {
		const char *root;
		bool starting;
	} cases[] = {
		{"<domstatus state='paused' reason='starting up' pid='459'/>", true},
		{"<domstatus pid='459' reason='starting up' state='paused'/>", true},
		{"<domstatus state='shutoff' reason='unknown' pid='459'/>", true},
		{"<domstatus state='paused' reason='user' pid='459'/>", false},
		{"<domstatus state='paused' pid='459'/>", false},
		{"<domstatus state='running' reason='starting up' pid='459'/>", false},
		{"<domstatus pid='459'><domstatus state='shutoff'/></domstatus>", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};

		assert_int_equal(parse(cases[i].root, &answer, NULL), 0);
		if (answer.starting != cases[i].starting)
			fail_msg("%s: %d", cases[i].root, answer.starting);
	}
}

static void the_largest_numbers(void **state)
{
	CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};

	(void)state;
	assert_int_equal(
		parse("<domstatus pid='4194304'><vcpus><vcpu id='8191' pid='4194304'/>"
		      "</vcpus></domstatus>",
			&answer, NULL),
		0);
	assert_int_equal(answer.pid, 4194304);
	assert_int_equal(answer.vcpus[0].index, VCPUS_MAX - 1);
	assert_int_equal(answer.vcpus[0].tid, 4194304);
}

static void what_is_not_believed(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "it is no valid XML"},
		{"{\"QMP\": {}}", "it is no valid XML"},
		{ONE ONE, "it is no valid XML"},
		{VCPUS("<vcpu id='0' id='1' pid='466'/>"), "it is no valid XML"},
		{VCPUS("<vcpu id='&one;' pid='466'/>"), "it is no valid XML"},
		{VCPUS("&one;"), "it is no valid XML"},
		{VCPUS("\xff"), "it is no valid XML"},
		{"<domain type='kvm' pid='1'/>", "it is no <domstatus>"},
		{"<domstatus/>", "it has no valid pid"},
		{"<domstatus pid='0'/>", "it has no valid pid"},
		{"<domstatus pid='-1'/>", "it has no valid pid"},
		{"<domstatus pid='4194305'/>", "it has no valid pid"},
		{"<domstatus pid='18446744073709552075'/>", "it has no valid pid"},
		{VCPUS("<vcpu pid='466'/>"), "a vCPU has no valid id"},
		{VCPUS("<vcpu id='' pid='466'/>"), "a vCPU has no valid id"},
		{VCPUS("<vcpu id='8192' pid='466'/>"), "a vCPU has no valid id"},
		{VCPUS("<vcpu id='-1' pid='466'/>"), "a vCPU has no valid id"},
		{VCPUS("<vcpu id='0x1' pid='466'/>"), "a vCPU has no valid id"},
		{VCPUS("<vcpu id=' 1' pid='466'/>"), "a vCPU has no valid id"},
		{VCPUS("<vcpu id='3'/>"), "vCPU 3 has no valid pid"},
		{VCPUS("<vcpu id='3' pid='0'/>"), "vCPU 3 has no valid pid"},
		{VCPUS("<vcpu id='3' pid='4194305'/>"), "vCPU 3 has no valid pid"},
		{VCPUS("<vcpu id='3' pid='7'/><vcpu id='3' pid='8'/>"),
			"vCPU 3 is named twice"},
		{"<!DOCTYPE domstatus>" ONE, "it has a document type"},
		{"<!DOCTYPE domstatus SYSTEM '/dev/zero'>" ONE, "it has a document type"},
		{"<!DOCTYPE d [<!ENTITY one '1'>]>" VCPUS("<vcpu id='&one;' pid='7'/>"),
			"it has a document type"},
		{"<!DOCTYPE d [<!ENTITY % e SYSTEM '" FIXTURE "'> %e;]>" ONE,
			"it has a document type"},
		{"<!DOCTYPE d [" ONE, "it has a document type"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct libvirt_answer answer = {0};
		struct problem problem = {0};

		assert_int_equal(parse(cases[i].text, &answer, &problem), -EBADMSG);
		if (!strstr(problem.text, cases[i].says))
			fail_msg("%s: %s", cases[i].text, problem.text);
		assert_null(answer.vcpus);
	}
}

static void repeat(char *to, const char *what, size_t n)
{
	for (to += strlen(to); n; n--)
		to = stpcpy(to, what);
}

static void too_much(void **state)
{
	cleanup_free char *text = calloc(1, LIBVIRT_BYTES_MAX + 2);
	struct libvirt_answer answer = {0};
	struct problem problem = {0};

	(void)state;
	repeat(text, HEAD, 1);
	repeat(text, "<a>", 300000);
	assert_int_equal(parse(text, &answer, &problem), -EBADMSG);
	assert_non_null(strstr(problem.text, "it is no valid XML"));
	/* the library compares each attribute of an element with all the others */
	text[0] = '\0';
	repeat(text, HEAD "<a ", 1);
	for (size_t i = 0, at = strlen(text); i < 100000; i++, at += 11)
		sprintf(text + at, "a%06zu='' ", i);
	repeat(text, "/>" TAIL, 1);
	assert_int_equal(parse(text, &answer, &problem), -EBADMSG);
	assert_string_equal(problem.text, "it says more in one place than libvirt would");
	text[0] = '\0';
	repeat(text, ONE, 1);
	repeat(text, "\n", LIBVIRT_BYTES_MAX - strlen(text));
	assert_int_equal(parse(text, &answer, &problem), 0);
	libvirt_answer_deinit(&answer);
	repeat(text, "\n", 1);
	assert_int_equal(parse(text, &answer, &problem), -EBADMSG);
	assert_string_equal(problem.text, "it is longer than 4 MiB");
}

/* ---- the reader ---- */

static char dir[64];

/* A folder as libvirt's, with the captured file as vm1's. */
static int setup(void **state)
{
	cleanup_free char *text = captured();
	int fd, r;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/libvirt-test.XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	r = file_replace_at(fd, "vm1.xml", text);
	close(fd);
	return r;
}

static int teardown(void **state)
{
	(void)state;
	return remove_tree(dir);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const void *bytes, size_t len)
{
	cleanup_close int fd = open(path_of(name), O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

static void assert_read(const char *name, pid_t pid, int wanted, const char *says)
{
	CLEANUP(libvirt_answer_deinit) struct libvirt_answer answer = {0};
	struct problem problem = {0};
	int r = libvirt_read(dir, name, pid, &answer, &problem);

	if (r != wanted)
		fail_msg("%s: %d (%s), wanted %d", name, r, problem.text, wanted);
	if (!r) {
		assert_captured(&answer);
		assert_string_equal(problem.text, "");
		return;
	}
	assert_null(answer.vcpus);
	assert_memory_equal(problem.text, dir, strlen(dir));
	if (!strstr(problem.text, says))
		fail_msg("%s: %s", name, problem.text);
}

#define NEEDS_ROOT()                                                   \
	do {                                                           \
		if (geteuid() != 0) {                                  \
			print_message("SKIPPED: root's files only\n"); \
			skip();                                        \
		}                                                      \
	} while (0)

static void a_file_of_libvirts(void **state)
{
	int before, after;

	(void)state;
	NEEDS_ROOT();
	before = dup(0);
	close(before);
	assert_read("vm1", 459, 0, NULL);
	assert_read("vm1", 460, -ESTALE, "/vm1.xml: it is of another process, 459");
	assert_read("vm2", 459, 1, "/vm2.xml: No such file or directory");
	put("vm1.xml", HEAD TAIL, strlen(HEAD TAIL));
	assert_read("vm1", 459, 1, "it names no vCPU");
	put("vm1.xml", STARTING, strlen(STARTING));
	assert_read("vm1", 459, 2, "/vm1.xml: libvirt is still starting it");
	assert_read("vm1", 460, -ESTALE, "/vm1.xml: it is of another process, 459");
	put("vm1.xml", HEAD, strlen(HEAD));
	assert_read("vm1", 459, -EBADMSG, "it is no valid XML (line 1)");
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void no_folder(void **state)
{
	(void)state;
	assert_int_equal(libvirt_read("/nonexistent", "vm1", 1, NULL, NULL), 1);
}

static void names(void **state)
{
	char name[NAME_MAX + 1] = "", file[NAME_MAX + 8];

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(mkdir(path_of("sub"), 0755), 0);
	assert_read("", 459, -EBADMSG, "/.xml: no file of such a name");
	assert_read("../vm1", 459, -EBADMSG, "/\\x2e.\\x2fvm1.xml: no file of such");
	assert_read("sub/../vm1", 459, -EBADMSG, "no file of such a name");
	assert_read(".vm1", 459, -EBADMSG, "no file of such a name");
	repeat(name, "n", NAME_MAX - 3);
	assert_read(name, 459, -EBADMSG, "no file of such a name");
	name[NAME_MAX - 4] = '\0';
	assert_read(name, 459, 1, "No such file");
	snprintf(file, sizeof(file), "%s/a b,\xc3\xa9.xml", dir);
	assert_int_equal(rename(path_of("vm1.xml"), file), 0);
	assert_read("a b,\xc3\xa9", 459, 0, NULL);
	assert_read("a b,\xc3\xa9", 1, -ESTALE, "/a\\x20b\\x2c\\xc3\\xa9.xml: it is of");
}

static void what_is_no_regular_file(void **state)
{
	(void)state;
	NEEDS_ROOT();
	assert_int_equal(symlink("vm1.xml", path_of("link.xml")), 0);
	assert_int_equal(symlink("missing", path_of("dangling.xml")), 0);
	assert_int_equal(mkdir(path_of("dir.xml"), 0755), 0);
	assert_int_equal(mkfifo(path_of("fifo.xml"), 0600), 0);
	assert_read("link", 459, -EBADMSG, "it is no regular file");
	assert_read("dangling", 459, -EBADMSG, "it is no regular file");
	assert_read("dir", 459, -EBADMSG, "it is no regular file");
	assert_read("fifo", 459, -EBADMSG, "it is no regular file");
}

static void who_may_write(void **state)
{
	(void)state;
	NEEDS_ROOT();
	assert_int_equal(chmod(path_of("vm1.xml"), 0644), 0);
	assert_read("vm1", 459, 0, NULL);
	assert_int_equal(chmod(path_of("vm1.xml"), 0620), 0);
	assert_read("vm1", 459, -EBADMSG, "others than root may write to it");
	assert_int_equal(chmod(path_of("vm1.xml"), 0602), 0);
	assert_read("vm1", 459, -EBADMSG, "others than root may write to it");
	assert_int_equal(chmod(path_of("vm1.xml"), 0600), 0);
	assert_int_equal(chown(path_of("vm1.xml"), 65534, 0), 0);
	assert_read("vm1", 459, -EBADMSG, "others than root may write to it");
	assert_int_equal(chown(path_of("vm1.xml"), 0, 65534), 0);
	assert_read("vm1", 459, 0, NULL);
	assert_int_equal(chmod(dir, 01777), 0);
	assert_read("vm1", 459, -EBADMSG, "others than root may write to its folder");
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chown(dir, 65534, 0), 0);
	assert_read("vm1", 459, -EBADMSG, "others than root may write to its folder");
}

/* Without root it is as if libvirt did not tell. */
static void who_may_read(void **state)
{
	(void)state;
	NEEDS_ROOT();
	assert_int_equal(seteuid(65534), 0);
	assert_read("vm1", 459, 1, "/vm1.xml: Permission denied");
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_read("vm1", 459, 1, "/vm1.xml: Permission denied");
	assert_int_equal(seteuid(0), 0);
}

static void what_is_in_it(void **state)
{
	cleanup_free char *text = calloc(1, LIBVIRT_BYTES_MAX + 2);

	(void)state;
	NEEDS_ROOT();
	put("vm1.xml", ONE "\0", sizeof(ONE));
	assert_read("vm1", 459, -EBADMSG, "it holds a NUL byte");
	repeat(text, "\n", LIBVIRT_BYTES_MAX + 1);
	put("vm1.xml", text, strlen(text));
	assert_read("vm1", 459, -EBADMSG, "it is longer than 4 MiB");
}

#define READER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_captured_file),
		cmocka_unit_test(half_a_file),
		cmocka_unit_test(only_what_is_in_its_place),
		cmocka_unit_test(no_vcpus_yet),
		cmocka_unit_test(whether_it_is_starting),
		cmocka_unit_test(the_largest_numbers),
		cmocka_unit_test(what_is_not_believed),
		cmocka_unit_test(too_much),
		READER(a_file_of_libvirts),
		cmocka_unit_test(no_folder),
		READER(names),
		READER(what_is_no_regular_file),
		READER(who_may_write),
		READER(who_may_read),
		READER(what_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
