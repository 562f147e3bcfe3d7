// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/qemu_args.c, against what QEMU itself makes of these command lines. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/qemu_args.h"

#define FIXTURES "tests/fixtures/host/"

/* Arguments are written here with '\n' after each, which stands for the NUL. */
static void parse(const char *lines, struct qemu_args *ret_args)
{
	cleanup_free char *vector = strdup(lines);
	size_t len = strlen(lines);

	for (size_t i = 0; i < len; i++)
		if (vector[i] == '\n')
			vector[i] = '\0';
	assert_int_equal(qemu_args_parse(vector, len, ret_args), 0);
}

static void assert_name(const char *lines, const char *name)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;

	parse(lines, &args);
	if (!name)
		assert_null(args.name);
	else
		assert_string_equal(args.name, name);
}

static void names(void **state)
{
	(void)state;
	assert_name("qemu\n-name\nguest=web1,debug-threads=on\n", "web1");
	assert_name("qemu\n--name\nweb1\n", "web1");
	assert_name("qemu\n-name\nweb1,process=x\n", "web1");
	assert_name("qemu\n-name\ndebug-threads=on,guest=web1\n", "web1");
	assert_name("qemu\n-name\na,,b,debug-threads=on\n", "a,b");
	assert_name("qemu\n-name\nguest=a,,,,b\n", "a,,b");
	assert_name("qemu\n-name\nguest=a,guest=b\n", "b");
	assert_name("qemu\n-name\na\n-name\nb\n", "b");
	assert_name("qemu\n-name\na\n-name\ndebug-threads=on\n", "a");
	assert_name("qemu\n-name\nguest=\n", "");
	assert_name("qemu\n-name\n,debug-threads=on\n", "");
	assert_name("qemu\n-name\n\n", NULL);
	assert_name("qemu\n-m\n32\n", NULL);
	assert_name("qemu\n-name\n", NULL);
	assert_name("qemu\n---name\na\n", NULL);
	assert_name("-name\na\n", "a");
	assert_name("qemu\n-name\nlast-without-NUL", "last-without-NUL");
	assert_name("", NULL);
	assert_name("\n\n\n", NULL);
	/* the value of an option of interest is no option itself */
	assert_name("qemu\n-qmp\n-name\nx\n", NULL);
}

static void probes(void **state)
{
	static const struct {
		const char *lines;
		bool probe;
	} cases[] = {
		{"qemu\n-machine\nnone,accel=kvm:tcg\n", true},
		{"qemu\n-M\nnone\n", true},
		{"qemu\n--machine\naccel=kvm,type=none\n", true},
		{"qemu\n-machine\nnone\n-machine\npc\n", false},
		{"qemu\n-machine\nnone\n-machine\naccel=tcg\n", true},
		{"qemu\n-machine\npc\n", false},
		{"qemu\n-append\nnone\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(qemu_args_deinit) struct qemu_args args;

		parse(cases[i].lines, &args);
		assert_int_equal(args.probe, cases[i].probe);
	}
}

/* `paths`: what is expected, each with ';' after it. */
static void assert_sockets(const char *lines, const char *paths)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;
	char found[1024] = "";

	parse(lines, &args);
	for (size_t i = 0; i < args.n_qmp_paths; i++) {
		strcat(found, args.qmp_paths[i]);
		strcat(found, ";");
	}
	assert_string_equal(found, paths);
}

static void sockets_of_qmp(void **state)
{
	(void)state;
	assert_sockets("q\n-qmp\nunix:/run/a.sock,server=on,wait=off\n", "/run/a.sock;");
	assert_sockets("q\n-qmp\nunix:/run/a.sock,server,nowait\n", "/run/a.sock;");
	assert_sockets("q\n-qmp-pretty\nunix:a.sock,server=yes\n", "a.sock;");
	assert_sockets("q\n--qmp\nunix:path=/a,server=on\n", "/a;");
	assert_sockets("q\n-qmp\nunix:/a,,b,server=on\n", "/a,b;");
	assert_sockets("q\n-qmp\nunix:/a,server=on\n-qmp\nunix:/b,server=on\n", "/a;/b;");
	/* QEMU is the client */
	assert_sockets("q\n-qmp\nunix:/a\n", "");
	assert_sockets("q\n-qmp\nunix:/a,server=off\n", "");
	assert_sockets("q\n-qmp\nunix:/a,server=on,noserver\n", "");
	/* no path to connect to */
	assert_sockets("q\n-qmp\nunix:/a,server=on,abstract=on\n", "");
	assert_sockets("q\n-qmp\nunix:,server=on\n", "");
	assert_sockets("q\n-qmp\nstdio\n", "");
	assert_sockets("q\n-qmp\ntcp:localhost:4444,server=on\n", "");
	assert_sockets("q\n-monitor\nunix:/hmp,server=on\n", "");
	assert_sockets("q\n-serial\nunix:/tty,server=on\n", "");
	assert_sockets("q\n-qmp\n", "");
	assert_sockets(
		"q\n-qmp\nunix:1,server\n-qmp\nunix:2,server\n-qmp\nunix:3,server\n-qmp\n"
		"unix:4,server\n-qmp\nunix:5,server\n",
		"1;2;3;4;");
}

static void sockets_of_chardevs(void **state)
{
	(void)state;
	assert_sockets("q\n-chardev\nsocket,id=m,path=/a,server=on,wait=off\n"
		       "-mon\nchardev=m,mode=control\n",
		"/a;");
	assert_sockets("q\n-mon\nm,mode=control,pretty=on\n"
		       "-chardev\nsocket,id=m,path=/a,server=on\n",
		"/a;");
	assert_sockets(
		"q\n-chardev\npath=/a,backend=socket,server,id=m\n-qmp\nchardev:m\n",
		"/a;");
	assert_sockets("q\n-chardev\nsocket,id=m,path=/a,server=on\n", "");
	assert_sockets("q\n-chardev\nsocket,id=m,path=/a,server=on\n-mon\nm\n", "");
	assert_sockets(
		"q\n-chardev\nsocket,id=m,path=/a,server=on\n-mon\nm,mode=readline\n",
		"");
	assert_sockets(
		"q\n-chardev\nsocket,id=m,path=/a,server=on\n-mon\nn,mode=control\n", "");
	assert_sockets("q\n-chardev\nsocket,id=m,path=/a\n-mon\nm,mode=control\n", "");
	assert_sockets(
		"q\n-chardev\nfile,id=m,path=/a,server=on\n-mon\nm,mode=control\n", "");
	assert_sockets(
		"q\n-chardev\nsocket,path=/a,server=on\n-mon\nm,mode=control\n", "");
	/* a serial line's socket and the monitor's */
	assert_sockets(
		"q\n-chardev\nsocket,id=s,path=/tty,server=on\n"
		"-chardev\nsocket,id=m,path=/qmp,server=on\n-mon\nm,mode=control\n",
		"/qmp;");
}

/* As libvirt 9.0 and older ones start it. */
static void the_monitor_of_libvirt(void **state)
{
	static const char *const lines[] = {
		"q\n-name\nguest=web1,debug-threads=on\n"
		"-chardev\nsocket,id=charmonitor,fd=22,server=on,wait=off\n"
		"-mon\nchardev=charmonitor,id=monitor,mode=control\n",
		"q\n-chardev\nsocket,id=charmonitor,"
		"path=/var/lib/libvirt/qemu/domain-1-web1/monitor.sock,server,nowait\n"
		"-mon\nchardev=charmonitor,id=monitor,mode=control\n",
		("q\n-mon\nchardev=renamed,mode=control\n-chardev\nsocket,id=renamed,"
		 "path=/root/.config/libvirt/qemu/lib/domain-1-web1/monitor.sock,server=on\n"),
		"q\n-qmp\nunix:/var/lib/libvirt/qemu/domain-1-web1/monitor.sock,server=on\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		CLEANUP(qemu_args_deinit) struct qemu_args args;

		parse(lines[i], &args);
		assert_true(args.libvirt);
		assert_int_equal(args.n_qmp_paths, 0);
	}
	/* a monitor of the operator's beside it may be used */
	assert_sockets(
		"q\n-chardev\nsocket,id=charmonitor,fd=22,server=on\n"
		"-mon\nchardev=charmonitor,mode=control\n-qmp\nunix:/own,server=on\n",
		"/own;");
}

static void a_captured_command_line(void **state)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;
	char text[4096];
	ssize_t len = file_read_raw_at(
		AT_FDCWD, FIXTURES "cmdline-qemu-7.2", text, sizeof(text));

	(void)state;
	assert_true(len > 0);
	assert_int_equal(qemu_args_parse(text, (size_t)len, &args), 0);
	assert_string_equal(args.name, "t1");
	assert_int_equal(args.n_qmp_paths, 1);
	assert_string_equal(args.qmp_paths[0], "/tmp/t1.qmp");
	assert_false(args.libvirt || args.probe);
}

static void too_long(void **state)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args = {0};
	cleanup_free char *vector = calloc(1, QEMU_ARGS_MAX + 1);

	(void)state;
	assert_int_equal(qemu_args_parse(vector, QEMU_ARGS_MAX + 1, &args), -E2BIG);
	assert_int_equal(qemu_args_parse(vector, QEMU_ARGS_MAX, &args), 0);
}

static void many_chardevs(void **state)
{
	enum { N = 20000 };
	CLEANUP(qemu_args_deinit) struct qemu_args args = {0};
	cleanup_free char *lines = malloc(N * 50);
	size_t len = 0;

	(void)state;
	for (int i = 0; i < N; i++)
		len += (size_t)sprintf(
			lines + len, "-chardev\nsocket,id=%d,path=/a,server\n", i);
	parse(lines, &args);
	assert_int_equal(args.n_qmp_paths, 0);
}

static void assert_file_name(const char *name, const char *wanted)
{
	char found[VM_NAME_SIZE];

	qemu_args_file_name(name, found);
	assert_string_equal(found, wanted);
}

static void file_names(void **state)
{
	(void)state;
	assert_file_name("", "");
	assert_file_name("web-1_a.b:c@d+E9", "web-1_a.b:c@d+E9");
	assert_file_name("a/b", "a\\x2fb");
	assert_file_name("../etc", "\\x2e.\\x2fetc");
	assert_file_name("..", "\\x2e.");
	assert_file_name(".hidden", "\\x2ehidden");
	assert_file_name("a b\n\x7f", "a\\x20b\\x0a\\x7f");
	assert_file_name("\xc3\xa4", "\\xc3\\xa4");
	/* what looks like an escape is escaped itself, so nobody can feign another's name
	 */
	assert_file_name("a\\x2fb", "a\\x5cx2fb");
}

static void file_names_are_cut(void **state)
{
	char name[400], found[VM_NAME_SIZE];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[399] = '\0';
	qemu_args_file_name(name, found);
	assert_int_equal(strlen(found), VM_NAME_SIZE - 1);
	/* an escape fits whole at 123 and no later: 123 + 4 = VM_NAME_SIZE - 1 */
	for (size_t at = 120; at < 130; at++) {
		memset(name, 'a', sizeof(name));
		name[at] = '/';
		name[at + 1] = '\0';
		qemu_args_file_name(name, found);
		assert_int_equal(strlen(found), at <= 123 ? at + 4 : at < 127 ? at : 127);
	}
}

static void assert_vcpus(const char *lines, unsigned int n)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;

	parse(lines, &args);
	assert_int_equal(args.n_vcpus, n);
}

static void assert_smp(const char *lines, unsigned int sockets, unsigned int dies,
	unsigned int cores, unsigned int threads)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;

	parse(lines, &args);
	assert_int_equal(args.smp.sockets, sockets);
	assert_int_equal(args.smp.dies, dies);
	assert_int_equal(args.smp.cores, cores);
	assert_int_equal(args.smp.threads, threads);
}

static void vcpus(void **state)
{
	(void)state;
	assert_vcpus("q\n", 1);
	assert_vcpus("q\n-smp\n4\n", 4);
	assert_vcpus("q\n--smp\ncpus=4,maxcpus=8\n", 4);
	assert_vcpus("q\n-smp\n4,sockets=2,cores=2,threads=1\n", 4);
	assert_vcpus("q\n-smp\nsockets=2,cores=3,threads=2\n", 12);
	assert_vcpus("q\n-smp\nmaxcpus=6\n", 6);
	assert_vcpus("q\n-smp\n2\n-smp\ncpus=3\n", 3);
	assert_vcpus("q\n-machine\nq35,smp.cpus=5\n", 5);
	assert_vcpus("q\n-smp\n8192\n", 8192);
	assert_vcpus("q\n-smp\n8193\n", 0);
	assert_vcpus("q\n-smp\nmany\n", 0);
	assert_vcpus("q\n-smp\n-1\n", 0);
	assert_vcpus("q\n-smp\nsockets=8000,cores=8000,threads=8000\n", 0);
	assert_smp("q\n-smp\n4\n", 0, 0, 0, 0);
	assert_smp("q\n-smp\n4,threads=2\n", 1, 1, 2, 2);
	assert_smp("q\n-smp\n8,sockets=2,cores=2,threads=2\n", 2, 1, 2, 2);
	assert_smp("q\n-smp\n2,maxcpus=12,sockets=2,dies=3\n", 2, 3, 2, 1);
	assert_smp("q\n-smp\n4,sockets=8000,dies=8000,clusters=8000,modules=8000\n", 0, 0,
		0, 0);
	assert_smp("q\n-smp\n2,sockets=4,threads=2\n", 4, 1, 1, 2);
}

static void assert_iothreads(const char *lines, const char *ids)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;
	char found[128] = "";

	parse(lines, &args);
	for (size_t i = 0; i < args.n_iothreads; i++)
		sprintf(found + strlen(found), "%s;", args.iothreads[i]);
	assert_string_equal(found, ids);
}

static void iothreads(void **state)
{
	(void)state;
	assert_iothreads("q\n-object\niothread,id=io1\n-object\nrng-random,id=r\n"
			 "-object\nid=b,,c,qom-type=iothread\n",
		"io1;b,c;");
	assert_iothreads(
		"q\n-object\n{\"qom-type\":\"iothread\",\"id\":\"iothread1\"}\n"
		"-object\n{\"qom-type\":\"rng\",\"id\":\"r\"}\n-object\n{\"qom-\n"
		"-object\n{\"qom-type\":[1]}\n",
		"iothread1;");
}

static void assert_daemonizes(const char *lines, bool wanted)
{
	CLEANUP(qemu_args_deinit) struct qemu_args args;

	parse(lines, &args);
	assert_int_equal(args.daemonize, wanted);
	assert_string_equal(args.name, "a");
}

static void daemons(void **state)
{
	(void)state;
	assert_daemonizes("q\n-name\na\n", false);
	assert_daemonizes("q\n-name\na\n-daemonize\n", true);
	assert_daemonizes("q\n--daemonize\n-name\na\n", true);
	assert_daemonizes("q\n-name\na\n-append\n--daemonized\n", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(probes),
		cmocka_unit_test(sockets_of_qmp),
		cmocka_unit_test(sockets_of_chardevs),
		cmocka_unit_test(the_monitor_of_libvirt),
		cmocka_unit_test(a_captured_command_line),
		cmocka_unit_test(too_long),
		cmocka_unit_test(many_chardevs),
		cmocka_unit_test(file_names),
		cmocka_unit_test(file_names_are_cut),
		cmocka_unit_test(vcpus),
		cmocka_unit_test(iothreads),
		cmocka_unit_test(daemons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
