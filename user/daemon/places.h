/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which files and folders the daemon is told of: each calls for a look at everything. */
#include "user/control/cycle.h"
#include "user/daemon/watch.h"

/* Makes the folders of /run that are watched: were one missing, the folder above would
 * be, where the lock is. Negative errno with a sentence. */
int places_make(const struct folders *folders, struct problem *problem);

/* Configuration, runtime intent, hand-overs, libvirt's files, pins; and, with a cycle,
 * the partition files of its VMs. Negative errno: not all could be watched; the others
 * are. */
int places_watch(
	struct watch *watch, const struct folders *folders, const struct cycle *cycle);
