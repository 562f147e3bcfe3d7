/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * GET /metrics, and nothing else, to whoever asks: bounded in number of connections,
 * their memory, how long they may be silent, and how long a request may take in all.
 */
#include <stddef.h>

/* What is answered: text that the callee has allocated. NULL: no memory, and a 503. */
typedef char *http_page_fn(size_t *ret_len, void *data);

/* Serves on that listening socket, which it takes over, for as long as it can: -errno. */
int http_serve(int socket, http_page_fn *page, void *data);
