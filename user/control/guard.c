// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/control/guard.h"

#include "user/host/libvirt_daemons.h"

void guard_prepare(const struct cycle *cycle)
{
	struct program_file libvirt[LIBVIRT_DAEMONS];
	size_t n;

	if (!cycle->observer) {
		observer_unguard(OBSERVER_DIR);
		return;
	}
	/* To release no configuration is read, and of libvirt nothing changes by it. */
	if (!config_wants_guard(&cycle->config))
		return;
	n = libvirt_daemons(libvirt);
	observer_set_libvirt(cycle->observer, libvirt, n);
}
