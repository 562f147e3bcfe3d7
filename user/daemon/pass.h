/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One pass of the daemon: everything is read, and made what it should be; what is worth
 * telling is told, once. What was read is kept for glances at single VMs, until the next.
 */
#include "user/control/cycle.h"
#include "user/daemon/event_file.h"

struct passes; /* what was told, the last good configuration, and what was read */

struct pass_result {
	size_t n_steps;	 /* that changed the host */
	size_t n_failed; /* VMs, and the host, that are not as they should be */
	size_t n_vms;
	bool left_alone; /* everything was released by hand */
};

/* NULL: no memory. The caller owns it: passes_free(). */
struct passes *passes_new(const struct folders *folders, struct event_file *file);
void passes_free(struct passes *passes); /* NULL is fine */

/*
 * -EBUSY: somebody else is changing the host. `look` is called with the cycle when all is
 * done, before it is closed.
 */
int passes_run(struct passes *passes, void (*look)(const struct cycle *cycle, void *data),
	void *data, struct pass_result *ret_result, struct problem *problem);

/*
 * A glance at one VM (control/glance.h), by what the last pass has read. *ret_n_steps: so
 * many that changed the host. -ENODATA: that is not enough, and a whole pass is needed;
 * -EBUSY as above.
 */
int passes_glance(
	struct passes *passes, pid_t pid, size_t *ret_n_steps, struct problem *problem);

/* What was read is not to be gone by any more: there is no saying how things stand. */
void passes_forget(struct passes *passes);

/* Metrics (publish.h): on what the last pass has left, nothing of VMs after one that
 * failed; and on what looks have done. NULL: no memory. The caller frees. */
char *passes_placement(struct passes *passes, size_t *ret_len);
char *passes_work(const struct passes *passes, size_t *ret_len);

/* Where metrics are to be served; NULL: not known yet. */
const char *passes_listen(const struct passes *passes);

/* Why the configuration in force is not the files'; "": it is. */
const char *passes_config_problem(const struct passes *passes);
