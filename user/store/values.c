// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/parse.h"
#include "user/model/cpulist.h"

enum { QUOTED_MAX = 60 /* bytes of a value that a sentence repeats */ };

static int bad_value(
	const struct target *target, const char *value, struct problem *problem)
{
	return problem_set(problem, -EINVAL, "%s cannot be '%.*s': allowed are %s",
		target->key->name, QUOTED_MAX, value, target->key->allowed);
}

const struct word kind_words[] = {
	{"observe", POLICY_OBSERVE},
	{"dedicated", POLICY_DEDICATED},
	{"shared", POLICY_SHARED},
	{"ignore", POLICY_IGNORE},
	{0},
};
const struct word partition_words[] = {
	{"isolated", PARTITION_ISOLATED},
	{"root", PARTITION_ROOT},
	{"member", PARTITION_MEMBER},
	{0},
};
const struct word numa_words[] = {
	{"single", NUMA_SINGLE},
	{"prefer", NUMA_PREFER},
	{"any", NUMA_ANY},
	{0},
};
const struct word smt_words[] = {
	{"require", SMT_REQUIRE},
	{"isolate", SMT_ISOLATE},
	{"prefer", SMT_PREFER},
	{0},
};
const struct word memory_words[] = {
	{"leave", MEMORY_LEAVE},
	{"follow", MEMORY_FOLLOW},
	{0},
};
const struct word guard_words[] = {
	{"off", GUARD_OFF},
	{"log", GUARD_LOG},
	{"deny", GUARD_DENY},
	{0},
};

const struct word interrupts_words[] = {
	{"count", false},
	{"measure", true},
	{0},
};
const struct word drift_words[] = {
	{"on", false},
	{"off", true},
	{0},
};

static const struct word *find_word(const struct target *target, const char *value)
{
	for (const struct word *word = target->key->words; word->text; word++)
		if (!strcmp(value, word->text))
			return word;
	return NULL;
}

int set_word(struct target *target, const char *value, struct problem *problem)
{
	const struct word *word = find_word(target, value);

	if (!word)
		return bad_value(target, value, problem);
	memcpy((char *)target->policy + target->key->offset, &word->value,
		sizeof(word->value));
	return 0;
}

int set_flag(struct target *target, const char *value, struct problem *problem)
{
	const struct word *word = find_word(target, value);

	if (!word)
		return bad_value(target, value, problem);
	*(bool *)((char *)target->config + target->key->offset) = word->value;
	return 0;
}

int set_housekeeping(struct target *target, const char *value, struct problem *problem)
{
	int r = cpulist_parse(
		value, target->present, &target->config->housekeeping, problem);

	if (!r)
		target->config->has_housekeeping = true;
	return r;
}

int set_reserved(struct target *target, const char *value, struct problem *problem)
{
	int r = cpulist_parse(value, target->present, &target->config->reserved, problem);

	if (!r)
		target->config->has_reserved = true;
	return r;
}

/* A misspelt word rather than a list has a sentence that names the words. */
static int set_place(struct target *target, const char *value, struct problem *problem,
	enum place *place, struct cpuset *list)
{
	bool iothreads = place == &target->policy->iothreads;
	struct cpuset cpus = {0};
	int r;

	if (!strcmp(value, "own")) {
		*place = PLACE_OWN;
	} else if (!strcmp(value, "housekeeping")) {
		*place = PLACE_HOUSEKEEPING;
	} else if (iothreads && !strcmp(value, "emulator")) {
		*place = PLACE_EMULATOR;
	} else if (strncmp(value, "all", 3) && !strpbrk(value, "0123456789")) {
		return bad_value(target, value, problem);
	} else {
		r = cpulist_parse(value, target->present, &cpus, problem);
		if (r)
			return r;
		*place = PLACE_LIST;
	}
	*list = cpus;
	return 0;
}

int set_emulator(struct target *target, const char *value, struct problem *problem)
{
	return set_place(target, value, problem, &target->policy->emulator,
		&target->policy->emulator_cpus);
}

int set_iothreads(struct target *target, const char *value, struct problem *problem)
{
	return set_place(target, value, problem, &target->policy->iothreads,
		&target->policy->iothread_cpus);
}

bool is_class_name(const char *name)
{
	size_t len = strspn(
		name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len && len < CLASS_NAME_SIZE && !name[len];
}

int set_class(struct target *target, const char *value, struct problem *problem)
{
	if (!is_class_name(value))
		return bad_value(target, value, problem);
	strcpy(target->policy->class, value);
	return 0;
}

/* Numbers of vCPUs, in the grammar of CPU lists. */
int set_dedicated(struct target *target, const char *value, struct problem *problem)
{
	struct cpuset vcpus;

	memset(&vcpus, 0xff, sizeof(vcpus));
	return cpulist_parse(value, &vcpus, &target->policy->dedicated, problem);
}

int set_class_cpus(struct target *target, const char *value, struct problem *problem)
{
	int r = cpulist_parse(value, target->present, &target->class->cpus, problem);

	if (!r)
		target->class->has_cpus = true;
	return r;
}

/* `4`, `1.5`, `1.25`. */
int set_overcommit(struct target *target, const char *value, struct problem *problem)
{
	static const uint64_t scale[] = {OVERCOMMIT_UNIT, 10, 1};
	uint64_t whole, rest = 0;
	const char *end;
	size_t digits = 0;

	if (parse_u64_prefix(value, OVERCOMMIT_MAX, &end, &whole))
		return bad_value(target, value, problem);
	if (*end == '.') {
		digits = strlen(end + 1);
		if (digits < 1 || digits > 2 || parse_u64(end + 1, 99, &rest))
			return bad_value(target, value, problem);
	} else if (*end) {
		return bad_value(target, value, problem);
	}
	whole = whole * OVERCOMMIT_UNIT + rest * scale[digits];
	if (whole < OVERCOMMIT_UNIT || whole > OVERCOMMIT_MAX * OVERCOMMIT_UNIT)
		return bad_value(target, value, problem);
	target->class->overcommit = (unsigned int)whole;
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

int set_listen(struct target *target, const char *value, struct problem *problem)
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

int set_nothing(struct target *target, const char *value, struct problem *problem)
{
	(void)target;
	(void)value;
	(void)problem;
	return 0;
}

/* A file of /run takes a pin of /etc's back with this. */
static bool is_none(const char *value)
{
	return !strcmp(value, "none");
}

int set_emulator_pin(struct target *target, const char *value, struct problem *problem)
{
	int r = 0;

	if (!is_none(value))
		r = cpulist_parse(
			value, target->present, &target->vm->emulator_pin, problem);
	if (!r)
		target->vm->has_emulator_pin = !is_none(value);
	return r;
}

/* The index may be among the first n_old pins, which are sorted, but not after them. One
 * without CPUs goes when the file has been read. */
static int set_pin(struct target *target, const char *value, struct problem *problem,
	struct pin **pins, size_t *n_pins, size_t n_old)
{
	struct pin wanted = {.index = target->index}, *pin = NULL;
	int r = 0;

	if (!is_none(value))
		r = cpulist_parse(value, target->present, &wanted.cpus, problem);

	if (r)
		return r;
	if (n_old)
		pin = bsearch(&wanted, *pins, n_old, sizeof(wanted), pin_compare);
	if (!pin)
		pin = array_push(pins, n_pins);
	if (!pin)
		return problem_nomem(problem);
	*pin = wanted;
	return 0;
}

int set_vcpu_pin(struct target *target, const char *value, struct problem *problem)
{
	return set_pin(target, value, problem, &target->vm->vcpu_pins,
		&target->vm->n_vcpu_pins, target->n_old_vcpu_pins);
}

int set_iothread_pin(struct target *target, const char *value, struct problem *problem)
{
	return set_pin(target, value, problem, &target->vm->iothread_pins,
		&target->vm->n_iothread_pins, target->n_old_iothread_pins);
}
