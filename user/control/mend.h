/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What `hostcheck --fix` changes, and gives back: recorded before it is written, read
 * back after. The caller holds the lock (store/lock.h). `root` is "/", or a folder with
 * files of the same names.
 */
#include "user/base/problem.h"
#include "user/model/mend.h"

struct mend_report {
	/* A line about a setting that was changed, or is left as somebody else has set
	 * it. */
	void (*done)(const char *text, void *data);
	/* A setting that could not be changed, and why. */
	void (*failed)(const char *text, void *data);
	void *data;
};

/*
 * Takes reserved CPUs out of what the facts show, and gives back those that are reserved
 * no more. Returns the number of settings that could not be changed, or a negative errno.
 */
int control_mend(const char *root, const char *run_dir, struct host_facts *facts,
	const struct reserved *reserved, const struct cpuset *online,
	const struct mend_report *report, struct problem *problem);

/* Gives back all settings as they were found, and forgets them. Returns as
 * control_mend().
 */
int control_unmend(const char *root, const char *run_dir,
	const struct mend_report *report, struct problem *problem);
