// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * user/host/qmp.c against monitors in processes of their own: honest, slow, silent,
 * lying, endless, somebody else's. Each listens on `sock` in a temporary directory, which
 * is its working directory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/remove_tree.h"
#include "user/base/cleanup.h"
#include "user/host/proc.h"
#include "user/host/qmp.h"

#define GREETING "{\"QMP\":{\"version\":{}}}\r\n"
#define EVENT "{\"timestamp\":{\"seconds\":1},\"event\":\"RESUME\"}\r\n"

enum { LIMIT_MS = 300, LATEST_MS = 900 };

struct server {
	pid_t pid;
	int procfd;
	char dir[256]; /* absolute */
};

typedef void (*serve_fn)(int listener);

static int listen_here(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, backlog) < 0)
		abort();
	return fd;
}

/* `root`: the server's root becomes its directory. */
static void start(struct server *server, serve_fn serve, const char *subdir, bool root)
{
	int ready[2];
	char byte;

	snprintf(server->dir, sizeof(server->dir), "/tmp/qmp-test.XXXXXX");
	assert_non_null(mkdtemp(server->dir));
	assert_int_equal(pipe(ready), 0);
	server->pid = fork();
	if (!server->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(server->dir) < 0 || (root && chroot(".") < 0) ||
			(subdir && (mkdir(subdir, 0700) < 0 || chdir(subdir) < 0)))
			abort();
		int listener = serve ? listen_here(8) : -1;

		if (write(ready[1], "", 1) != 1)
			abort();
		if (serve)
			serve(listener);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(proc_open(server->pid, &server->procfd), 0);
}

static void stop(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	close(server->procfd);
	remove_tree(server->dir);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int query(struct server *server, const char *path, struct problem *problem)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};
	uint64_t start_ms = now_ms(), took;
	int r;

	r = qmp_query(server->procfd, server->pid, path, LIMIT_MS, &answer, problem);
	took = now_ms() - start_ms;
	assert_true(took < LATEST_MS);
	if (r == -ETIMEDOUT)
		assert_true(took >= LIMIT_MS - 1);
	if (!r) {
		assert_int_equal(answer.n_vcpus, 1);
		assert_int_equal(answer.vcpus[0].tid, server->pid);
		assert_int_equal(answer.n_iothreads, 1);
		assert_string_equal(answer.iothreads[0].id, "io1");
	} else {
		assert_int_equal(answer.n_vcpus, 0);
		assert_non_null(strstr(problem->text, "QMP socket "));
	}
	return r;
}

static void run(serve_fn serve, int wanted)
{
	struct problem problem = {0};
	struct server server;

	start(&server, serve, NULL, false);
	assert_int_equal(query(&server, "sock", &problem), wanted);
	stop(&server);
}

/* ---- monitors ---- */

static void put(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void get(int fd, const char *wanted)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	if (strcmp(buf, wanted) != 0)
		_exit(1);
}

static void be_honest_to(int fd)
{
	char text[256];

	put(fd, GREETING);
	get(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	put(fd, EVENT "{\"return\":{}}\r\n");
	get(fd, "{\"execute\":\"query-cpus-fast\"}\n");
	snprintf(text, sizeof(text),
		"{\"return\":[{\"cpu-index\":0,\"thread-id\":%d}]}\r\n" EVENT, getpid());
	put(fd, text);
	get(fd, "{\"execute\":\"query-iothreads\"}\n");
	put(fd, "{\"return\":[{\"id\":\"io1\",\"thread-id\":5}]}\r\n");
}

static void honest(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		be_honest_to(fd);
		close(fd);
	}
}

/* QEMU that has a client already: it doesn't accept, the kernel does. */
static void busy(int listener)
{
	(void)listener;
}

static void mute(int listener)
{
	accept(listener, NULL, NULL);
}

static void mute_later(int listener)
{
	int fd = accept(listener, NULL, NULL);

	put(fd, GREETING);
	get(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	put(fd, "{\"return\":{}}\r\n{\"ret");
}

static void trickle(int fd, const char *text, useconds_t pause_us)
{
	for (; *text; text++) {
		char one[2] = {*text};

		put(fd, one);
		usleep(pause_us);
	}
}

static void slow_but_in_time(int listener)
{
	int fd = accept(listener, NULL, NULL);

	trickle(fd, "  {\"QMP\":", 1000);
	put(fd, "{}}");
	get(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	put(fd, "{\"return\":{}}\r\n");
	get(fd, "{\"execute\":\"query-cpus-fast\"}\n");
	dprintf(fd, "{\"return\":[{\"cpu-index\":0,\"thread-id\":%d}]}\r\n", getpid());
	get(fd, "{\"execute\":\"query-iothreads\"}\n");
	trickle(fd, "{\"return\":[{\"id\":\"io1\",\"thread-id\":5}]}", 500);
}

static void slow(int listener)
{
	trickle(accept(listener, NULL, NULL), GREETING GREETING GREETING, 20000);
}

static void hangs_up(int listener)
{
	close(accept(listener, NULL, NULL));
}

static void hangs_up_later(int listener)
{
	int fd = accept(listener, NULL, NULL);

	put(fd, GREETING);
	get(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	close(fd);
}

static void lies(int listener)
{
	int fd = accept(listener, NULL, NULL);

	put(fd, GREETING);
	get(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	put(fd, "{\"return\":{}}");
	get(fd, "{\"execute\":\"query-cpus-fast\"}\n");
	put(fd, "{\"return\":[{\"cpu-index\":-1,\"thread-id\":1}]}");
}

static void say_endlessly(int listener, const char *text)
{
	int fd = accept(listener, NULL, NULL);

	for (;;)
		put(fd, text);
}

static void endless_events(int listener)
{
	say_endlessly(listener, EVENT);
}

static void endless_space(int listener)
{
	static char space[65536];

	memset(space, ' ', sizeof(space) - 1);
	say_endlessly(listener, space);
}

static void endless_depth(int listener)
{
	say_endlessly(listener, "[[[[[[[[");
}

static void no_json(int listener)
{
	put(accept(listener, NULL, NULL), "SSH-2.0-OpenSSH_9.2p1\r\n");
}

/* ---- tests ---- */

static void an_honest_one(void **state)
{
	(void)state;
	run(honest, 0);
	run(slow_but_in_time, 0);
}

static void again_and_again(void **state)
{
	struct server server;

	(void)state;
	start(&server, honest, NULL, false);
	for (int i = 0; i < 20; i++)
		assert_int_equal(query(&server, "sock", NULL), 0);
	stop(&server);
}

static void silence(void **state)
{
	(void)state;
	run(busy, -ETIMEDOUT);
	run(mute, -ETIMEDOUT);
	run(mute_later, -ETIMEDOUT);
	run(slow, -ETIMEDOUT);
}

static void the_sentence(void **state)
{
	struct problem problem = {0};
	struct server server;

	(void)state;
	start(&server, mute_later, NULL, false);
	assert_int_equal(query(&server, "sock", &problem), -ETIMEDOUT);
	assert_string_equal(problem.text,
		"QMP socket sock: no query-cpus-fast came in time "
		"(is another client on it?)");
	stop(&server);
}

static void a_stopped_process(void **state)
{
	struct problem problem = {0};
	struct server server;

	(void)state;
	start(&server, honest, NULL, false);
	kill(server.pid, SIGSTOP);
	assert_int_equal(query(&server, "sock", &problem), -ETIMEDOUT);
	stop(&server);
}

static void nonsense(void **state)
{
	(void)state;
	run(hangs_up, -EBADMSG);
	run(hangs_up_later, -EBADMSG);
	run(lies, -EBADMSG);
	run(no_json, -EBADMSG);
	run(endless_events, -EBADMSG);
	run(endless_space, -EBADMSG);
	run(endless_depth, -EBADMSG);
}

static void a_full_backlog(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct problem problem = {0};
	struct server server;
	int fds[64], n = 0;

	(void)state;
	start(&server, busy, NULL, false);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/sock", server.dir);
	do
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (!connect(fds[n], (struct sockaddr *)&address, sizeof(address)) &&
		++n < 64);
	assert_true(n < 64);
	assert_int_equal(
		qmp_query(server.procfd, server.pid, "sock", LIMIT_MS, NULL, &problem),
		-ETIMEDOUT);
	for (; n >= 0; n--)
		close(fds[n]);
	stop(&server);
}

/* The path leads to a socket of another process: not a byte is exchanged. */
static void another_listens(void **state)
{
	struct server victim, liar;
	struct problem problem = {0};
	char path[512];

	(void)state;
	start(&victim, honest, NULL, false);
	start(&liar, busy, NULL, false);
	snprintf(path, sizeof(path), "%s/sock", victim.dir);
	assert_int_equal(query(&victim, path, NULL), 0);
	assert_int_equal(query(&liar, path, &problem), -EPERM);
	assert_non_null(strstr(problem.text, "listens, not the QEMU itself"));
	stop(&liar);
	stop(&victim);
}

static void what_is_no_socket(void **state)
{
	static const struct {
		const char *path;
		int r;
	} cases[] = {
		{"missing", -ENOENT},
		{"", -ENOENT},
		{".", -ENOTSOCK},
		{"file", -ENOTSOCK},
		{"fifo", -ENOTSOCK},
		{"link", -ENOTSOCK},
		{"file/x", -ENOTDIR},
		{"stale", -ECONNREFUSED},
		{"/proc/self/cwd/sock", -ELOOP},
		{"/proc/self/fd/0", -ENOTSOCK},
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct server server;
	char path[512];
	int fd;

	(void)state;
	start(&server, honest, NULL, false);
	snprintf(path, sizeof(path), "%s/file", server.dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/fifo", server.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/link", server.dir);
	assert_int_equal(symlink("sock", path), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/stale", server.dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problem problem = {0};

		assert_int_equal(query(&server, cases[i].path, &problem), cases[i].r);
	}
	stop(&server);
}

static void a_hostile_path_in_the_sentence(void **state)
{
	struct problem problem = {0};
	struct server server;

	(void)state;
	start(&server, honest, NULL, false);
	assert_int_equal(query(&server, "a\x1b[2J\xc2\x9b\nb", &problem), -ENOENT);
	assert_string_equal(
		problem.text, "QMP socket a?[2J???b: No such file or directory");
	stop(&server);
}

static void a_path_longer_than_an_address(void **state)
{
	struct server server;
	char subdir[200], path[600];

	(void)state;
	memset(subdir, 'd', sizeof(subdir));
	subdir[sizeof(subdir) - 1] = '\0';
	start(&server, honest, subdir, false);
	snprintf(path, sizeof(path), "%s/%s/sock", server.dir, subdir);
	assert_int_equal(query(&server, path, NULL), 0);
	assert_int_equal(query(&server, "sock", NULL), 0);
	snprintf(path, sizeof(path), "../%s/sock", subdir);
	assert_int_equal(query(&server, path, NULL), 0);
	stop(&server);
}

/* Paths mean what they mean to the process: below its root, symbolic links too. */
static void in_a_root_of_its_own(void **state)
{
	struct problem problem = {0};
	struct server server;
	char path[512];

	(void)state;
	if (geteuid() != 0) {
		print_message("SKIPPED: chroot needs root\n");
		skip();
	}
	start(&server, honest, "sub", true);
	snprintf(path, sizeof(path), "%s/link", server.dir);
	assert_int_equal(symlink("/sub", path), 0);
	assert_int_equal(query(&server, "/sub/sock", NULL), 0);
	assert_int_equal(query(&server, "/link/sock", NULL), 0);
	assert_int_equal(query(&server, "/../../sub/sock", NULL), 0);
	snprintf(path, sizeof(path), "%s/sub/sock", server.dir);
	assert_int_equal(query(&server, path, &problem), -ENOENT);
	stop(&server);
}

static void nothing_is_left_open(void **state)
{
	struct problem problem = {0};
	struct server server;
	int before, after;

	(void)state;
	start(&server, hangs_up, NULL, false);
	before = dup(0);
	close(before);
	query(&server, "sock", &problem);
	query(&server, "missing", &problem);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_one),
		cmocka_unit_test(again_and_again),
		cmocka_unit_test(silence),
		cmocka_unit_test(the_sentence),
		cmocka_unit_test(a_stopped_process),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(a_full_backlog),
		cmocka_unit_test(another_listens),
		cmocka_unit_test(what_is_no_socket),
		cmocka_unit_test(a_hostile_path_in_the_sentence),
		cmocka_unit_test(a_path_longer_than_an_address),
		cmocka_unit_test(in_a_root_of_its_own),
		cmocka_unit_test(nothing_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
