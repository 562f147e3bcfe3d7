// SPDX-License-Identifier: GPL-2.0-or-later
/* `exec`: becomes a QEMU that is placed already. What that QEMU prints is its own; here
 * is only said, on standard error, what is not as it should be. */
#include <stdlib.h>

#include "user/cli/cli.h"
#include "user/control/launch.h"

int verb_exec(const struct request *request)
{
	const struct report report = {.failed = cli_warn};
	const struct launch launch = {.folders = &request->folders,
		.vm_name = request->args[0],
		.argv = request->command,
		.report = &report};
	struct problem problem = {};
	int r = launch_qemu(&launch, &problem);

	cli_fail(&problem);
	return r > 0 ? EXIT_USAGE : EXIT_FAILURE;
}
