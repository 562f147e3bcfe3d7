// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library is loaded by who serves, and by nobody else: with what it brings along
 * (TLS, which is not used) it would take three megabytes of the daemon, and as much of
 * each verb.
 *
 * It hangs up on who is silent, but not on who sends or takes a byte now and then. That
 * is done here: a connection is for one request, and whoever is not done with it after
 * late_ns has had his time. Where clients crowd, the earliest gives way as soon as he has
 * had crowded_ns, so that there are places for those who come: no address is favoured or
 * limited, for many hosts may be behind one. With nobody there, nothing here wakes up.
 */
#include "user/daemon/http.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "user/base/clock.h"

enum {
	CONNECTIONS_MAX = 512,
	CROWD = 384, /* more than these are one */
	SILENT_SECONDS = 5,
	CONNECTION_BYTES = 16 << 10, /* request line and headers, too */
	UNSENT_BYTES = 128 << 10,    /* of a page, in the kernel; it takes twice this */
	UNREAD_MS = 10000,	     /* and so long the kernel keeps it */
	FRESH_NS = 200000000,	     /* a younger page is given to the next, too */
	PAGES_MAX = 8,		     /* older ones are taken from whoever is sent one */
};

static const uint64_t late_ns = 10000000000, crowded_ns = 1000000000;

#define TEXT_FORMAT "text/plain; version=0.0.4; charset=utf-8"

#define LIBRARY "libmicrohttpd.so.12"

#define FUNCTIONS(row)                                                         \
	row(MHD_start_daemon) row(MHD_create_response_from_buffer)             \
		row(MHD_add_response_header) row(MHD_queue_response)           \
			row(MHD_destroy_response) row(MHD_get_connection_info) \
				row(MHD_get_daemon_info) row(MHD_get_timeout)  \
					row(MHD_run)

static struct {
#define POINTER(name) __typeof__(name) *name;
	FUNCTIONS(POINTER)
#undef POINTER
} lib;

static int load_library(void)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return -ELIBACC;
#define FIND(name)                                  \
	*(void **)&lib.name = dlsym(handle, #name); \
	if (!lib.name)                              \
		return -ELIBACC;
	FUNCTIONS(FIND)
#undef FIND
	return 0;
}

/* Who is connected. */
struct client {
	struct client *before, *after; /* by when they came */
	int socket;		       /* the library's */
	uint64_t since;		       /* CLOCK_MONOTONIC ns */
	uint64_t page;		       /* that is sent: its number; 0: none yet */
	bool gone; /* hung up on, which the library is yet to notice */
};

struct http {
	struct MHD_Daemon *server;
	http_page_fn *page;
	void *data;
	struct MHD_Response *answer; /* the latest page */
	uint64_t made;		     /* CLOCK_MONOTONIC ns */
	uint64_t n_pages;
	struct client *first, *last;
	size_t n_clients; /* those who are not gone */
};

/* ---- who is there ---- */

/* What the kernel has still to send goes with it: nobody would wait for it. */
static void hang_up(struct http *http, struct client *client)
{
	const struct linger at_once = {.l_onoff = 1};

	if (client->gone)
		return;
	(void)setsockopt(
		client->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)shutdown(client->socket, SHUT_RDWR);
	client->gone = true;
	http->n_clients--;
}

static void add_client(
	struct http *http, struct MHD_Connection *connection, void **ret_client)
{
	const union MHD_ConnectionInfo *info = lib.MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *client = calloc(1, sizeof(*client));

	*ret_client = client;
	if (!client) {
		(void)shutdown(info->connect_fd, SHUT_RDWR);
		return;
	}
	*client = (struct client){.before = http->last,
		.socket = info->connect_fd,
		.since = clock_now_ns()};
	if (client->before)
		client->before->after = client;
	else
		http->first = client;
	http->last = client;
	http->n_clients++;
}

static void remove_client(struct http *http, struct client *client)
{
	if (!client)
		return;
	if (client->before)
		client->before->after = client->after;
	else
		http->first = client->after;
	if (client->after)
		client->after->before = client->before;
	else
		http->last = client->before;
	if (!client->gone)
		http->n_clients--;
	free(client);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **client,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		add_client(data, connection, client);
	else
		remove_client(data, *client);
}

/* Until when those who are there may stay: the first to go is the one who came first. */
static uint64_t patience(const struct http *http)
{
	return http->n_clients > CROWD ? crowded_ns : late_ns;
}

static void hang_up_on_late(struct http *http)
{
	uint64_t now = clock_now_ns();

	for (struct client *client = http->first; client; client = client->after)
		if (now - client->since >= patience(http))
			hang_up(http, client);
		else if (!client->gone)
			break;
}

/* ms, as poll() takes it; -1: nobody is there. */
static int until_late(const struct http *http)
{
	uint64_t now = clock_now_ns(), at;
	const struct client *client = http->first;

	while (client && client->gone)
		client = client->after;
	if (!client)
		return -1;
	at = client->since + patience(http);
	return at > now ? (int)((at - now) / 1000000) + 1 : 0;
}

/* ---- what they get ---- */

/* Pages that somebody takes his time with are kept for him: not more than so many. */
static void forget_pages(struct http *http)
{
	for (struct client *client = http->first; client; client = client->after)
		if (client->page && client->page + PAGES_MAX <= http->n_pages)
			hang_up(http, client);
}

/* All is served by one thread: nobody else is at it. */
static struct MHD_Response *get_page(struct http *http)
{
	char *text;
	size_t len;

	if (http->answer && clock_now_ns() - http->made < FRESH_NS)
		return http->answer;
	if (http->answer)
		lib.MHD_destroy_response(http->answer);
	text = http->page(&len, http->data);
	http->answer = text ? lib.MHD_create_response_from_buffer(
				      len, text, MHD_RESPMEM_MUST_FREE)
			    : NULL;
	http->made = clock_now_ns();
	if (!http->answer) {
		free(text);
		return NULL;
	}
	lib.MHD_add_response_header(
		http->answer, MHD_HTTP_HEADER_CONTENT_TYPE, TEXT_FORMAT);
	lib.MHD_add_response_header(http->answer, MHD_HTTP_HEADER_CONNECTION, "close");
	http->n_pages++;
	forget_pages(http);
	return http->answer;
}

static enum MHD_Result refuse(
	struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct MHD_Response *answer = lib.MHD_create_response_from_buffer(
		strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!answer)
		return MHD_NO;
	lib.MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		lib.MHD_add_response_header(answer, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = lib.MHD_queue_response(connection, status, answer);
	lib.MHD_destroy_response(answer);
	return result;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_len, void **state)
{
	const union MHD_ConnectionInfo *info;
	struct http *http = data;
	struct MHD_Response *answer;
	struct client *client;

	(void)version, (void)upload, (void)upload_len, (void)state;
	/* The rest of whatever somebody sends is not waited for. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	if (strcmp(url, "/metrics") != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	answer = get_page(http);
	if (!answer)
		return refuse(
			connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	info = lib.MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	client = info ? info->socket_context : NULL;
	if (client)
		client->page = http->n_pages;
	return lib.MHD_queue_response(connection, MHD_HTTP_OK, answer);
}

/* ---- the loop ---- */

/* -errno, sooner or later. */
static int serve(struct http *http)
{
	const union MHD_DaemonInfo *info =
		lib.MHD_get_daemon_info(http->server, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd waits = {.events = POLLIN};

	if (!info)
		return -EIO;
	waits.fd = info->epoll_fd;
	for (;;) {
		MHD_UNSIGNED_LONG_LONG its_ms;
		int ms = until_late(http);

		if (lib.MHD_get_timeout(http->server, &its_ms) == MHD_YES &&
			(ms < 0 || its_ms < (MHD_UNSIGNED_LONG_LONG)ms))
			ms = (int)its_ms;
		if (poll(&waits, 1, ms) < 0 && errno != EINTR)
			return -errno;
		if (lib.MHD_run(http->server) != MHD_YES)
			return -EIO;
		hang_up_on_late(http);
	}
}

int http_serve(int socket, http_page_fn *page, void *data)
{
	struct http http = {.page = page, .data = data};
	const int unsent = UNSENT_BYTES, unread_ms = UNREAD_MS;
	int r = load_library();

	if (r)
		return r;
	/* Those that are accepted inherit it. */
	(void)setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &unsent, sizeof(unsent));
	(void)setsockopt(
		socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof(unread_ms));
	http.server = lib.MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request,
		&http, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)socket,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)SILENT_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, &http, MHD_OPTION_END);
	if (!http.server)
		return errno ? -errno : -EIO;
	return serve(&http);
}
