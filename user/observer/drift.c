// SPDX-License-Identifier: GPL-2.0-or-later
/* Drift: what was noted, as the model knows it; and what it takes to note it, the groups
 * that matter and who we are. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/hash.h"
#include "user/observer/maps.h"

_Static_assert((int)ABI_TEXT == (int)DRIFT_TEXT_SIZE, "one bound");
_Static_assert((int)ABI_MASK_WORDS * 64 == (int)DRIFT_CPUS, "one bound");

/* ---- notes ---- */

static void to_task(struct drift_task *to, const struct who *who)
{
	to->tid = (pid_t)who->tid;
	to->tgid = (pid_t)who->tgid;
	to->cgroup = who->cgroup;
	observer_copy_comm(to->comm, who->comm);
}

static void to_set(struct cpuset *to, const u64 words[ABI_MASK_WORDS])
{
	for (unsigned int i = 0; i < ABI_MASK_WORDS; i++)
		to->words[i] = words[i];
}

static enum drift_change to_change(const struct drift *drift)
{
	switch (drift->kind) {
	case DRIFT_AFFINITY:
		return CHANGED_AFFINITY;
	case DRIFT_PARTITION:
		return CHANGED_PARTITION;
	case DRIFT_MOVE:
		return CHANGED_GROUP;
	default:
		return drift->file == FILE_MEMS	       ? CHANGED_MEMS
		       : drift->file == FILE_EXCLUSIVE ? CHANGED_EXCLUSIVE
						       : CHANGED_CPUS;
	}
}

static void to_text(char to[DRIFT_TEXT_SIZE], const char *text)
{
	memcpy(to, text, DRIFT_TEXT_SIZE);
	to[DRIFT_TEXT_SIZE - 1] = '\0';
	to[strcspn(to, "\n")] = '\0';
}

static void to_note(struct drift_note *note, const struct observer *observer,
	const struct drift *drift)
{
	note->number = drift->number;
	note->time = drift->time;
	note->change = to_change(drift);
	note->result = drift->result;
	note->shared = !drift->vm;
	observer_name_vm(observer, drift->vm, note->vm);
	to_task(&note->by, &drift->by);
	to_task(&note->target, &drift->target);
	note->group = drift->group;
	note->group_to = drift->group_to;
	to_text(note->text, drift->text);
	note->beside = drift->beside;
	note->state_before = drift->state_before;
	note->state_after = drift->state_after;
	to_set(&note->before, drift->before);
	to_set(&note->after, drift->after);
}

/* Copies an entry. False: it is being written, or another one by now. */
static bool read_drift(const struct observer *observer, u64 number, struct drift *ret)
{
	const volatile struct drift *shared =
		&observer->drifts[(number - 1) % ABI_DRIFTS];

	if (shared->number != number)
		return false;
	observer_barrier();
	memcpy(ret, (const void *)shared, sizeof(*ret));
	observer_barrier();
	return shared->number == number;
}

int observer_read_drift(const struct observer *observer, uint64_t after,
	struct drift_note **ret_notes, size_t *ret_n, uint64_t *ret_total)
{
	u64 total = observer->health->drifts,
	    oldest = total > ABI_DRIFTS ? total - ABI_DRIFTS : 0;
	struct drift_note *notes = NULL, *note;
	struct drift drift;
	size_t n = 0;

	/* Another observer counts anew. */
	if (after <= total && after > oldest)
		oldest = after;
	for (u64 number = total; number > oldest; number--) {
		if (!read_drift(observer, number, &drift))
			continue;
		note = array_push(&notes, &n);
		if (!note) {
			free(notes);
			return -ENOMEM;
		}
		to_note(note, observer, &drift);
	}
	*ret_notes = notes;
	*ret_n = n;
	*ret_total = total;
	return 0;
}

void observer_forget_drift(struct observer *observer, u32 slot)
{
	for (u32 i = 0; i < ABI_DRIFTS + ABI_OWN_DRIFTS; i++)
		if (observer->drifts[i].vm == slot)
			observer->drifts[i].vm = ABI_NONE;
}

/* ---- groups ---- */

static bool is_wanted(const struct watched_group *groups, size_t n, u64 id)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i].id == id)
			return true;
	return false;
}

static u32 vms_known(const struct observer *observer)
{
	u32 n = 0;

	for (u32 slot = 1; slot < observer->n_vms; slot++)
		n += observer->vms[slot].pid && !observer->vms[slot].ended;
	return n;
}

/* Erases groups of a VM (0: shared ones) that are not wanted; with no VM left, all. A
 * host has thousands: they are read by the hundred. */
static void erase_groups(
	struct observer *observer, u32 slot, const struct watched_group *groups, size_t n)
{
	enum { PORTION = 512 };
	struct group_rule rules[PORTION];
	bool last = !vms_known(observer), first = true;
	u32 place, count;
	u64 ids[PORTION];
	int r;

	do {
		count = PORTION;
		r = bpf_map_lookup_batch(observer->groups, first ? NULL : &place, &place,
			ids, rules, &count, NULL);
		first = false;
		/* ENOENT: these are the last. */
		if (r && errno != ENOENT)
			return;
		for (u32 i = 0; i < count; i++)
			if (last ||
				(rules[i].vm == slot && !is_wanted(groups, n, ids[i])))
				bpf_map_delete_elem(observer->groups, &ids[i]);
	} while (!r);
}

void observer_forget_groups(struct observer *observer, u32 slot)
{
	erase_groups(observer, slot, NULL, 0);
}

/* What is to be written for a group; and whether it is so already. */
static bool has_rule(const struct observer *observer, u32 slot,
	const struct watched_group *group, struct group_rule *ret_rule)
{
	struct group_rule there;
	bool is_there = !bpf_map_lookup_elem(observer->groups, &group->id, &there);

	*ret_rule = (struct group_rule){};
	/* Once several VMs have met in a group it is nobody's own any more. */
	if (!group->shared && !(is_there && there.vm != slot))
		ret_rule->vm = slot;
	return is_there && there.vm == ret_rule->vm;
}

static int write_group(
	struct observer *observer, u32 slot, const struct watched_group *group)
{
	struct group_rule rule;

	if (has_rule(observer, slot, group, &rule))
		return 0;
	if (bpf_map_update_elem(observer->groups, &group->id, &rule, BPF_ANY))
		return errno == E2BIG ? -ENOSPC : -errno;
	return 0;
}

/* Never 0. */
static u32 hash_groups(const struct watched_group *groups, size_t n)
{
	uint64_t hash = HASH_NOTHING;

	for (size_t i = 0; i < n; i++) {
		hash = hash_add(hash, &groups[i].id, sizeof(groups[i].id));
		hash = hash_add(hash, &groups[i].shared, sizeof(groups[i].shared));
	}
	return (u32)(hash ^ hash >> 32) | 1;
}

/* All are there, and no others of the VM's can be: what a change of its threads alone
 * comes to, without asking all groups of the host whose they are. */
static bool has_groups(const struct observer *observer, u32 slot,
	const struct watched_group *groups, size_t n)
{
	struct group_rule rule;

	if (observer->vms[slot].groups != hash_groups(groups, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!has_rule(observer, slot, &groups[i], &rule))
			return false;
	return true;
}

int observer_watch_groups(struct observer *observer, pid_t pid, uint64_t start_time,
	const struct watched_group *groups, size_t n)
{
	u32 slot = observer_find_vm(observer, pid, start_time);
	int r;

	if (!slot)
		return -ENOENT;
	if (has_groups(observer, slot, groups, n))
		return 0;
	observer->vms[slot].groups = 0;
	erase_groups(observer, slot, groups, n);
	for (size_t i = 0; i < n; i++) {
		r = write_group(observer, slot, &groups[i]);
		/* Of shared ones nobody knows whether they are still somebody's: those
		 * that are come back with the next change of their VMs. */
		if (r == -ENOSPC) {
			erase_groups(observer, 0, groups, n);
			observer->health->groups_full++;
			r = write_group(observer, slot, &groups[i]);
		}
		if (r && r != -ENOSPC)
			return r;
	}
	observer->vms[slot].groups = hash_groups(groups, n);
	return 0;
}

/* ---- who we are ---- */

static void write_controller(
	struct observer *observer, u32 i, pid_t pid, uint64_t start_time)
{
	volatile struct controllers *to = &observer->controllers[i];

	to->tgid = 0;
	observer_barrier();
	to->start_ticks = start_time;
	observer_barrier();
	to->tgid = (u32)pid;
}

void observer_set_controller(struct observer *observer, pid_t pid, uint64_t start_time)
{
	write_controller(observer, 0, pid, start_time);
}

void observer_add_controller(struct observer *observer, pid_t pid, uint64_t start_time)
{
	u32 oldest = 1;

	for (u32 i = 1; i < ABI_CONTROLLERS; i++)
		if (observer->controllers[i].start_ticks <
			observer->controllers[oldest].start_ticks)
			oldest = i;
	write_controller(observer, oldest, pid, start_time);
}
