// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/stamp.h"

#include <limits.h>
#include <stdio.h>

void stamp_take(const char *etc, const char *run, struct stamp *ret_stamp)
{
	const struct {
		const char *folder, *name;
	} places[STAMP_PLACES] = {{etc, "cpuwarden.conf"}, {etc, "vms.d"}, {run, "vms.d"},
		{run, "found"}, {run, "released"}, {etc, ""}};
	struct stat stat_buf;
	char path[PATH_MAX];

	*ret_stamp = (struct stamp){};
	for (int i = 0; i < STAMP_PLACES; i++) {
		snprintf(path, sizeof(path), "%s/%s",
			places[i].folder ? places[i].folder : "", places[i].name);
		if (!places[i].folder || stat(path, &stat_buf))
			continue;
		ret_stamp->changed[i] = stat_buf.st_ctim;
		ret_stamp->inodes[i] = stat_buf.st_ino;
	}
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	for (int i = 0; i < STAMP_PLACES; i++)
		if (a->inodes[i] != b->inodes[i] ||
			a->changed[i].tv_sec != b->changed[i].tv_sec ||
			a->changed[i].tv_nsec != b->changed[i].tv_nsec)
			return false;
	return true;
}
