/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* How the daemon stands, as systemd is told (sd_notify(3)): ready, its status line, and
 * that it makes progress. */
#include <stdbool.h>

#include "user/daemon/pass.h"

struct standing {
	bool ready;
	struct problem failure; /* why the last pass could not be had; "": it could */
};

/* A pass is over. `config`: why the configuration in force is not the files', or "". */
void standing_tell_pass(
	struct standing *standing, const struct pass_result *result, const char *config);

/* None could be had: told in the log once, and in the status until one can. */
void standing_tell_failure(struct standing *standing, const struct problem *problem);
