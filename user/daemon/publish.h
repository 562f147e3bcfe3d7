/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What only the daemon knows, as metrics: how VMs are placed, what was repaired, how long
 * looks took. */
#include "user/control/cycle.h"
#include "user/model/metrics.h"

struct repairs {
	struct repair_metric *items;
	size_t n_items;
};

/* So many more steps that put that VM ("": the host) right. */
void repairs_add(
	struct repairs *repairs, const char *vm, const char *reason, uint64_t count);
/* Of VMs that are there no more nothing is told. */
void repairs_forget(struct repairs *repairs, const struct vms *vms);
void repairs_deinit(struct repairs *repairs);

/* A page of metrics; `len` without the last NUL. Without a cycle, because it could not be
 * read, that is told, and nothing of VMs. NULL: no memory. The caller frees. */
char *publish_placement(const struct cycle *cycle, size_t *ret_len);

/* The same of what each look may change, whatever there is of VMs. */
char *publish_work(const struct repairs *repairs,
	const struct reconcile_metric *reconcile, size_t *ret_len);
