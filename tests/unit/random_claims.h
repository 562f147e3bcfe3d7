/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A random host on which VMs come and go and change their minds, from a seed. */
#include "tests/unit/hosts.h"
#include "tests/unit/random_host.h"
#include "tests/unit/settled_host.h"

enum { WORLD_VMS = 5 };

struct world {
	struct host host;
	/* Since the last placement. */
	bool host_changed;		  /* what holds for all */
	bool changed[WORLD_VMS];	  /* the VM's own wishes, or it is new */
	bool rewished, arrived, departed; /* anybody */
	/* By the last one. */
	bool placed[WORLD_VMS], kept_any;
};

static inline const char *world_name(unsigned int i)
{
	static const char *const names[WORLD_VMS] = {"a1", "a2", "b1", "b2", "c"};

	return names[i];
}

static inline bool world_has(const struct world *world, unsigned int i)
{
	return vms_find(&world->host.vms, world_name(i));
}

static inline char *some_list(struct dice *dice, const struct cpuset *from)
{
	struct cpuset set = some_cpus(dice, from);

	return must(cpulist_format(&set));
}

static inline struct policy random_policy(struct dice *dice, const struct cpuset *online)
{
	static const char *const classes[] = {"gold", "silver", "shared"};
	static const enum policy_kind kinds[] = {POLICY_DEDICATED, POLICY_DEDICATED,
		POLICY_DEDICATED, POLICY_DEDICATED, POLICY_SHARED, POLICY_SHARED,
		POLICY_OBSERVE, POLICY_IGNORE};
	struct config config;
	struct policy policy;

	config_init(&config);
	policy = config.defaults;
	config_deinit(&config);
	policy.kind = kinds[roll(dice, N_ELEMENTS(kinds))];
	policy.partition = rarely(dice, 4) ? roll(dice, 3) : PARTITION_ISOLATED;
	snprintf(policy.class, sizeof(policy.class), "%s", classes[roll(dice, 3)]);
	if (rarely(dice, 3))
		policy.numa = roll(dice, 3);
	if (rarely(dice, 3))
		policy.smt = roll(dice, 3);
	if (rarely(dice, 4))
		policy.emulator = rarely(dice, 2) ? PLACE_HOUSEKEEPING : PLACE_LIST;
	if (rarely(dice, 3))
		policy.iothreads = roll(dice, 4);
	if (policy.kind == POLICY_SHARED && !rarely(dice, 5)) {
		policy.emulator = PLACE_OWN;
		policy.iothreads = PLACE_EMULATOR;
	}
	policy.emulator_cpus = some_cpus(dice, online);
	policy.iothread_cpus = some_cpus(dice, online);
	if (rarely(dice, 3))
		cpuset_add(&policy.dedicated, roll(dice, 4));
	return policy;
}

/* What one VM's file says, or that there is none. */
static inline void random_file(struct world *world, struct dice *dice, unsigned int i)
{
	struct host *host = &world->host;
	const char *name = world_name(i);
	struct vm_policy *to = wish(host, name);

	world->changed[i] = world->rewished = true;
	to->n_vcpu_pins = to->n_iothread_pins = 0;
	free(to->vcpu_pins);
	free(to->iothread_pins);
	to->vcpu_pins = to->iothread_pins = NULL;
	to->has_emulator_pin = false;
	to->policy = random_policy(dice, &host->topology.online);
	for (unsigned int index = 0; index < 3; index++) {
		cleanup_free char *list = some_list(dice, &host->topology.present);

		if (rarely(dice, 6))
			pin_vcpu(host, name, index, list);
		else if (rarely(dice, 16) && index)
			pin_iothread(host, name, index, list);
		else if (rarely(dice, 16))
			pin_emulator(host, name, list);
	}
}

static inline void add_class(struct host *host, struct dice *dice, const char *name)
{
	struct vm_class *class =
		must(array_push(&host->config.classes, &host->config.n_classes));

	snprintf(class->name, sizeof(class->name), "%s", name);
	class->overcommit = 100 + 50 * roll(dice, 9);
	class->has_cpus = rarely(dice, 2);
	if (class->has_cpus)
		class->cpus = some_cpus(dice, &host->topology.online);
}

/* What the host's own file says. */
static inline void random_host_file(struct world *world, struct dice *dice)
{
	static const char *const globs[] = {"a*", "*1", "c"};
	struct host *host = &world->host;
	struct config *config = &host->config;
	const struct cpuset *online = &host->topology.online;

	world->host_changed = true;
	free(config->patterns);
	free(config->classes);
	config->patterns = NULL;
	config->classes = NULL;
	config->n_patterns = config->n_classes = 0;
	config->defaults = random_policy(dice, online);
	if (rarely(dice, 2))
		add_class(host, dice, "gold");
	if (rarely(dice, 2))
		add_class(host, dice, "silver");
	for (unsigned int n = roll(dice, 3); n; n--) {
		struct pattern *pattern =
			must(array_push(&config->patterns, &config->n_patterns));

		snprintf(pattern->glob, sizeof(pattern->glob), "%s",
			globs[roll(dice, N_ELEMENTS(globs))]);
		pattern->given = roll(dice, 512);
		pattern->policy = random_policy(dice, online);
	}
	config->has_housekeeping = rarely(dice, 3);
	config->has_reserved = rarely(dice, 4);
	config->housekeeping = config->reserved = (struct cpuset){};
	if (config->has_housekeeping)
		config->housekeeping = some_cpus(dice, online);
	cpuset_for_each (cpu, online)
		if (config->has_reserved && rarely(dice, 2) &&
			!cpuset_has(&config->housekeeping, (unsigned int)cpu))
			cpuset_add(&config->reserved, (unsigned int)cpu);
	config->has_reserved = !cpuset_empty(&config->reserved);
}

static inline void world_init(struct world *world, struct dice *dice)
{
	struct host *host = &world->host;

	memset(world, 0, sizeof(*world));
	host_init(host, "0", "0");
	host->topology = topology_build(1 + roll(dice, 2), 1 + roll(dice, 2),
		1 + roll(dice, 2), 1 + roll(dice, 4), 1 + roll(dice, 2), roll(dice, 3));
	if (rarely(dice, 4)) {
		cpuset_drop(&host->topology.online,
			roll(dice, cpuset_weight(&host->topology.online)));
		if (cpuset_empty(&host->topology.online))
			cpuset_add(&host->topology.online, 0);
		topology_complete(&host->topology);
	}
	host->tree.root_effective = host->topology.online;
	host->tree.remote = !rarely(dice, 3);
	random_host_file(world, dice);
}

static inline void arrive(struct world *world, struct dice *dice, unsigned int i)
{
	struct guest_smp *smp;

	add_vm(&world->host, world_name(i), 1 + roll(dice, 4),
		rarely(dice, 3) ? roll(dice, 3) : 0);
	smp = &find_vm(&world->host, world_name(i))->smp;
	*smp = (struct guest_smp){1, 1, 1 + roll(dice, 2), 1 + roll(dice, 2)};
	world->arrived = world->changed[i] = true;
}

static inline void depart(struct world *world, unsigned int i)
{
	end_vm(&world->host, world_name(i));
	world->departed = true;
}

/* What happens between two placements. */
static inline void world_change(struct world *world, struct dice *dice, int round)
{
	if (round && rarely(dice, 6))
		random_host_file(world, dice);
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (rarely(dice, round ? 6 : 2))
			random_file(world, dice, i);
		if (!world_has(world, i) && rarely(dice, 2))
			arrive(world, dice, i);
		else if (world_has(world, i) && rarely(dice, 5))
			depart(world, i);
	}
}

static inline void world_settled(struct world *world)
{
	const struct desired *desired = &world->host.desired;

	memset(world->changed, 0, sizeof(world->changed));
	world->host_changed = world->rewished = false;
	world->arrived = world->departed = world->kept_any = false;
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		const struct desired_vm *vm = desired_find(desired, world_name(i));

		world->placed[i] = vm && vm->kind == DESIRED_PLACED;
		world->kept_any |= vm && vm->kind == DESIRED_KEPT;
	}
}

static inline void world_deinit(struct world *world)
{
	host_deinit(&world->host);
}
