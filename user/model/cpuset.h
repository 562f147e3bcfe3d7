/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A set of host CPUs, by value: 1 KiB, so it is copied, compared and zeroed like a number
 * and no operation can fail. CPUSET_CPUS is the most that Linux can be built for (x86's
 * NR_CPUS with MAXSMP, arch/x86/Kconfig).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CPUSET_CPUS = 8192, CPUSET_WORDS = CPUSET_CPUS / 64 };

struct cpuset {
	uint64_t words[CPUSET_WORDS];
};

static inline bool cpuset_has(const struct cpuset *set, unsigned int cpu)
{
	return cpu < CPUSET_CPUS && (set->words[cpu / 64] >> (cpu % 64) & 1);
}

static inline void cpuset_add(struct cpuset *set, unsigned int cpu)
{
	if (cpu < CPUSET_CPUS)
		set->words[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

static inline void cpuset_drop(struct cpuset *set, unsigned int cpu)
{
	if (cpu < CPUSET_CPUS)
		set->words[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
}

/*
 * No set has a CPU that is not below n: operations on whole sets look no further, which
 * on a host of a thousand CPUs saves most of their time. For the whole process; rounded
 * up to CPUSET_STEP, which is also the least (other numbers are kept in sets, too). A set
 * of all bits stands for all CPUs below n.
 */
enum { CPUSET_STEP = 1024 };
void cpuset_look_below(unsigned int n);

/* In place: set becomes set OR / AND / AND NOT other. */
void cpuset_or(struct cpuset *set, const struct cpuset *other);
void cpuset_and(struct cpuset *set, const struct cpuset *other);
void cpuset_andnot(struct cpuset *set, const struct cpuset *other);

bool cpuset_empty(const struct cpuset *set);
bool cpuset_equal(const struct cpuset *a, const struct cpuset *b);
bool cpuset_intersects(const struct cpuset *a, const struct cpuset *b);
bool cpuset_subset(const struct cpuset *inner, const struct cpuset *outer);
unsigned int cpuset_weight(const struct cpuset *set);

/*
 * A set less CPUs that are to be kept free; where nothing of it would be left that is
 * online, all other online ones.
 */
struct cpuset cpuset_away(const struct cpuset *set, const struct cpuset *keep_free,
	const struct cpuset *online);

/* The lowest CPU that is at least `from`, or -1. */
int cpuset_next(const struct cpuset *set, unsigned int from);

/* The highest CPU, or -1. */
int cpuset_last(const struct cpuset *set);

#define cpuset_for_each(cpu, set)                     \
	for (int cpu = cpuset_next(set, 0); cpu >= 0; \
		cpu = cpuset_next(set, (unsigned int)cpu + 1))
