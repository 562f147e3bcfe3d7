// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/parse.h"
#include "user/model/cpulist.h"

enum { QUOTED_MAX = 60 /* bytes of a value that a sentence repeats */ };

/* A key of a section. Without a name: the numbers below `count`, which otherwise is 1. */
struct key {
	const char *section, *name;
	const char *allowed; /* values (CPU lists have sentences of their own), or the
				numbers */
	int (*set)(struct target *target, const char *value, struct problem *problem);
	unsigned int count;
};

static int bad_value(
	const struct target *target, const char *value, struct problem *problem)
{
	return problem_set(problem, -EINVAL, "%s cannot be '%.*s': allowed are %s",
		target->key->name, QUOTED_MAX, value, target->key->allowed);
}

static int set_housekeeping(
	struct target *target, const char *value, struct problem *problem)
{
	int r = cpulist_parse(
		value, target->present, &target->config->housekeeping, problem);

	if (!r)
		target->config->has_housekeeping = true;
	return r;
}

static int set_kind(struct target *target, const char *value, struct problem *problem)
{
	static const enum policy_kind kinds[] = {
		POLICY_OBSERVE, POLICY_DEDICATED, POLICY_SHARED, POLICY_IGNORE};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(value, policy_kind_name(kinds[i])))
			continue;
		target->policy->kind = kinds[i];
		return 0;
	}
	return bad_value(target, value, problem);
}

static int set_partition(
	struct target *target, const char *value, struct problem *problem)
{
	static const enum partition partitions[] = {
		PARTITION_ISOLATED, PARTITION_ROOT, PARTITION_MEMBER};

	for (size_t i = 0; i < sizeof(partitions) / sizeof(*partitions); i++) {
		if (strcmp(value, partition_name(partitions[i])))
			continue;
		target->policy->partition = partitions[i];
		return 0;
	}
	return bad_value(target, value, problem);
}

static int set_emulator(struct target *target, const char *value, struct problem *problem)
{
	struct policy *policy = target->policy;
	struct cpuset cpus = {0};
	int r;

	if (!strcmp(value, "own")) {
		policy->emulator = PLACE_OWN;
	} else if (!strcmp(value, "housekeeping")) {
		policy->emulator = PLACE_HOUSEKEEPING;
	} else if (strncmp(value, "all", 3) && !strpbrk(value, "0123456789")) {
		/* A misspelt word rather than a list: its sentence names the words. */
		return bad_value(target, value, problem);
	} else {
		r = cpulist_parse(value, target->present, &cpus, problem);
		if (r)
			return r;
		policy->emulator = PLACE_LIST;
	}
	policy->emulator_cpus = cpus;
	return 0;
}

static int set_numa(struct target *target, const char *value, struct problem *problem)
{
	if (!strcmp(value, "single"))
		target->policy->numa = NUMA_SINGLE;
	else if (!strcmp(value, "prefer"))
		target->policy->numa = NUMA_PREFER;
	else if (!strcmp(value, "any"))
		target->policy->numa = NUMA_ANY;
	else
		return bad_value(target, value, problem);
	return 0;
}

static int set_smt(struct target *target, const char *value, struct problem *problem)
{
	if (!strcmp(value, "require"))
		target->policy->smt = SMT_REQUIRE;
	else if (!strcmp(value, "isolate"))
		target->policy->smt = SMT_ISOLATE;
	else if (!strcmp(value, "prefer"))
		target->policy->smt = SMT_PREFER;
	else
		return bad_value(target, value, problem);
	return 0;
}

static int set_memory(struct target *target, const char *value, struct problem *problem)
{
	if (!strcmp(value, "leave"))
		target->policy->memory = MEMORY_LEAVE;
	else if (!strcmp(value, "follow"))
		target->policy->memory = MEMORY_FOLLOW;
	else
		return bad_value(target, value, problem);
	return 0;
}

static bool is_address(char *text)
{
	unsigned char binary[sizeof(struct in6_addr)];
	size_t len = strlen(text);

	if (*text != '[')
		return inet_pton(AF_INET, text, binary) == 1;
	if (text[len - 1] != ']')
		return false;
	text[len - 1] = '\0';
	return inet_pton(AF_INET6, text + 1, binary) == 1;
}

static int set_listen(struct target *target, const char *value, struct problem *problem)
{
	char address[sizeof(target->config->listen)];
	const char *colon = strrchr(value, ':');
	uint64_t port;

	if (!colon || strlen(value) >= sizeof(address))
		return bad_value(target, value, problem);
	memcpy(address, value, (size_t)(colon - value));
	address[colon - value] = '\0';
	if (!is_address(address) || parse_u64(colon + 1, 65535, &port) || !port)
		return bad_value(target, value, problem);
	strcpy(target->config->listen, value);
	return 0;
}

static int set_emulator_pin(
	struct target *target, const char *value, struct problem *problem)
{
	int r = cpulist_parse(value, target->present, &target->vm->emulator_pin, problem);

	if (!r)
		target->vm->has_emulator_pin = true;
	return r;
}

static int compare_pins(const void *a, const void *b)
{
	const struct pin *pin_a = a, *pin_b = b;

	return pin_a->index < pin_b->index ? -1 : pin_a->index > pin_b->index;
}

/* The index may be among the first n_old pins, which are sorted, but not after them. */
static int set_pin(struct target *target, const char *value, struct problem *problem,
	struct pin **pins, size_t *n_pins, size_t n_old)
{
	struct pin wanted = {.index = target->index}, *pin = NULL;
	int r = cpulist_parse(value, target->present, &wanted.cpus, problem);

	if (r)
		return r;
	if (n_old)
		pin = bsearch(&wanted, *pins, n_old, sizeof(wanted), compare_pins);
	if (!pin)
		pin = array_push(pins, n_pins);
	if (!pin)
		return problem_nomem(problem);
	*pin = wanted;
	return 0;
}

static int set_vcpu_pin(struct target *target, const char *value, struct problem *problem)
{
	return set_pin(target, value, problem, &target->vm->vcpu_pins,
		&target->vm->n_vcpu_pins, target->n_old_vcpu_pins);
}

static int set_iothread_pin(
	struct target *target, const char *value, struct problem *problem)
{
	return set_pin(target, value, problem, &target->vm->iothread_pins,
		&target->vm->n_iothread_pins, target->n_old_iothread_pins);
}

#define KINDS "observe, dedicated, shared, ignore"
#define PARTITIONS "isolated, root, member"
#define EMULATORS "own, housekeeping, a CPU list"
#define NUMAS "single, prefer, any"
#define SMTS "require, isolate, prefer"
#define MEMORIES "leave, follow"
#define LISTENS \
	"ADDRESS:PORT with an address like 127.0.0.1 or [::1] and a port from 1 to 65535"

static const struct key host_keys[] = {
	{"host", "housekeeping", NULL, set_housekeeping, 1},
	{"defaults", "policy", KINDS, set_kind, 1},
	{"defaults", "partition", PARTITIONS, set_partition, 1},
	{"defaults", "emulator", EMULATORS, set_emulator, 1},
	{"defaults", "numa", NUMAS, set_numa, 1},
	{"defaults", "smt", SMTS, set_smt, 1},
	{"defaults", "memory", MEMORIES, set_memory, 1},
	{"exporter", "listen", LISTENS, set_listen, 1},
	{0},
};

static const struct key vm_keys[] = {
	{"vm", "policy", KINDS, set_kind, 1},
	{"vm", "partition", PARTITIONS, set_partition, 1},
	{"vm", "emulator", EMULATORS, set_emulator, 1},
	{"vm", "numa", NUMAS, set_numa, 1},
	{"vm", "smt", SMTS, set_smt, 1},
	{"vm", "memory", MEMORIES, set_memory, 1},
	{"vcpupin", NULL, "vCPU numbers from 0 to 8191", set_vcpu_pin, VCPUS_MAX},
	{"emulatorpin", "cpus", NULL, set_emulator_pin, 1},
	{"iothreadpin", NULL, "iothread numbers from 0 to 4095", set_iothread_pin,
		IOTHREADS_MAX},
	{0},
};
_Static_assert(VCPUS_MAX == 8192 && IOTHREADS_MAX == 4096, "the sentences above say so");

void target_host(struct target *target, struct config *config)
{
	target->keys = host_keys;
	target->config = config;
	target->policy = &config->defaults;
	memset(target->lines, 0, sizeof(target->lines));
}

void target_vm(struct target *target, struct vm_policy *vm)
{
	target->keys = vm_keys;
	target->vm = vm;
	target->policy = &vm->policy;
	target->n_old_vcpu_pins = vm->n_vcpu_pins;
	target->n_old_iothread_pins = vm->n_iothread_pins;
	memset(target->lines, 0, sizeof(target->lines));
}

static void sort_pins(struct pin *pins, size_t n_pins)
{
	if (n_pins)
		qsort(pins, n_pins, sizeof(*pins), compare_pins);
}

void target_vm_done(struct target *target)
{
	sort_pins(target->vm->vcpu_pins, target->vm->n_vcpu_pins);
	sort_pins(target->vm->iothread_pins, target->vm->n_iothread_pins);
}

/* Appends ", TEXT"; cut where names are full. */
static void add_name(char *names, size_t size, const char *name)
{
	size_t len = strlen(names);

	snprintf(names + len, size - len, "%s%s", len ? ", " : "", name);
}

int target_section(void *user, const char *section, struct problem *problem)
{
	const struct target *target = user;
	const char *last = "";
	char names[128] = "";

	for (const struct key *key = target->keys; key->section;
		last = key->section, key++) {
		if (!strcmp(section, key->section))
			return 0;
		if (strcmp(key->section, last))
			add_name(names, sizeof(names), key->section);
	}
	return problem_set(
		problem, -EINVAL, "unknown section [%s]: allowed are %s", section, names);
}

static int unknown_key(const struct target *target, const char *section, const char *name,
	struct problem *problem)
{
	char names[128] = "";

	for (const struct key *key = target->keys; key->section; key++)
		if (!strcmp(section, key->section))
			add_name(names, sizeof(names),
				key->name ? key->name : key->allowed);
	return problem_set(problem, -EINVAL, "unknown key %s in [%s]: allowed are %s",
		name, section, names);
}

int target_entry(void *user, unsigned int line, const char *section, const char *name,
	const char *value, struct problem *problem)
{
	struct target *target = user;
	const struct key *key;
	unsigned int *lines = target->lines;
	uint64_t index = 0;

	for (key = target->keys; key->section; lines += key->count, key++) {
		if (strcmp(section, key->section))
			continue;
		if (key->name ? !strcmp(name, key->name)
			      : !parse_u64(name, key->count - 1, &index))
			break;
	}
	if (!key->section)
		return unknown_key(target, section, name, problem);
	if (lines[index])
		return problem_set(problem, -EINVAL,
			"%s is given twice in [%s]: it is allowed once, and line %u has it",
			name, section, lines[index]);
	lines[index] = line;
	target->key = key;
	target->index = (unsigned int)index;
	return key->set(target, value, problem);
}
