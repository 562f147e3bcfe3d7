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

static int ask(void)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_return_code(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	return fd;
}

/* It has a page of its own, once the one before it is no longer young. */
static void wait_for_page(int fd)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct pollfd answer = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&answer, 1, 10000), 1);
	nanosleep(&pause, NULL);
}

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

static int was_hung_up_on(int fd)
{
	struct pollfd end = {.fd = fd};

	return poll(&end, 1, 0) == 1 && (end.revents & (POLLHUP | POLLERR));
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
	int clients[CLIENTS], fd;

	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = ask();
		wait_for_page(clients[i]);
	}
	for (int i = 0; i < CLIENTS; i++)
		if (was_hung_up_on(clients[i]) != (i < CLIENTS - KEPT))
			fail_msg("client %d of %d was %shung up on", i, CLIENTS,
				was_hung_up_on(clients[i]) ? "" : "not ");
	assert_in_range(resident_kib(), 0, (KEPT + 1) * (PAGE_BYTES >> 10) + (16 << 10));
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
