// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Placing one VM is a search among few candidates: whole nodes, caches in them, cores in
 * those. What belongs to one is counted first (allocator_attempt.c), candidates are
 * decided on by these counts (allocator_choice.c), filled core by core and scored
 * (allocator_trial.c); the best score wins, and the lowest number among equals.
 */
#include "user/model/allocator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/model/allocator_parts.h"

void placement_deinit(struct placement *placement)
{
	free(placement->cpus);
	memset(placement, 0, sizeof(*placement));
}

void explanation_deinit(struct explanation *explanation)
{
	for (size_t i = 0; i < explanation->n_lines; i++)
		free(explanation->lines[i]);
	free(explanation->lines);
	memset(explanation, 0, sizeof(*explanation));
}

struct cpuset placement_all(
	const struct placement *placement, const struct request *request)
{
	struct cpuset all = placement->spare;

	for (size_t i = 0; i < request->n_wants; i++)
		if (request->wants[i].fixed)
			cpuset_or(&all, request->wants[i].fixed);
		else
			cpuset_add(&all, (unsigned int)placement->cpus[i]);
	return all;
}

static int finish(struct attempt *attempt, const struct cpuset *available,
	struct explanation *explanation, struct placement *ret_placement,
	struct problem *problem)
{
	bool found = attempt_choose(attempt);

	if (explanation && attempt_explain(attempt, explanation))
		return problem_nomem(problem);
	if (!found)
		return attempt_refuse(attempt, available, problem);
	ret_placement->spare = attempt_spare(attempt);
	ret_placement->cpus = attempt->best.given;
	ret_placement->n_cpus = attempt->request->n_wants;
	attempt->best.given = NULL;
	return 0;
}

int allocator_place(const struct allocator *allocator, const struct request *request,
	const struct cpuset *available, struct explanation *explanation,
	struct placement *ret_placement, struct problem *problem)
{
	struct attempt attempt;
	int r = attempt_init(&attempt, allocator, request, available, problem);

	if (!r && explanation)
		r = attempt_record(&attempt);
	if (!r)
		r = finish(&attempt, available, explanation, ret_placement, problem);
	else if (r > 0)
		r = attempt_advise(&attempt, available, problem);
	else
		problem_nomem(problem);
	attempt_deinit(&attempt);
	return r;
}
