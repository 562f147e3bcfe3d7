// SPDX-License-Identifier: GPL-2.0-or-later
/* The map `culprits`: who ran where a VM's threads, or its CPUs, should not have met him.
 */
#include "user/observer/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

static const enum run_kind kinds[] = {[RUN_OFF_SET] = KIND_OFF_SET,
	[RUN_FOREIGN] = KIND_FOREIGN,
	[RUN_BOUND_KTHREAD] = KIND_BOUND_KTHREAD};

static void to_tally(struct culprit_tally *to, const struct observer *observer,
	const struct culprit_key *key, const struct culprit_runs *runs)
{
	observer_name_vm(observer, key->vm, to->vm);
	to->kind = kinds[key->class % (sizeof(kinds) / sizeof(*kinds))];
	to->cause = key->cause < CAUSE_COUNT ? (enum cause)key->cause : CAUSE_COUNT;
	observer_copy_comm(to->comm, key->comm);
	to->runs = (struct tally){.count = runs->runs.count, .ns = runs->runs.ns};
	to->time = runs->time;
	to->cgroup = runs->cgroup;
	to->tid = (pid_t)runs->tid;
	to->tgid = (pid_t)runs->tgid;
	to->cpu = runs->cpu;
}

static int compare_tallies(const void *a, const void *b)
{
	const struct culprit_tally *x = a, *y = b;

	if (x->runs.ns != y->runs.ns)
		return x->runs.ns < y->runs.ns ? 1 : -1;
	return strcmp(x->comm, y->comm);
}

static u32 max_entries(int map)
{
	struct bpf_map_info info = {};
	u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(map, &info, &len) ? 0 : info.max_entries;
}

/* Where a key goes meanwhile the kernel begins anew: hence the bound, and one may be met
 * twice then. */
int observer_read_culprits(const struct observer *observer, struct counters *counters)
{
	struct culprit_key key, *last = NULL;
	struct culprit_runs runs;
	struct culprit_tally *to;

	for (u32 left = max_entries(observer->culprits); left; left--) {
		if (bpf_map_get_next_key(observer->culprits, last, &key))
			break;
		last = &key;
		if (bpf_map_lookup_elem(observer->culprits, &key, &runs) ||
			!runs.runs.count)
			continue;
		to = array_push(&counters->tallies, &counters->n_tallies);
		if (!to)
			return -ENOMEM;
		to_tally(to, observer, &key, &runs);
	}
	if (counters->n_tallies)
		qsort(counters->tallies, counters->n_tallies, sizeof(*counters->tallies),
			compare_tallies);
	return 0;
}

void observer_forget_culprits(const struct observer *observer, u32 slot)
{
	struct culprit_key key, next, *last = NULL;

	for (u32 left = max_entries(observer->culprits); left; left--) {
		if (bpf_map_get_next_key(observer->culprits, last, &next))
			return;
		if (last && key.vm == slot)
			bpf_map_delete_elem(observer->culprits, &key);
		key = next;
		last = &key;
	}
	if (last && key.vm == slot)
		bpf_map_delete_elem(observer->culprits, &key);
}
