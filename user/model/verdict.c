// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A violation that was counted is a fact, whatever else was missed: it comes first. Then
 * blindness, since no number means anything with it; then degradation. What is left is
 * OK.
 *
 * Counters say what happened since the observer started. For a shorter window the
 * daemon's history says what was counted before it; its entry is older than the window's
 * start, so that nothing in the window escapes. With and without it, the time of each
 * CPU's latest violation tells whether that lies inside.
 */
#include "user/model/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/model/coverage.h"

const char *verdict_word(enum verdict verdict)
{
	static const char *const words[] = {"ok", "warning", "critical", "unknown"};

	return words[verdict];
}

const char *verdict_head(enum verdict verdict)
{
	static const char *const heads[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

	return heads[verdict];
}

static void add(struct tally *to, const struct tally *tally)
{
	to->count += tally->count;
	to->ns += tally->ns;
}

/* The entry that the window's counts begin with; NULL: they begin with the observer. */
static const struct past *find_before(const struct verdict_input *input)
{
	const struct counters *counters = input->counters;

	return input->window_ns && past_is_of(input->before, counters) &&
			       input->before->time + input->window_ns <= counters->now
		       ? input->before
		       : NULL;
}

static void sum_up(const struct verdict_input *input, struct verdict_result *result)
{
	const struct counters *counters = input->counters;
	const struct past *before = find_before(input);
	struct violations sum, one;

	result->switches = counters->total.switches - (before ? before->switches : 0);
	result->events_lost = counters->events_lost - (before ? before->events_lost : 0);
	result->examined_ns = counters->now - (before ? before->time : counters->start);
	past_since(before, counters, &sum);
	if (input->only)
		sum = (struct violations){};
	for (size_t i = 0; input->only && i < counters->n_vms; i++) {
		if (strcmp(counters->vms[i].name, input->only))
			continue;
		past_vm_since(before, &counters->vms[i], &one);
		add(&sum.off_set, &one.off_set);
		add(&sum.settling, &one.settling);
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			add(&sum.foreign[cause], &one.foreign[cause]);
	}
	result->off_set = sum.off_set;
	result->settling = sum.settling;
	memcpy(result->foreign, sum.foreign, sizeof(result->foreign));
}

void verdict_of_vm(const struct verdict_input *input, const struct verdict_result *result,
	const struct vm_tally *vm, struct violations *ret_counted)
{
	struct tally settling;

	past_vm_since(find_before(input), vm, ret_counted);
	settling = ret_counted->settling;
	if (result->cleared)
		*ret_counted = (struct violations){.settling = settling};
}

static struct coverage_input coverage_of(const struct verdict_input *input)
{
	return (struct coverage_input){.counters = input->counters,
		.online = input->online,
		.only = input->only,
		.window_ns = input->window_ns,
		.alive = input->alive};
}

/* Violations of a VM that is gone stand without its name: it may have been an earlier
 * life of this one's. NULL: there is none in the window. */
static const struct culprit *find_nameless(const struct verdict_input *input)
{
	const struct counters *counters = input->counters;
	uint64_t from = counters->now - input->window_ns;

	for (size_t i = 0; input->only && i < counters->n_culprits; i++)
		if (counters->culprits[i].time >= from && !*counters->culprits[i].vm)
			return &counters->culprits[i];
	return NULL;
}

/*
 * Were there violations in the window of VMs that are gone, one of which may have been
 * an earlier life of this one? CPUs never forget, so that what is left when those of all
 * known VMs are taken away was theirs. A VM that was there all the time had no other life
 * in it.
 */
static bool may_be_of_earlier_life(const struct verdict_input *input)
{
	const struct counters *counters = input->counters;
	const struct past *before = find_before(input);
	struct violations sum, one;
	uint64_t left, of_vm;

	past_since(before, counters, &sum);
	left = violations_count(&sum);
	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];

		if (!vm->ended && !strcmp(vm->name, input->only) &&
			vm->since + input->window_ns <= counters->now)
			return false;
		past_vm_since(before, vm, &one);
		of_vm = violations_count(&one);
		left -= of_vm < left ? of_vm : left;
	}
	return left;
}

enum in_window { WINDOW_CLEAN, WINDOW_VIOLATED, WINDOW_UNKNOWN };

/* By who violated: of each the latest run is known, as long as there was room for all. */
static enum in_window look_at_tallies(const struct verdict_input *input)
{
	const struct counters *counters = input->counters;
	uint64_t from = counters->now - input->window_ns;

	if (!input->only || !counters->n_tallies || counters->culprits_full)
		return WINDOW_UNKNOWN;
	for (size_t i = 0; i < counters->n_tallies; i++) {
		const struct culprit_tally *tally = &counters->tallies[i];

		if (tally->kind != KIND_BOUND_KTHREAD && tally->time >= from &&
			!strcmp(tally->vm, input->only))
			return WINDOW_VIOLATED;
	}
	return WINDOW_CLEAN;
}

/*
 * Was there a violation in the window? Each CPU keeps its latest one with its time. Where
 * that is an older one there was none since; where it is another VM's, there may have
 * been one of this VM's before it, which those who violated can tell.
 */
static enum in_window look_at_window(const struct verdict_input *input)
{
	const struct counters *counters = input->counters;
	uint64_t from = counters->now - input->window_ns;
	enum in_window found = counters->n_culprits ? WINDOW_CLEAN : WINDOW_UNKNOWN;

	for (size_t i = 0; i < counters->n_culprits; i++) {
		if (counters->culprits[i].time < from)
			continue;
		if (!input->only || !strcmp(counters->culprits[i].vm, input->only))
			return WINDOW_VIOLATED;
		found = WINDOW_UNKNOWN;
	}
	return found == WINDOW_UNKNOWN ? look_at_tallies(input) : found;
}

/* What was counted was counted before the window; when something settled nobody knows. */
static void clear_violations(struct verdict_result *result)
{
	memset(&result->off_set, 0, sizeof(result->off_set));
	memset(result->foreign, 0, sizeof(result->foreign));
	result->cleared = true;
}

/* `4 violations: 1 off_set, 3 foreign (2 user, 1 own_vm)`. */
static void describe_violations(
	const struct verdict_result *result, char *buf, size_t size)
{
	uint64_t foreign = tally_foreign(result->foreign),
		 all = foreign + result->off_set.count;
	const char *comma = "";
	size_t n;

	n = (size_t)snprintf(
		buf, size, "%" PRIu64 " violation%s: ", all, all == 1 ? "" : "s");
	if (result->off_set.count)
		n += (size_t)snprintf(buf + n, size - n, "%" PRIu64 " off_set%s",
			result->off_set.count, foreign ? ", " : "");
	if (!foreign)
		return;
	n += (size_t)snprintf(buf + n, size - n, "%" PRIu64 " foreign (", foreign);
	for (int cause = 0; cause < CAUSE_COUNT; cause++) {
		if (!result->foreign[cause].count)
			continue;
		n += (size_t)snprintf(buf + n, size - n, "%s%" PRIu64 " %s", comma,
			result->foreign[cause].count, cause_name(cause));
		comma = ", ";
	}
	snprintf(buf + n, size - n, ")");
}

/* `; CPU 4 of web1 was watched for 40% of it, 12 events lost` */
static void describe_gaps(const struct verdict_input *input, uint64_t window,
	uint64_t events_lost, char *buf, size_t size)
{
	const struct counters *counters = input->counters;
	const struct coverage_input coverage = coverage_of(input);
	const struct reservation *least = coverage_least(&coverage);
	uint64_t share = 100;
	size_t n = 0;

	*buf = '\0';
	if (least && window)
		share = (uint64_t)(100.0L * coverage_watched(&coverage, least) / window);
	if (share < 100)
		n = (size_t)snprintf(buf, size,
			"; CPU %u has been %s's for %" PRIu64 "%% of it", least->cpu,
			counters->vms[least->vm].name, share);
	if (events_lost)
		snprintf(buf + n, size - n,
			"; %" PRIu64 " event%s lost, all of them counted", events_lost,
			events_lost == 1 ? "" : "s");
}

void verdict_decide(const struct verdict_input *input, struct verdict_result *ret_result)
{
	const struct counters *counters = input->counters;
	struct verdict_result result = {.verdict = VERDICT_UNKNOWN};
	struct coverage_input coverage;
	const struct culprit *nameless;
	struct problem blind = {};
	char text[256], gaps[VM_NAME_SIZE + 128];
	bool violated, shorter, known;

	if (!counters) {
		problem_set(&result.reason, 0, "%s", input->absent);
		result.window_ns = result.blind_ns = input->window_ns;
		*ret_result = result;
		return;
	}
	sum_up(input, &result);
	result.window_ns = result.examined_ns;
	shorter = input->window_ns && input->window_ns < counters->now - counters->start;
	known = !shorter || find_before(input);
	violated = result.off_set.count || tally_foreign(result.foreign);
	if (violated && shorter && look_at_window(input) == WINDOW_CLEAN) {
		clear_violations(&result);
		result.window_ns = input->window_ns;
		violated = false;
	}
	describe_violations(&result, text, sizeof(text));
	coverage = coverage_of(input);
	result.blind_ns = coverage_blind(&coverage, &blind);
	if (!result.blind_ns && input->unwatched) {
		problem_set(&blind, 0, "%s", input->unwatched);
		result.blind_ns = coverage_window(&coverage);
	}
	nameless = shorter && !find_before(input) ? find_nameless(input) : NULL;
	describe_gaps(input, coverage_window(&coverage), result.events_lost, gaps,
		sizeof(gaps));
	if (violated && !known && look_at_window(input) == WINDOW_UNKNOWN) {
		problem_set(&result.reason, 0,
			"%s since the observer's start; how many of them in the window is not known "
			"without the daemon's history",
			text);
	} else if (violated) {
		result.verdict = VERDICT_CRITICAL;
		problem_set(&result.reason, 0, "%s%s%s%s%s%s", text,
			input->culprit ? "; the latest: " : "",
			input->culprit ? input->culprit : "", gaps,
			result.blind_ns ? "; and blind: " : "", blind.text);
	} else if (shorter && look_at_window(input) == WINDOW_VIOLATED) {
		problem_set(&result.reason, 0,
			"there was a violation in the window; how many there were is not known, for what was counted before has been forgotten meanwhile");
	} else if (input->only && find_before(input) && may_be_of_earlier_life(input)) {
		problem_set(&result.reason, 0,
			"there were violations in the window of VMs that are gone: whether one was %s before is not known",
			input->only);
	} else if (nameless) {
		problem_set(&result.reason, 0,
			"there was a violation on CPU %u in the window, of a VM that is gone: whether that was %s before is not known",
			nameless->cpu, input->only);
	} else if (result.blind_ns) {
		problem_set(&result.reason, 0, "blind: %s", blind.text);
	} else if (input->degraded || (input->repaired && input->window_ns) ||
		   input->exceeded) {
		result.verdict = VERDICT_WARNING;
		problem_set(&result.reason, 0, "no violation, yet %s",
			input->degraded	  ? input->degraded
			: input->exceeded ? input->exceeded
					  : input->repaired);
	} else {
		result.verdict = VERDICT_OK;
		problem_set(&result.reason, 0,
			"every declared set held and nothing foreign ran: %" PRIu64
			" switches examined in %" PRIu64 " s, none missed%s%s%s",
			result.switches, result.examined_ns / 1000000000, gaps,
			input->repaired ? "; " : "",
			input->repaired ? input->repaired : "");
	}
	*ret_result = result;
}
