// SPDX-License-Identifier: GPL-2.0-or-later
/* `exec`: becomes a QEMU that is placed already. What that QEMU prints is its own; here
 * is only said, on standard error, what is not as it should be. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/cli/cli.h"
#include "user/control/launch.h"

static void print_step(const struct unit *unit, const struct step *step, void *data)
{
	(void)unit;
	(void)step;
	(void)data;
}

static void print_failed(const char *vm, const char *why, void *data)
{
	(void)data;
	fprintf(stderr, "cpuwarden: %s: %s\n", vm, why);
}

int verb_exec(const struct request *request)
{
	const struct report report = {.done = print_step, .failed = print_failed};
	const struct launch launch = {.folders = &request->folders,
		.vm_name = request->args[0],
		.argv = request->command,
		.report = &report};
	struct problem problem = {};
	int r = launch_qemu(&launch, &problem);

	cli_fail(&problem);
	return r == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}
