/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The exporter's own process, a child of the daemon's. It opens the observer, gives up
 * every privilege, and then reads memory and answers HTTP: whoever takes it over has a
 * nobody without capabilities, who cannot gain any.
 */
#include <sys/types.h>

#include "user/daemon/board.h"

/* What the daemon tells: how VMs are placed, and what looks have done. */
struct boards {
	struct board *placement, *work;
};

/* In the child; it does not return, and ends with its parent, the daemon. `socket`
 * listens. */
_Noreturn void scrape_run(int socket, const struct boards *boards, pid_t daemon);
