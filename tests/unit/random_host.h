/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Random hosts, wishes and damage, from a seed: the same one gives the same. What is
 * damaged is what kernels were seen to do, and what a kill in the middle leaves.
 */
#include "tests/unit/fake_classes.h"

/* How many seeds, and which. */
static inline unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

struct dice {
	uint64_t state;
};

/* xorshift64*, by Vigna: enough for a test, and the same everywhere. */
static inline unsigned int roll(struct dice *dice, unsigned int sides)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return (unsigned int)((dice->state * UINT64_C(2685821657736338717)) >> 33) %
	       sides;
}

static inline struct dice dice_of(uint64_t seed)
{
	struct dice dice = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};

	for (int i = 0; i < 8; i++)
		roll(&dice, 2);
	return dice;
}

/* One time in n. */
static inline bool rarely(struct dice *dice, unsigned int n)
{
	return roll(dice, n) == 0;
}

/* A few CPUs out of a set, mostly one. */
static inline struct cpuset some_cpus(struct dice *dice, const struct cpuset *from)
{
	unsigned int n = rarely(dice, 4) ? 1 + roll(dice, 3) : 1,
		     weight = cpuset_weight(from);
	struct cpuset set = {};

	for (; n && weight; n--) {
		unsigned int skip = roll(dice, weight);

		cpuset_for_each (cpu, from)
			if (!skip--)
				cpuset_add(&set, (unsigned int)cpu);
	}
	return set;
}

/* Pins for one VM out of a set; mostly they do not overlap, and with `tidy` never. */
static inline void random_pins(struct dice *dice, struct host *host, const char *name,
	struct cpuset from, bool tidy)
{
	const struct vm *vm = find_vm(host, name);
	struct vm_policy *to = wish(host, name);

	to->policy.kind = POLICY_DEDICATED;
	to->policy.partition = rarely(dice, 4) ? PARTITION_ROOT : PARTITION_ISOLATED;
	if (rarely(dice, 5))
		to->policy.partition = PARTITION_MEMBER;
	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct vm_thread *thread = &vm->threads[i];
		cleanup_free char *list = NULL;
		struct cpuset set = some_cpus(dice, &from);

		if (cpuset_empty(&set) || rarely(dice, 3))
			continue;
		list = must(cpulist_format(&set));
		if (thread->class == THREAD_VCPU)
			pin_vcpu(host, name, (unsigned int)thread->index, list);
		else if (thread->class == THREAD_IOTHREAD)
			pin_iothread(host, name, (unsigned int)thread->index, list);
		else if (thread->tid == vm->pid)
			pin_emulator(host, name, list);
		if (tidy || !rarely(dice, 12))
			cpuset_andnot(&from, &set);
	}
}

/* With others of its class, perhaps some vCPUs apart; or with the host's own tasks. */
static inline void random_scheme(struct dice *dice, struct host *host, const char *name)
{
	static const char *const classes[] = {"gold", "tin"};
	struct vm_policy *to = wish(host, name);

	if (host->tree.remote && rarely(dice, 4)) {
		to->policy.emulator = PLACE_HOUSEKEEPING;
		to->policy.iothreads =
			rarely(dice, 2) ? PLACE_HOUSEKEEPING : PLACE_EMULATOR;
		to->has_emulator_pin = false;
		to->n_iothread_pins = 0;
	}
	if (!rarely(dice, 3))
		return;
	to->policy.kind = POLICY_SHARED;
	to->policy.emulator = PLACE_OWN;
	to->policy.iothreads = PLACE_EMULATOR;
	snprintf(
		to->policy.class, sizeof(to->policy.class), "%s", classes[roll(dice, 2)]);
	to->has_emulator_pin = false;
	to->n_iothread_pins = 0;
	for (unsigned int i = 0; i < 4; i++)
		if (rarely(dice, 4))
			cpuset_add(&to->policy.dedicated, i);
}

/* The class has CPUs by a section, or as many as its overcommit asks for. */
static inline void random_class(
	struct dice *dice, struct host *host, const struct cpuset *from)
{
	struct vm_class *class =
		must(array_push(&host->config.classes, &host->config.n_classes));

	snprintf(class->name, sizeof(class->name), "gold");
	class->overcommit = 50 + 50 * roll(dice, 8);
	class->cpus = *from;
	class->has_cpus = !cpuset_empty(from);
}

/* New wishes for all VMs. Each has its part of the host, sometimes another than before.
 */
static inline void random_wishes(struct dice *dice, struct host *host, bool tidy)
{
	unsigned int turn =
		roll(dice, 4) ? 0 : roll(dice, (unsigned int)host->vms.n_items);
	size_t n = host->vms.n_items;

	struct cpuset spare = {};

	forget_wishes(host);
	if (rarely(dice, 2))
		keep_house(host, "0-1");
	for (size_t i = 0; i < n; i++) {
		struct cpuset part = {};
		size_t share = (i + turn) % n, k = 0;

		if (rarely(dice, 4)) {
			cpuset_for_each (cpu, &host->topology.online)
				if (cpu > 1 && k++ % n == share)
					cpuset_add(&spare, (unsigned int)cpu);
			continue;
		}
		cpuset_for_each (cpu, &host->topology.online)
			if (cpu > 1 && (k++ % n == share || (!tidy && rarely(dice, 30))))
				cpuset_add(&part, (unsigned int)cpu);
		random_pins(dice, host, host->vms.items[i].name, part, tidy);
		random_scheme(dice, host, host->vms.items[i].name);
		if (rarely(dice, 3))
			cpuset_or(&spare, &part);
		if (rarely(dice, 20))
			wish(host, host->vms.items[i].name)->policy.kind = POLICY_OBSERVE;
	}
	if (rarely(dice, 2))
		random_class(dice, host, &spare);
}

static inline void random_host(struct dice *dice, struct host *host)
{
	static const char *const names[] = {"db.prod", "cpu.max", "web1"};
	unsigned int n_cpus = 8 + roll(dice, 25), n_vms = 1 + roll(dice, 3);
	char online[32];

	snprintf(online, sizeof(online), "0-%u", n_cpus - 1);
	host_init(host, online, "0-1");
	for (unsigned int i = 0; i < n_vms; i++) {
		add_vm(host, names[i], 1 + roll(dice, 4), roll(dice, 3));
		for (unsigned int j = roll(dice, 3); j > 0; j--)
			add_thread(host, names[i], THREAD_EMULATOR, 0,
				find_vm(host, names[i])->pid + 200 + (pid_t)j);
	}
}

/* vCPUs and iothreads come and go. A new one starts in the main thread's group. */
static inline void random_hotplug(struct dice *dice, struct fake *fake)
{
	for (size_t i = 0; i < fake->host->vms.n_items; i++) {
		struct vm *vm = &fake->host->vms.items[i];
		pid_t tid = vm->pid + 1 + (pid_t)roll(dice, 6);
		char home[256];
		bool there = false;

		snprintf(home, sizeof(home), "%s", vm->threads[0].cgroup);
		for (size_t j = 0; j < vm->n_threads; j++)
			there |= vm->threads[j].tid == tid;
		if (!rarely(dice, 3))
			continue;
		memset(fake->vms[i].masks, 0xff, sizeof(fake->vms[i].masks));
		if (there && tid != vm->pid + 1) {
			remove_thread(fake->host, vm->name, tid);
		} else if (!there) {
			struct vm_thread *thread = add_thread(fake->host, vm->name,
				THREAD_VCPU, tid - vm->pid - 1, tid);

			free(thread->cgroup);
			thread->cgroup = must(strdup(home));
		}
	}
	settle(fake);
}

static inline void damage(struct dice *dice, struct fake *fake, const char *path)
{
	struct cpuset wrong = some_cpus(dice, &fake->host->topology.online);
	const struct group *group = tree_find(&fake->host->tree, path);
	struct fake_damage *to;

	if (find_damage(fake, path) || cpuset_equal(&group->effective, &wrong))
		return;
	to = &fake->damage[fake->n_damage++];
	snprintf(to->path, sizeof(to->path), "%s", path);
	to->effective = wrong;
}

static inline void invalidate(struct group *group)
{
	group->partition.valid = false;
	snprintf(group->partition.reason, sizeof(group->partition.reason),
		"Cpu list in cpuset.cpus not exclusive");
}

/* A partition that has become invalid: those below it know it, or (4 of the facts) do
 * not. */
static inline void break_group(struct dice *dice, struct fake *fake, struct group *group)
{
	const struct tree *tree = &fake->host->tree;

	if (!says_partition(group))
		return;
	for (size_t i = 0; i < tree->n_groups; i++)
		if (path_is_below(tree->groups[i]->path, group->path) &&
			says_partition(tree->groups[i]) && rarely(dice, 2))
			damage(dice, fake, tree->groups[i]->path);
	heal(fake, group->path);
	invalidate(group);
}

static inline void add_stale_leaf(struct dice *dice, struct fake *fake, const char *name)
{
	cleanup_free char *top = top_of(fake, name);
	const struct group *above = tree_find(&fake->host->tree, top);
	struct cpuset set;
	char path[200];

	snprintf(path, sizeof(path), "%s/vcpu9", top);
	if (!above || tree_find(&fake->host->tree, path) || !make_group(fake, path))
		return;
	if (rarely(dice, 8) || !make_threaded(fake, tree_find(&fake->host->tree, path)))
		return;
	settle(fake);
	set = tree_find(&fake->host->tree, path)->effective;
	set = some_cpus(dice, &set);
	if (set_cpus(fake, tree_find(&fake->host->tree, path), &set))
		settle(fake);
	if (rarely(dice, 2))
		set_partition(fake, tree_find(&fake->host->tree, path),
			PARTITION_ISOLATED, top);
	settle(fake);
}

/* Threads that somebody moved within the VM, or bound. */
static inline void random_moves(struct dice *dice, struct fake *fake, size_t index)
{
	struct vm *vm = &fake->host->vms.items[index];
	cleanup_free char *top = top_of(fake, vm->name);
	const struct tree *tree = &fake->host->tree;

	for (size_t i = 0; i < vm->n_threads; i++) {
		const struct group *to =
			tree->n_groups
				? tree->groups[roll(dice, (unsigned int)tree->n_groups)]
				: NULL;

		if (rarely(dice, 6) && is_inside(vm->threads[i].cgroup, top))
			fake->vms[index].masks[i] =
				some_cpus(dice, &fake->host->topology.online);
		if (to && rarely(dice, 6) && is_inside(vm->threads[0].cgroup, top) &&
			is_inside(to->path, top) && !cpuset_empty(&to->effective) &&
			(to->type == GROUP_THREADED || to->type == GROUP_DOMAIN_THREADED))
			move_to(fake, vm, i, to->path);
	}
}

/* CPUs that a killed change left in the slice or, if remote, somebody took from it. */
static inline void disturb_slice(
	struct dice *dice, struct fake *fake, struct group *slice)
{
	const struct tree *tree = &fake->host->tree;
	struct cpuset more = some_cpus(dice, &tree->root_effective);

	cpuset_or(&more, claim_of(fake, slice));
	if (!tree->remote)
		set_cpus(fake, slice, &more);
	else if (rarely(dice, 2))
		set_exclusive(fake, slice, &more);
	else
		slice->exclusive = some_cpus(dice, &slice->exclusive);
	settle(fake);
}

/* Somebody took exclusive CPUs from a VM. With none left for its threads it is invalid.
 */
static inline void take_exclusive(struct dice *dice, struct fake *fake, struct group *top)
{
	top->exclusive = some_cpus(dice, &top->exclusive);
	settle(fake);
	if (says_partition(top) && cpuset_empty(&top->effective))
		invalidate(top);
	settle(fake);
}

static inline void random_damage(struct dice *dice, struct fake *fake)
{
	struct tree *tree = &fake->host->tree;
	struct group *slice = tree_find(tree, SLICE);

	for (size_t i = 0; i < tree->n_groups; i++) {
		bool leaf = !has_below(tree, tree->groups[i]->path);

		if (rarely(dice, leaf ? 6 : 12))
			break_group(dice, fake, tree->groups[i]);
		/* Nobody runs in the slice itself: what it says of itself is of no
		 * matter. */
		if (rarely(dice, 8) && says_partition(tree->groups[i]) &&
			path_is_below(tree->groups[i]->path, SLICE))
			damage(dice, fake, tree->groups[i]->path);
	}
	settle(fake);
	if (slice && rarely(dice, 4))
		disturb_slice(dice, fake, slice);
	for (size_t i = 0; slice && tree->remote && i < tree->n_groups; i++)
		if (is_child(tree, tree->groups[i], slice) && rarely(dice, 8))
			take_exclusive(dice, fake, tree->groups[i]);
	for (size_t i = 0; i < fake->host->vms.n_items; i++) {
		struct actual_vm *actual = &fake->vms[i].actual;

		if (rarely(dice, 4))
			add_stale_leaf(dice, fake, fake->host->vms.items[i].name);
		if (rarely(dice, 3))
			random_moves(dice, fake, i);
		actual->has_strays = rarely(dice, 4);
		if (rarely(dice, 6))
			actual->has_record = false;
		if (rarely(dice, 6)) {
			rule_vm_deinit(&actual->rules);
			actual->rules_known = actual->settling = false;
		}
	}
	settle(fake);
}
