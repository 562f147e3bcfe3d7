// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/coverage.h"

#include <inttypes.h>
#include <string.h>

#include "user/model/cpuset.h"

uint64_t coverage_window(const struct coverage_input *input)
{
	const struct counters *counters = input->counters;

	return input->window_ns ? input->window_ns : counters->now - counters->start;
}

static uint64_t window_start(const struct coverage_input *input)
{
	uint64_t window = coverage_window(input);

	return input->counters->now > window ? input->counters->now - window : 0;
}

uint64_t coverage_watched(
	const struct coverage_input *input, const struct reservation *reservation)
{
	uint64_t from = window_start(input);

	if (reservation->since > from)
		from = reservation->since;
	return input->counters->now > from ? input->counters->now - from : 0;
}

bool coverage_includes(
	const struct coverage_input *input, const struct reservation *reservation)
{
	return !input->only ||
	       !strcmp(input->counters->vms[reservation->vm].name, input->only);
}

const struct reservation *coverage_least(const struct coverage_input *input)
{
	const struct reservation *least = NULL;

	for (size_t i = 0; i < input->counters->n_reserved; i++) {
		const struct reservation *one = &input->counters->reserved[i];

		if (coverage_includes(input, one) &&
			(!least || coverage_watched(input, one) <
					   coverage_watched(input, least)))
			least = one;
	}
	return least;
}

/* What makes all of the window doubtful, for nobody knows when it happened. */
static bool find_doubt(const struct coverage_input *input, struct problem *ret_reason)
{
	const struct counters *counters = input->counters;
	int last = input->online ? cpuset_last(input->online) : -1;

	if (!input->alive)
		problem_set(ret_reason, 0,
			"the observer does not count: no switch was seen while it was watched");
	else if (!counters->programs)
		problem_set(ret_reason, 0,
			"the observer's program is not attached to sched_switch");
	else if (counters->programs > 1 && !counters->takeover)
		problem_set(ret_reason, 0,
			"%u programs count into the same maps, so that runs may be counted twice",
			counters->programs);
	else if (counters->recursion_misses)
		problem_set(ret_reason, 0,
			"the kernel skipped the observer's program at some switches");
	else if (counters->unwritten &&
		 (!input->window_ns || counters->unwritten_time >= window_start(input)))
		problem_set(ret_reason, 0,
			"%" PRIu64 " runs of threads that have no place in task_counters",
			counters->unwritten);
	else if (last >= 0 && (size_t)last >= counters->n_cpus)
		problem_set(ret_reason, 0,
			"CPU %d is online and beyond the observer's maps", last);
	else
		return false;
	return true;
}

/* How long a VM ran in the window before that time. To find one that has just been
 * started takes a moment, which is not held against anybody. */
static uint64_t ran_before(
	const struct coverage_input *input, const struct vm_tally *vm, uint64_t since)
{
	uint64_t from = window_start(input);

	if (vm->started >= from) {
		if (since <= vm->started + COVERAGE_BIRTH_NS)
			return 0;
		from = vm->started;
	}
	return since <= from ? 0 : since - from;
}

/* Of reasons the first one is told. */
static uint64_t blind_to_cpus(
	const struct coverage_input *input, uint64_t blind, struct problem *ret_reason)
{
	const struct counters *counters = input->counters;

	for (size_t i = 0; i < counters->n_reserved; i++) {
		const struct reservation *one = &counters->reserved[i];
		const struct vm_tally *vm = &counters->vms[one->vm];
		uint64_t unwatched = ran_before(input, vm, one->since);

		if (!coverage_includes(input, one) || unwatched <= blind)
			continue;
		if (!blind)
			problem_set(ret_reason, 0,
				"the rule of CPU %u of %s has not been in force for the whole window",
				one->cpu, vm->name);
		blind = unwatched;
	}
	return blind;
}

static uint64_t blind_to_vms(
	const struct coverage_input *input, uint64_t blind, struct problem *ret_reason)
{
	for (size_t i = 0; i < input->counters->n_vms; i++) {
		const struct vm_tally *vm = &input->counters->vms[i];
		uint64_t unwatched = ran_before(input, vm, vm->since);

		if (vm->ended || (input->only && strcmp(vm->name, input->only) != 0) ||
			unwatched <= blind)
			continue;
		if (!blind)
			problem_set(ret_reason, 0,
				"the observer has not known %s for the whole window",
				vm->name);
		blind = unwatched;
	}
	return blind;
}

uint64_t coverage_blind(const struct coverage_input *input, struct problem *ret_reason)
{
	const struct counters *counters = input->counters;
	uint64_t life = counters->now - counters->start, blind = 0;

	if (find_doubt(input, ret_reason))
		return coverage_window(input) ? coverage_window(input) : 1;
	if (!input->window_ns)
		return 0;
	if (input->window_ns > life) {
		problem_set(
			ret_reason, 0, "the observer has not run for the whole window");
		blind = input->window_ns - life;
	}
	blind = blind_to_cpus(input, blind, ret_reason);
	return blind_to_vms(input, blind, ret_reason);
}
