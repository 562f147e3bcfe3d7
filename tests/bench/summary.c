// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/summary.h"

#include <stdlib.h>

void series_add(struct series *series, double value)
{
	if (series->n < ROUNDS_MAX)
		series->values[series->n++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double quantile(const struct series *sorted, double part)
{
	double place = part * (double)(sorted->n - 1);
	size_t below = (size_t)place;

	if (below + 1 >= sorted->n)
		return sorted->values[sorted->n - 1];
	return sorted->values[below] +
	       (place - (double)below) *
		       (sorted->values[below + 1] - sorted->values[below]);
}

struct summary summarise(const struct series *series)
{
	struct series sorted = *series;

	if (!sorted.n)
		return (struct summary){};
	qsort(sorted.values, sorted.n, sizeof(sorted.values[0]), compare);
	return (struct summary){.median = quantile(&sorted, 0.5),
		.low = quantile(&sorted, 0.25),
		.high = quantile(&sorted, 0.75)};
}

double summary_noise(const struct summary *summary)
{
	return (summary->high - summary->low) / 2;
}
