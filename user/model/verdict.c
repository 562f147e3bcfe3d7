// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A violation that was counted is a fact, whatever else was missed: it comes first. Then
 * blindness, since no number means anything with it; then degradation. What is left is
 * OK.
 *
 * Counters say what happened since the observer started. For a shorter window the time of
 * each CPU's latest violation tells whether it lies inside; the numbers are still those
 * since the start.
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

static void sum_up(const struct verdict_input *input, struct verdict_result *result)
{
	const struct counters *counters = input->counters;

	if (!input->only) {
		result->off_set = counters->total.off_set;
		result->settling = counters->total.settling;
		memcpy(result->foreign, counters->total.foreign, sizeof(result->foreign));
		return;
	}
	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];

		if (strcmp(vm->name, input->only))
			continue;
		add(&result->off_set, &vm->off_set);
		add(&result->settling, &vm->settling);
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			add(&result->foreign[cause], &vm->foreign[cause]);
	}
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

enum in_window { WINDOW_CLEAN, WINDOW_VIOLATED, WINDOW_UNKNOWN };

/*
 * Was there a violation in the window? Each CPU keeps its latest one with its time. Where
 * that is an older one there was none since; where it is another VM's, there may have
 * been one of this VM's before it.
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
	return found;
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
static void describe_gaps(
	const struct verdict_input *input, uint64_t window, char *buf, size_t size)
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
	if (counters->events_lost)
		snprintf(buf + n, size - n,
			"; %" PRIu64 " event%s lost, all of them counted",
			counters->events_lost, counters->events_lost == 1 ? "" : "s");
}

void verdict_decide(const struct verdict_input *input, struct verdict_result *ret_result)
{
	const struct counters *counters = input->counters;
	struct verdict_result result = {.verdict = VERDICT_UNKNOWN};
	struct coverage_input coverage;
	const struct culprit *nameless;
	struct problem blind = {};
	char text[256], gaps[VM_NAME_SIZE + 128];
	bool violated, shorter;

	if (!counters) {
		problem_set(&result.reason, 0, "%s", input->absent);
		result.window_ns = result.blind_ns = input->window_ns;
		*ret_result = result;
		return;
	}
	sum_up(input, &result);
	result.window_ns = counters->now - counters->start;
	shorter = input->window_ns && input->window_ns < result.window_ns;
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
	nameless = shorter ? find_nameless(input) : NULL;
	describe_gaps(input, coverage_window(&coverage), gaps, sizeof(gaps));
	if (violated && shorter && look_at_window(input) == WINDOW_UNKNOWN) {
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
	} else if (nameless) {
		problem_set(&result.reason, 0,
			"there was a violation on CPU %u in the window, of a VM that is gone: whether that was %s before is not known",
			nameless->cpu, input->only);
	} else if (result.blind_ns) {
		problem_set(&result.reason, 0, "blind: %s", blind.text);
	} else if (input->degraded || (input->repaired && input->window_ns)) {
		result.verdict = VERDICT_WARNING;
		problem_set(&result.reason, 0, "no violation, yet %s",
			input->degraded ? input->degraded : input->repaired);
	} else {
		result.verdict = VERDICT_OK;
		problem_set(&result.reason, 0,
			"every declared set held and nothing foreign ran: %" PRIu64
			" switches examined in %" PRIu64 " s, none missed%s%s%s",
			counters->total.switches, result.window_ns / 1000000000, gaps,
			input->repaired ? "; " : "",
			input->repaired ? input->repaired : "");
	}
	*ret_result = result;
}
