// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/places.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "user/base/file.h"
#include "user/daemon/handover.h"
#include "user/host/libvirt.h"

int places_make(const struct folders *folders, struct problem *problem)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/vms.d", folders->run);
	r = file_make_dirs(path, 0755);
	if (!r) {
		handovers_folder(folders->run, path);
		r = file_make_dirs(path, 0700);
	}
	return r ? problem_set(problem, r, "cannot make %s: %s", path, strerror(-r)) : 0;
}

static void watch_partitions(struct watch *watch, const struct cycle *cycle)
{
	const struct desired *desired = &cycle->desired;
	char path[2 * PATH_MAX];

	for (size_t i = 0; i < desired->n_vms; i++)
		for (size_t j = 0; j < desired->vms[i].n_groups; j++) {
			snprintf(path, sizeof(path), "%s/%s/cpuset.cpus.partition",
				cycle->hierarchy.mount, desired->vms[i].groups[j].path);
			(void)watch_file(watch, path);
		}
}

void places_watch(
	struct watch *watch, const struct folders *folders, const struct cycle *cycle)
{
	char path[PATH_MAX];

	watch_begin(watch);
	(void)watch_folder(watch, folders->etc);
	snprintf(path, sizeof(path), "%s/vms.d", folders->etc);
	(void)watch_folder(watch, path);
	snprintf(path, sizeof(path), "%s/vms.d", folders->run);
	(void)watch_folder(watch, path);
	handovers_folder(folders->run, path);
	(void)watch_arrivals(watch, path);
	/* Written by libvirt after each change that it makes: that is its event. */
	(void)watch_folder(watch, LIBVIRT_DIR);
	/* Pins that somebody removes, or unmounts. */
	(void)watch_folder(watch, OBSERVER_DIR);
	if (cycle)
		watch_partitions(watch, cycle);
	watch_end(watch);
}
