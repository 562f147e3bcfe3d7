/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * GET /metrics, and nothing else, to whoever asks: bounded in number of connections,
 * their memory and how long they may be silent.
 */
#include <stddef.h>

struct http;

/* What is answered: text that the callee has allocated. NULL: no memory, and a 503. */
typedef char *http_page_fn(size_t *ret_len, void *data);

/* Serves on that listening socket, which it takes over, in a thread of its own. -errno.
 */
int http_start(int socket, http_page_fn *page, void *data, struct http **ret_http);
