// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/keys.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/parse.h"
#include "user/store/values.h"
#include "user/store/vm_file.h"

#define KINDS "observe, dedicated, shared, ignore"
#define PARTITIONS "isolated, root, member"
#define EMULATORS "own, housekeeping, a CPU list"
#define IOTHREADS "emulator, own, housekeeping, a CPU list"
#define NUMAS "single, prefer, any"
#define SMTS "require, isolate, prefer"
#define MEMORIES "leave, follow"
#define GUARDS "off, log, deny"
#define OVERCOMMITS "numbers from 1 to 100 with at most two decimals"
#define LISTENS \
	"ADDRESS:PORT with an address like 127.0.0.1 or [::1] and a port from 1 to 65535"

#define WORD(section, name, allowed, bit, words, field)          \
	{                                                        \
		section, name, allowed, set_word, 1, bit, words, \
			offsetof(struct policy, field)           \
	}
/* The keys of a policy, in any section that has them. */
#define POLICY_KEYS(section)                                                           \
	WORD(section, "policy", KINDS, POLICY_KEY_KIND, kind_words, kind),             \
		WORD(section, "partition", PARTITIONS, POLICY_KEY_PARTITION,           \
			partition_words, partition),                                   \
		{section, "emulator", EMULATORS, set_emulator, 1, POLICY_KEY_EMULATOR, \
			NULL, 0},                                                      \
		{section, "iothreads", IOTHREADS, set_iothreads, 1,                    \
			POLICY_KEY_IOTHREADS, NULL, 0},                                \
		WORD(section, "numa", NUMAS, POLICY_KEY_NUMA, numa_words, numa),       \
		WORD(section, "smt", SMTS, POLICY_KEY_SMT, smt_words, smt),            \
		WORD(section, "memory", MEMORIES, POLICY_KEY_MEMORY, memory_words,     \
			memory),                                                       \
		WORD(section, "guard", GUARDS, POLICY_KEY_GUARD, guard_words, guard),  \
		{section, "class", CLASS_NAMES, set_class, 1, POLICY_KEY_CLASS, NULL,  \
			0},                                                            \
	{                                                                              \
		section, "dedicated", NULL, set_dedicated, 1, POLICY_KEY_DEDICATED,    \
			NULL, 0                                                        \
	}

static const struct key host_keys[] = {
	{"host", "housekeeping", NULL, set_housekeeping, 1, 0, NULL, 0},
	{"host", "reserved", NULL, set_reserved, 1, 0, NULL, 0},
	POLICY_KEYS("defaults"),
	POLICY_KEYS("vm"),
	{"class", "cpus", NULL, set_class_cpus, 1, 0, NULL, 0},
	{"class", "overcommit", OVERCOMMITS, set_overcommit, 1, 0, NULL, 0},
	{"observer", "interrupts", "count, measure", set_flag, 1, 0, interrupts_words,
		offsetof(struct config, measure_interrupts)},
	{"observer", "drift", "on, off", set_flag, 1, 0, drift_words,
		offsetof(struct config, drift_off)},
	{"exporter", "listen", LISTENS, set_listen, 1, 0, NULL, 0},
	{0},
};

enum { RUN_KEYS = 2 /* the first ones, of files in /run alone */ };

static const struct key vm_keys[] = {
	{PROCESS_SECTION, PROCESS_PID, NULL, set_nothing, 1, 0, NULL, 0},
	{PROCESS_SECTION, PROCESS_START, NULL, set_nothing, 1, 0, NULL, 0},
	POLICY_KEYS("vm"),
	{"vcpupin", NULL, "vCPU numbers from 0 to 8191", set_vcpu_pin, VCPUS_MAX, 0, NULL,
		0},
	{"emulatorpin", "cpus", NULL, set_emulator_pin, 1, 0, NULL, 0},
	{"iothreadpin", NULL, "iothread numbers from 0 to 4095", set_iothread_pin,
		IOTHREADS_MAX, 0, NULL, 0},
	{0},
};
_Static_assert(VCPUS_MAX == 8192 && IOTHREADS_MAX == 4096, "the sentences above say so");

static int begin_pattern(
	struct target *target, const char *glob, struct problem *problem);
static int begin_class(struct target *target, const char *name, struct problem *problem);

/* Sections of the host's file that can be there more than once, `[KIND NAME]`. */
static const struct named_section {
	const char *kind, *name;
	int (*begin)(struct target *target, const char *name, struct problem *problem);
} named_sections[] = {
	{"vm", "PATTERN", begin_pattern},
	{"class", "NAME", begin_class},
};

static int begin_pattern(struct target *target, const char *glob, struct problem *problem)
{
	struct config *config = target->config;
	struct pattern *pattern;

	for (size_t i = 0; i < config->n_patterns; i++)
		if (!strcmp(config->patterns[i].glob, glob))
			return problem_set(problem, -EINVAL,
				"the section [vm %s] is given twice", glob);
	pattern = array_push(&config->patterns, &config->n_patterns);
	if (!pattern)
		return problem_nomem(problem);
	snprintf(pattern->glob, sizeof(pattern->glob), "%s", glob);
	target->policy = &pattern->policy;
	target->given = &pattern->given;
	return 0;
}

static int begin_class(struct target *target, const char *name, struct problem *problem)
{
	struct config *config = target->config;
	struct vm_class class;

	if (!is_class_name(name))
		return problem_set(problem, -EINVAL,
			"a class cannot be called '%s': allowed are " CLASS_NAMES, name);
	for (size_t i = 0; i < config->n_classes; i++)
		if (!strcmp(config->classes[i].name, name))
			return problem_set(problem, -EINVAL,
				"the section [class %s] is given twice", name);
	/* Before the new one is there: it would be found. */
	class = config_class(config, "");
	target->class = array_push(&config->classes, &config->n_classes);
	if (!target->class)
		return problem_nomem(problem);
	*target->class = class;
	strcpy(target->class->name, name);
	return 0;
}

void target_host(struct target *target, struct config *config)
{
	target->keys = host_keys;
	target->config = config;
	target->policy = &config->defaults;
	target->given = NULL;
	memset(target->lines, 0, sizeof(target->lines));
}

static int compare_classes(const void *a, const void *b)
{
	return strcmp(
		((const struct vm_class *)a)->name, ((const struct vm_class *)b)->name);
}

void target_host_done(struct target *target)
{
	struct config *config = target->config;

	if (config->n_classes)
		qsort(config->classes, config->n_classes, sizeof(*config->classes),
			compare_classes);
}

void target_vm(struct target *target, struct vm_policy *vm, bool run)
{
	target->keys = run ? vm_keys : vm_keys + RUN_KEYS;
	target->vm = vm;
	target->policy = &vm->policy;
	target->given = NULL;
	target->n_old_vcpu_pins = vm->n_vcpu_pins;
	target->n_old_iothread_pins = vm->n_iothread_pins;
	memset(target->lines, 0, sizeof(target->lines));
}

/* Those that were taken back go. */
static size_t sort_pins(struct pin *pins, size_t n_pins)
{
	size_t n = 0;

	for (size_t i = 0; i < n_pins; i++)
		if (!cpuset_empty(&pins[i].cpus))
			pins[n++] = pins[i];
	if (n)
		qsort(pins, n, sizeof(*pins), pin_compare);
	return n;
}

void target_vm_done(struct target *target)
{
	struct vm_policy *vm = target->vm;

	vm->n_vcpu_pins = sort_pins(vm->vcpu_pins, vm->n_vcpu_pins);
	vm->n_iothread_pins = sort_pins(vm->iothread_pins, vm->n_iothread_pins);
}

/* Appends ", TEXT"; cut where names are full. */
static void add_name(char *names, size_t size, const char *name)
{
	size_t len = strlen(names);

	snprintf(names + len, size - len, "%s%s", len ? ", " : "", name);
}

/* The named section of the host's file that a section's head begins, or NULL. */
static const struct named_section *find_named(
	const struct target *target, const char *section)
{
	size_t n = sizeof(named_sections) / sizeof(*named_sections);

	for (size_t i = 0; target->keys == host_keys && i < n; i++) {
		size_t len = strlen(named_sections[i].kind);

		if (!strncmp(section, named_sections[i].kind, len) &&
			section[len] == ' ' && section[len + 1])
			return &named_sections[i];
	}
	return NULL;
}

/* Is the key of that section, `[vm web*]` being one of kind `vm`? */
static bool is_of(const struct target *target, const struct key *key, const char *section)
{
	const struct named_section *named = find_named(target, section);

	return !strcmp(key->section, named ? named->kind : section);
}

/* A named section begins: its keys may be there once more. */
static int begin_named(struct target *target, const struct named_section *named,
	const char *section, struct problem *problem)
{
	unsigned int *lines = target->lines;

	for (const struct key *key = target->keys; key->section;
		lines += key->count, key++)
		if (!strcmp(key->section, named->kind))
			memset(lines, 0, key->count * sizeof(*lines));
	return named->begin(target, section + strlen(named->kind) + 1, problem);
}

/* Where the section can be there more than once, with what tells one from another. */
static void add_section(
	const struct target *target, const char *section, char *names, size_t size)
{
	char full[64];

	snprintf(full, sizeof(full), "%s", section);
	for (size_t i = 0; i < sizeof(named_sections) / sizeof(*named_sections); i++)
		if (target->keys == host_keys && !strcmp(section, named_sections[i].kind))
			snprintf(full, sizeof(full), "%s %s", section,
				named_sections[i].name);
	add_name(names, size, full);
}

int target_section(void *user, const char *section, struct problem *problem)
{
	struct target *target = user;
	const struct named_section *named = find_named(target, section);
	const char *last = "";
	char names[128] = "";

	if (named)
		return begin_named(target, named, section, problem);
	for (const struct key *key = target->keys; key->section;
		last = key->section, key++) {
		/* The kind alone is no named section. */
		bool whole = target->keys != host_keys || strcmp(section, "vm");

		if (whole && strcmp(section, "class") && !strcmp(section, key->section)) {
			if (target->keys == host_keys)
				target->policy = &target->config->defaults;
			target->given = NULL;
			return 0;
		}
		if (strcmp(key->section, last))
			add_section(target, key->section, names, sizeof(names));
	}
	return problem_set(
		problem, -EINVAL, "unknown section [%s]: allowed are %s", section, names);
}

static int unknown_key(const struct target *target, const char *section, const char *name,
	struct problem *problem)
{
	char names[160] = "";

	for (const struct key *key = target->keys; key->section; key++)
		if (is_of(target, key, section))
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
		if (!is_of(target, key, section))
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
	if (target->given)
		*target->given |= key->bit;
	return key->set(target, value, problem);
}
