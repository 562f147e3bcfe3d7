// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "user/model/view.h"

const char *view_key_name(enum view_key key)
{
	static const char *const names[] = {"violations", "waits", "run", "name"};

	return names[key];
}

/* By what is compared first, then second: the time that was taken tells more than how
 * often. */
struct weight {
	uint64_t first, second;
};

/* A wait without a bound is longer than any. */
static uint64_t length(uint64_t waits, uint64_t bound_ns)
{
	return waits && !bound_ns ? UINT64_MAX : bound_ns;
}

static struct weight weigh_vm(const struct view_vm *vm, enum view_key key)
{
	struct tally violations = view_violations(&vm->counts);

	switch (key) {
	case VIEW_BY_VIOLATIONS:
		return (struct weight){violations.ns, violations.count};
	case VIEW_BY_WAITS:
		return (struct weight){length(vm->waits, vm->p99_ns), vm->waits};
	case VIEW_BY_RUN:
		return (struct weight){vm->run_permille, 0};
	default:
		return (struct weight){};
	}
}

static struct weight weigh_vcpu(const struct view_vcpu *vcpu, enum view_key key)
{
	switch (key) {
	case VIEW_BY_VIOLATIONS:
		return (struct weight){vcpu->foreign.ns + vcpu->off_set.ns,
			vcpu->foreign.count + vcpu->off_set.count};
	case VIEW_BY_WAITS:
		return (struct weight){length(vcpu->waits, vcpu->p99_ns), vcpu->mean_ns};
	case VIEW_BY_RUN:
		return (struct weight){vcpu->run_permille, 0};
	default:
		return (struct weight){};
	}
}

struct item {
	struct weight weight;
	size_t index;
};

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->weight.first != y->weight.first)
		return x->weight.first < y->weight.first ? 1 : -1;
	if (x->weight.second != y->weight.second)
		return x->weight.second < y->weight.second ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Without memory they stay as they are: who looks on sees them all. */
static void order(struct item *items, size_t n, bool reverse, size_t *ret_order)
{
	if (items && n)
		qsort(items, n, sizeof(*items), compare);
	for (size_t i = 0; i < n; i++)
		ret_order[reverse ? n - 1 - i : i] = items ? items[i].index : i;
	free(items);
}

void view_order_vms(
	const struct view *view, enum view_key key, bool reverse, size_t *ret_order)
{
	size_t n = view->now->n_vms;
	struct item *items = calloc(n + 1, sizeof(*items));

	for (size_t i = 0; items && i < n; i++)
		items[i] = (struct item){weigh_vm(&view->vms[i], key), i};
	order(items, n, reverse, ret_order);
}

void view_order_vcpus(
	const struct view_vm *vm, enum view_key key, bool reverse, size_t *ret_order)
{
	size_t n = vm->at->n_vcpus;
	struct item *items = calloc(n + 1, sizeof(*items));

	for (size_t i = 0; items && i < n; i++)
		items[i] = (struct item){weigh_vcpu(&vm->vcpus[i], key), i};
	order(items, n, reverse, ret_order);
}
