/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Who changed where a VM's threads may run, in the map `drifts`. For observer.bpf.c
 * alone. */
#include "bpf/classify.h"

/* Whoever runs at present, as a culprit. */
static __always_inline void describe_current(struct who *who)
{
	u64 id = bpf_get_current_pid_tgid();

	who->tid = (u32)id;
	who->tgid = id >> 32;
	who->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(who->comm, sizeof(who->comm));
}

/*
 * A place in drifts, which no reader takes for whole until drift->number is set to what
 * was given here. The oldest one gives way. NULL: none.
 */
static __always_inline struct drift *next_drift(u64 *ret_number)
{
	struct health *h = get_health();
	struct drift *drift;
	u64 n;
	u32 slot;

	if (!h)
		return NULL;
	n = __sync_fetch_and_add(&h->drifts, 1);
	slot = n % ABI_DRIFTS;
	drift = bpf_map_lookup_elem(&drifts, &slot);
	if (!drift)
		return NULL;
	drift->number = 0;
	barrier();
	*ret_number = n + 1;
	return drift;
}
