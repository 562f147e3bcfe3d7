// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that nobody takes. What slow clients do to who scrapes is
 * tests/vm/test_exporter_clients.py's matter.
 */
#include "user/daemon/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdbool.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum {
	PAGE_BYTES = 4 << 20,
	CLIENTS = 12,
	KEPT = 8,
	PATIENCE_MS = 20000,
	PAUSE_NS = 250000000, /* longer than a page is given to the next, too */
};

static struct sockaddr_in address;
static pid_t server;

/* Far more than sockets hold. */
static char *big_page(size_t *ret_len, void *data)
{
	char *text = malloc(PAGE_BYTES);

	(void)data;
	if (text)
		memset(text, 'x', PAGE_BYTES);
	*ret_len = PAGE_BYTES;
	return text;
}

static int start(void **state)
{
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)state;
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
		listen(fd, CLIENTS) || getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	server = fork();
	if (!server) {
		signal(SIGPIPE, SIG_IGN);
		_exit(http_serve(fd, big_page, NULL) ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	close(fd);
	return server < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	kill(server, SIGKILL);
	return waitpid(server, NULL, 0) == server ? 0 : -1;
}

/* Until it is being answered. */
static int ask(void)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_return_code(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	assert_int_equal(
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PATIENCE_MS), 1);
	return fd;
}

/* The address sanitizer keeps what was freed for a while. */
#ifdef __SANITIZE_ADDRESS__
enum { FREED_KIB = 256 << 10 };
#else
enum { FREED_KIB = 0 };
#endif

static unsigned long resident_kib(void)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", server);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

static bool was_hung_up_on(int fd, int within_ms)
{
	struct pollfd end = {.fd = fd};

	return poll(&end, 1, within_ms) == 1 && (end.revents & (POLLHUP | POLLERR));
}

/* All of it, by one who reads: the number of bytes behind the head. */
static size_t read_page(int fd)
{
	static char all[PAGE_BYTES + 4096];
	size_t len = 0;
	ssize_t n;
	char *body;

	while ((n = read(fd, all + len, sizeof(all) - 1 - len)) > 0)
		len += (size_t)n;
	all[len] = '\0';
	body = strstr(all, "\r\n\r\n");
	assert_non_null(body);
	return len - (size_t)(body + 4 - all);
}

static void test_pages_that_nobody_takes(void **state)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int clients[CLIENTS], fd;

	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = ask();
		/* The next one has a page of its own. */
		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < CLIENTS - KEPT; i++)
		if (!was_hung_up_on(clients[i], PATIENCE_MS))
			fail_msg("client %d was not hung up on", i);
	for (int i = CLIENTS - KEPT; i < CLIENTS; i++)
		if (was_hung_up_on(clients[i], 0))
			fail_msg("client %d was hung up on", i);
	assert_in_range(resident_kib(), 0,
		(KEPT + 1) * (PAGE_BYTES >> 10) + (16 << 10) + FREED_KIB);
	/* Whoever reads has all of it, meanwhile. */
	fd = ask();
	assert_int_equal(read_page(fd), PAGE_BYTES);
	close(fd);
	for (int i = 0; i < CLIENTS; i++)
		close(clients[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_pages_that_nobody_takes, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
