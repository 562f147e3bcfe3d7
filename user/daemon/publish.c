// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

void repairs_add(
	struct repairs *repairs, const char *vm, const char *reason, uint64_t count)
{
	struct repair_metric *item;

	for (size_t i = 0; i < repairs->n_items; i++) {
		item = &repairs->items[i];
		if (!strcmp(item->vm, vm) && !strcmp(item->reason, reason)) {
			item->count += count;
			return;
		}
	}
	item = array_push(&repairs->items, &repairs->n_items);
	if (!item)
		return;
	snprintf(item->vm, sizeof(item->vm), "%s", vm);
	item->reason = reason;
	item->count = count;
}

void repairs_forget(struct repairs *repairs, const struct vms *vms)
{
	size_t kept = 0;

	for (size_t i = 0; i < repairs->n_items; i++)
		if (!*repairs->items[i].vm || vms_find(vms, repairs->items[i].vm))
			repairs->items[kept++] = repairs->items[i];
	repairs->n_items = kept;
}

void repairs_deinit(struct repairs *repairs)
{
	free(repairs->items);
	*repairs = (struct repairs){};
}

static int add_partitions(const struct cycle *cycle, const struct desired_vm *vm,
	struct placement_metrics *metrics, struct partition_metric **items)
{
	for (size_t i = 0; i < vm->n_groups; i++) {
		const struct desired_group *group = &vm->groups[i];
		const struct group *now = tree_find(&cycle->actual.tree, group->path);
		const char *slash = strrchr(group->path, '/');
		struct partition_metric *item;

		if (group->partition == PARTITION_MEMBER)
			continue;
		item = array_push(items, &metrics->n_partitions);
		if (!item)
			return -1;
		*item = (struct partition_metric){.vm = vm->vm->name,
			.group = slash ? slash + 1 : group->path,
			.valid = now && now->partition.kind == group->partition &&
				 now->partition.valid};
	}
	return 0;
}

static int add_vms(const struct cycle *cycle, struct placement_metrics *metrics,
	struct vm_metric **vms, struct partition_metric **partitions)
{
	for (size_t i = 0; i < cycle->desired.n_vms; i++) {
		const struct desired_vm *vm = &cycle->desired.vms[i];
		cleanup_free char *reason = NULL;
		enum vm_state state;
		struct vm_metric *item = array_push(vms, &metrics->n_vms);

		if (!item || cycle_vm_state(cycle, i, &state, &reason) ||
			add_partitions(cycle, vm, metrics, partitions))
			return -1;
		*item = (struct vm_metric){.vm = vm->vm->name,
			.degraded = state == STATE_DEGRADED || state == STATE_PENDING};
	}
	return 0;
}

char *publish_work(const struct repairs *repairs,
	const struct reconcile_metric *reconcile, size_t *ret_len)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, ret_len);

	if (!stream)
		return NULL;
	metrics_write_work(stream, repairs->items, repairs->n_items, reconcile);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}

char *publish_placement(const struct cycle *cycle, size_t *ret_len)
{
	cleanup_free struct partition_metric *partitions = NULL;
	cleanup_free struct vm_metric *vms = NULL;
	struct placement_metrics metrics = {.failed = !cycle,
		.config_broken = cycle && *cycle->config_problem.text,
		.version = CPUWARDEN_VERSION,
		.libbpf = observer_libbpf_version()};
	struct utsname name;
	char *text = NULL;
	FILE *stream;

	uname(&name);
	metrics.kernel = name.release;
	if (cycle && add_vms(cycle, &metrics, &vms, &partitions))
		return NULL;
	metrics.vms = vms;
	metrics.partitions = partitions;
	stream = open_memstream(&text, ret_len);
	if (!stream)
		return NULL;
	metrics_write_placement(stream, &metrics);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}
