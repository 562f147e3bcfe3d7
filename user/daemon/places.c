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

/* Notes the first error; all others are tried all the same. */
static void note(int *r, int result)
{
	if (!*r)
		*r = result;
}

static void watch_partitions(struct watch *watch, const struct cycle *cycle, int *r)
{
	const struct desired *desired = &cycle->desired;
	char path[2 * PATH_MAX];

	for (size_t i = 0; i < desired->n_vms; i++)
		for (size_t j = 0; j < desired->vms[i].n_groups; j++) {
			snprintf(path, sizeof(path), "%s/%s/cpuset.cpus.partition",
				cycle->hierarchy.mount, desired->vms[i].groups[j].path);
			note(r, watch_file(watch, path));
		}
}

int places_watch(
	struct watch *watch, const struct folders *folders, const struct cycle *cycle)
{
	char path[PATH_MAX];
	int r = 0;

	watch_begin(watch);
	note(&r, watch_folder(watch, folders->etc));
	snprintf(path, sizeof(path), "%s/vms.d", folders->etc);
	note(&r, watch_folder(watch, path));
	snprintf(path, sizeof(path), "%s/vms.d", folders->run);
	note(&r, watch_folder(watch, path));
	handovers_folder(folders->run, path);
	note(&r, watch_arrivals(watch, path));
	/* Written by libvirt after each change that it makes: that is its event. */
	note(&r, watch_folder(watch, LIBVIRT_DIR));
	/* Pins that somebody removes, or unmounts. */
	note(&r, watch_folder(watch, OBSERVER_DIR));
	if (cycle)
		watch_partitions(watch, cycle, &r);
	watch_end(watch);
	return r;
}
