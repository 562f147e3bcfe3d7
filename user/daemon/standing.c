// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/standing.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "user/daemon/log.h"

/* Once a first pass was tried, whatever came of it: what it could not do is in the
 * status, and is done as soon as it can be. Who waits for the daemon's start is not held
 * up. */
static void tell_ready(struct standing *standing)
{
	if (standing->ready)
		return;
	standing->ready = true;
	sd_notify(0, "READY=1");
}

void standing_tell_failure(struct standing *standing, const struct problem *problem)
{
	sd_notifyf(0, "WATCHDOG=1\nSTATUS=nothing is looked after: %s", problem->text);
	if (strcmp(standing->failure.text, problem->text))
		log_say(LOG_ERR, NULL, "%s", problem->text);
	standing->failure = *problem;
	tell_ready(standing);
}

void standing_tell_pass(
	struct standing *standing, const struct pass_result *result, const char *config)
{
	if (!standing->ready || *standing->failure.text)
		log_say(LOG_INFO, NULL, "ready: %zu VMs", result->n_vms);
	*standing->failure.text = '\0';
	if (result->left_alone)
		sd_notifyf(0,
			"WATCHDOG=1\nSTATUS=%zu VMs; everything was released by hand, apply or a reload places again",
			result->n_vms);
	else
		sd_notifyf(0, "WATCHDOG=1\nSTATUS=%zu VMs, %zu not as they should be%s%s",
			result->n_vms, result->n_failed, *config ? "; " : "", config);
	tell_ready(standing);
}
