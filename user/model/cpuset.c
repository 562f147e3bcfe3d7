// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/cpuset.h"

#include <string.h>

static size_t n_words = CPUSET_WORDS;

void cpuset_look_below(unsigned int n)
{
	size_t steps = ((size_t)n + CPUSET_STEP - 1) / CPUSET_STEP;

	n_words = (steps ? steps : 1) * (CPUSET_STEP / 64);
	if (n_words > CPUSET_WORDS)
		n_words = CPUSET_WORDS;
}

void cpuset_or(struct cpuset *set, const struct cpuset *other)
{
	for (size_t i = 0; i < n_words; i++)
		set->words[i] |= other->words[i];
}

void cpuset_and(struct cpuset *set, const struct cpuset *other)
{
	for (size_t i = 0; i < n_words; i++)
		set->words[i] &= other->words[i];
}

void cpuset_andnot(struct cpuset *set, const struct cpuset *other)
{
	for (size_t i = 0; i < n_words; i++)
		set->words[i] &= ~other->words[i];
}

/* So many words are looked at between two questions: wide instructions do it at once. */
enum { STRIDE = 16 };
_Static_assert(CPUSET_STEP / 64 % STRIDE == 0, "whole strides");

/* Each word is as the one before it, and the first is 0: this way libc's code for many
 * bytes at once does it. */
bool cpuset_empty(const struct cpuset *set)
{
	return !set->words[0] &&
	       !memcmp(set->words, set->words + 1, (n_words - 1) * sizeof(set->words[0]));
}

bool cpuset_equal(const struct cpuset *a, const struct cpuset *b)
{
	return !memcmp(a->words, b->words, n_words * sizeof(*a->words));
}

bool cpuset_intersects(const struct cpuset *a, const struct cpuset *b)
{
	for (size_t i = 0; i < n_words; i += STRIDE) {
		uint64_t any = 0;

		for (size_t j = i; j < i + STRIDE; j++)
			any |= a->words[j] & b->words[j];
		if (any)
			return true;
	}
	return false;
}

bool cpuset_subset(const struct cpuset *inner, const struct cpuset *outer)
{
	for (size_t i = 0; i < n_words; i += STRIDE) {
		uint64_t any = 0;

		for (size_t j = i; j < i + STRIDE; j++)
			any |= inner->words[j] & ~outer->words[j];
		if (any)
			return false;
	}
	return true;
}

unsigned int cpuset_weight(const struct cpuset *set)
{
	unsigned int weight = 0;

	/* Counting is a call where the compiler may not assume an instruction for it. */
	for (size_t i = 0; i < n_words; i++)
		if (set->words[i])
			weight += (unsigned int)__builtin_popcountll(set->words[i]);
	return weight;
}

int cpuset_next(const struct cpuset *set, unsigned int from)
{
	size_t i = from / 64;
	uint64_t word;

	if (i >= n_words)
		return -1;
	word = set->words[i] & ~UINT64_C(0) << (from % 64);
	while (!word) {
		if (++i == n_words)
			return -1;
		word = set->words[i];
	}
	return (int)(i * 64) + __builtin_ctzll(word);
}

struct cpuset cpuset_away(const struct cpuset *set, const struct cpuset *keep_free,
	const struct cpuset *online)
{
	struct cpuset away = *set;

	cpuset_andnot(&away, keep_free);
	if (!cpuset_intersects(&away, online)) {
		away = *online;
		cpuset_andnot(&away, keep_free);
	}
	return away;
}

int cpuset_last(const struct cpuset *set)
{
	for (size_t i = n_words; i-- > 0;)
		if (set->words[i])
			return (int)(i * 64) + 63 - __builtin_clzll(set->words[i]);
	return -1;
}
