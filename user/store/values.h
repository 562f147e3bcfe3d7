/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the keys (keys.h): what the values of each mean. */
#include "user/store/keys.h"

/* A word of a key that takes one of a few, and its number in the enum. */
struct word {
	const char *text; /* the last one has none */
	int value;
};

extern const struct word kind_words[], partition_words[], numa_words[], smt_words[],
	memory_words[], guard_words[], interrupts_words[], drift_words[];

/*
 * A key of a section. Without a name: the numbers below `count`, which otherwise is 1.
 * Words are for keys of a policy that take one: where the number goes is an offset into
 * it.
 */
struct key {
	const char *section, *name;
	const char *allowed; /* values (CPU lists have sentences of their own), or the
				numbers */
	int (*set)(struct target *target, const char *value, struct problem *problem);
	unsigned int count;
	enum policy_key bit; /* of a policy's keys */
	const struct word *words;
	size_t offset; /* in struct policy, with set_flag() in struct config */
};

/* For struct key. They set the key of target->key to the value, or say why not. */
int set_word(struct target *target, const char *value, struct problem *problem);
int set_flag(struct target *target, const char *value, struct problem *problem);
int set_housekeeping(struct target *target, const char *value, struct problem *problem);
int set_reserved(struct target *target, const char *value, struct problem *problem);
int set_emulator(struct target *target, const char *value, struct problem *problem);
int set_iothreads(struct target *target, const char *value, struct problem *problem);
int set_class(struct target *target, const char *value, struct problem *problem);
int set_dedicated(struct target *target, const char *value, struct problem *problem);
int set_class_cpus(struct target *target, const char *value, struct problem *problem);
int set_overcommit(struct target *target, const char *value, struct problem *problem);
int set_listen(struct target *target, const char *value, struct problem *problem);
/* store/vm_file.h reads it: whether the file counts is known before it is laid over
 * anything. */
int set_nothing(struct target *target, const char *value, struct problem *problem);
int set_emulator_pin(struct target *target, const char *value, struct problem *problem);
int set_vcpu_pin(struct target *target, const char *value, struct problem *problem);
int set_iothread_pin(struct target *target, const char *value, struct problem *problem);

/* Is it fit for a class's name, which goes into that of a group? */
bool is_class_name(const char *name);
#define CLASS_NAMES "letters, digits and _, at most 31 of them"
