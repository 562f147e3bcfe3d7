/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What many rounds of one measurement say together. */
#include <stddef.h>

enum { ROUNDS_MAX = 1000 };

struct series {
	double values[ROUNDS_MAX];
	size_t n;
};

/* A neighbour's burst spoils single rounds, in either term of a difference: so no means,
 * no minima. */
struct summary {
	double median, low, high; /* low and high: the quartiles */
};

void series_add(struct series *series, double value);
struct summary summarise(const struct series *series);

/* How far the median itself may be off: half the distance of the quartiles. */
double summary_noise(const struct summary *summary);
