// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "user/cli/cli.h"
#include "user/daemon/daemon.h"

int verb_daemon(const struct request *request)
{
	const struct daemon_options options = {.folders = request->folders,
		.events = request->events,
		.release = request->release};
	struct problem problem;

	return daemon_run(&options, &problem) ? cli_fail(&problem) : EXIT_SUCCESS;
}
