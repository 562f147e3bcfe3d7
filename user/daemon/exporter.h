/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Keeps the exporter (scrape.h) running: its socket, its process, and the page of what
 * only the daemon knows. Without it everything else goes on.
 */
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "user/base/problem.h"

struct exporter;

/* In the exporter's process: gives up what it has of the daemon's. */
typedef void let_go_fn(void *data);

/* Nothing is served yet. SIGCHLD is blocked. The caller owns it: exporter_free(), which
 * ends the process. */
int exporter_new(sd_event *event, let_go_fn *let_go, void *data,
	struct exporter **ret_exporter, struct problem *problem);
void exporter_free(struct exporter *exporter); /* NULL is fine */

/*
 * Serves on that address, ADDRESS:PORT, or on the socket that systemd has passed,
 * whatever its address; NULL: on that one alone. Nothing to do where it does so already,
 * unless `anew`: there is another observer. What fails is told in the log, once, and
 * tried again at the next call.
 */
void exporter_serve(struct exporter *exporter, const char *address, bool anew);

/* What only the daemon knows, in Prometheus' format: how VMs are placed, and what looks
 * have done. NULL leaves it as it is. */
void exporter_publish_placement(struct exporter *exporter, const char *text, size_t len);
void exporter_publish_work(struct exporter *exporter, const char *text, size_t len);
