/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who changed where a VM's threads may run, in the map `drifts`: how a change is noted.
 * For observer.bpf.c alone.
 *
 * Each kind of change is one kernel function, looked at when it is entered (who asks,
 * what is before) and when it returns (what is after). Between the two the change stands
 * in `changes`, by the tid of who makes it. Where two programs are attached, both
 * write the same there, and whichever is first at the end takes it out: so it is noted
 * once. What was left there because an end was not seen goes with the next beginning.
 *
 * Only changes that the kernel made are noted: one that it refused has changed nothing.
 */
#include "bpf/news.h"

static const struct drift no_drift;

/* Whoever runs at present, as a culprit. */
static __always_inline void describe_current(struct who *who)
{
	u64 id = bpf_get_current_pid_tgid();

	who->tid = (u32)id;
	who->tgid = id >> 32;
	who->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(who->comm, sizeof(who->comm));
}

/* Is it cpuwarden itself that runs at present? */
static __noinline bool is_controller(void)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
	u64 start_ticks = leader->start_boottime / NS_A_TICK;

	for (u32 i = 0; i < ABI_CONTROLLERS; i++) {
		u32 key = i;
		struct controllers *one = bpf_map_lookup_elem(&controllers, &key);

		if (one && one->tgid && one->tgid == (u32)leader->pid &&
			one->start_ticks == start_ticks)
			return true;
	}
	return false;
}

/*
 * A place in drifts, which no reader takes for whole until drift->number is set to what
 * was given here. The oldest one gives way. NULL: none.
 */
static __always_inline struct drift *next_drift(bool own, u64 *ret_number)
{
	struct health *h = get_health();
	struct drift *drift;
	u64 n;
	u32 slot;

	if (!h)
		return NULL;
	n = __sync_fetch_and_add(own ? &h->own_drifts : &h->drifts, 1);
	slot = own ? ABI_DRIFTS + n % ABI_OWN_DRIFTS : n % ABI_DRIFTS;
	drift = bpf_map_lookup_elem(&drifts, &slot);
	if (!drift)
		return NULL;
	drift->number = 0;
	barrier();
	*ret_number = n + 1;
	return drift;
}

/* ---- a change from its beginning to its end ---- */

static __noinline struct drift *begin_change(u32 kind)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct drift *change;
	u64 number;

	if (bpf_map_update_elem(&changes, &tid, &no_drift, BPF_ANY)) {
		/* There is no room: it is counted, at least. */
		next_drift(false, &number);
		return NULL;
	}
	change = bpf_map_lookup_elem(&changes, &tid);
	if (!change)
		return NULL;
	change->kind = kind;
	describe_current(&change->by);
	return change;
}

static __always_inline struct drift *find_change(u32 kind)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct drift *change = bpf_map_lookup_elem(&changes, &tid);

	return change && change->kind == kind ? change : NULL;
}

static __always_inline void forget_change(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&changes, &tid);
}

static __always_inline void note_change(struct drift *change)
{
	struct drift *drift;
	u64 number;

	change->number = 0;
	change->time = bpf_ktime_get_ns();
	change->own = is_controller();
	drift = next_drift(change->own, &number);
	if (!drift)
		return;
	__builtin_memcpy(drift, change, sizeof(*drift));
	barrier();
	drift->number = number;
	if (!change->own && !change->result)
		announce(NEWS_DRIFT, change->vm, bpf_get_current_task_btf());
}
