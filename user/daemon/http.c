// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library is loaded by who serves, and by nobody else: with what it brings along
 * (TLS, which is not used) it would take three megabytes of the daemon, and as much of
 * each verb.
 */
#include "user/daemon/http.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"

enum {
	CONNECTIONS_MAX = 256,
	SILENT_SECONDS = 5,
	CONNECTION_BYTES = 16 << 10,
	FRESH_NS = 200000000, /* a page younger than this is given to the next, too */
};

#define TEXT_FORMAT "text/plain; version=0.0.4; charset=utf-8"

#define LIBRARY "libmicrohttpd.so.12"

#define FUNCTIONS(row)                                               \
	row(MHD_start_daemon) row(MHD_create_response_from_buffer)   \
		row(MHD_add_response_header) row(MHD_queue_response) \
			row(MHD_destroy_response)

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

struct http {
	struct MHD_Daemon *server;
	http_page_fn *page;
	void *data;
	struct MHD_Response *answer; /* the latest page */
	uint64_t made;		     /* CLOCK_MONOTONIC ns */
};

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
	if (http->answer)
		lib.MHD_add_response_header(
			http->answer, MHD_HTTP_HEADER_CONTENT_TYPE, TEXT_FORMAT);
	else
		free(text);
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
	struct MHD_Response *answer;

	(void)version, (void)upload, (void)upload_len, (void)state;
	/* The rest of whatever somebody sends is not waited for. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	if (strcmp(url, "/metrics") != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	answer = get_page(data);
	if (!answer)
		return refuse(
			connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	return lib.MHD_queue_response(connection, MHD_HTTP_OK, answer);
}

int http_start(int socket, http_page_fn *page, void *data, struct http **ret_http)
{
	struct http *http;
	int r = load_library();

	if (r)
		return r;
	http = calloc(1, sizeof(*http));
	if (!http)
		return -ENOMEM;
	*http = (struct http){.page = page, .data = data};
	http->server = lib.MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
		on_request, http, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)socket,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)SILENT_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_END);
	if (!http->server) {
		free(http);
		return errno ? -errno : -EIO;
	}
	*ret_http = http;
	return 0;
}
