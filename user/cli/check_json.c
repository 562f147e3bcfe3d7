// SPDX-License-Identifier: GPL-2.0-or-later
/* What `check --json` shows beside the verdict's own numbers: how much of the window was
 * watched, and who ran where he should not have. */
#include "user/cli/check_json.h"

#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"

enum { CULPRITS_SHOWN = 20 };

static void add_share(struct json_object *json, uint64_t watched, uint64_t window)
{
	/* Rounded down: only what was watched all the time is 1. */
	uint64_t share = window ? (uint64_t)(10000.0L * watched / window) : 0;
	char text[32];

	snprintf(text, sizeof(text), "%.4f", (double)share / 10000);
	json_object_object_add(
		json, "share", json_object_new_double_s((double)share / 10000, text));
}

static struct json_object *watched_cpus(const struct coverage_input *input)
{
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < input->counters->n_reserved; i++) {
		const struct reservation *one = &input->counters->reserved[i];
		uint64_t watched = coverage_watched(input, one);
		struct json_object *row;

		if (!coverage_includes(input, one))
			continue;
		row = json_object_new_object();
		cli_json_number(row, "cpu", one->cpu);
		cli_json_string(row, "vm", input->counters->vms[one->vm].name);
		cli_json_number(row, "watched_ns", watched);
		add_share(row, watched, coverage_window(input));
		json_object_array_add(rows, row);
	}
	return rows;
}

void check_json_coverage(struct json_object *json, const struct coverage_input *input,
	const struct verdict_result *result)
{
	struct json_object *coverage = json_object_new_object();
	const struct counters *counters = input->counters;

	cli_json_number(coverage, "switches", result->switches);
	cli_json_number(coverage, "lost_events", result->events_lost);
	cli_json_number(coverage, "blind_ns", result->blind_ns);
	cli_json_number(coverage, "examined_ns", result->examined_ns);
	cli_json_number(coverage, "generation", counters->generation);
	cli_json_number(coverage, "rules_changed_ns", counters->rules_changed);
	cli_json_number(coverage, "recursion_misses", counters->recursion_misses);
	cli_json_number(coverage, "unwritten", counters->unwritten);
	cli_json_number(coverage, "culprits_full", counters->culprits_full);
	cli_json_number(coverage, "groups_full", counters->groups_full);
	json_object_object_add(coverage, "cpus", watched_cpus(input));
	json_object_object_add(json, "coverage", coverage);
}

static struct json_object *culprit_row(
	const struct culprit_tally *culprit, const struct hierarchy *hierarchy)
{
	struct json_object *row = json_object_new_object();
	bool rest = culprit->cause == CAUSE_COUNT;
	cleanup_free char *path = NULL;

	if (hierarchy->root >= 0 && culprit->cgroup)
		group_path_of_id(hierarchy, culprit->cgroup, &path);
	cli_json_string(row, "vm", *culprit->vm ? culprit->vm : NULL);
	cli_json_string(row, "class", rest ? NULL : run_kind_name(culprit->kind));
	cli_json_string(row, "cause",
		!rest && culprit->kind == KIND_FOREIGN ? cause_name(culprit->cause)
						       : NULL);
	cli_json_string(row, "comm", rest ? NULL : culprit->comm);
	cli_json_number(row, "pid", (uint64_t)culprit->tgid);
	cli_json_number(row, "tid", (uint64_t)culprit->tid);
	cli_json_number(row, "cpu", culprit->cpu);
	cli_json_string(row, "cgroup", path);
	cli_json_number(row, "count", culprit->runs.count);
	cli_json_number(row, "ns", culprit->runs.ns);
	return row;
}

void check_json_culprits(struct json_object *json, const struct coverage_input *input,
	const struct hierarchy *hierarchy)
{
	struct json_object *rows = json_object_new_array();
	size_t shown = 0;

	for (size_t i = 0; i < input->counters->n_tallies && shown < CULPRITS_SHOWN;
		i++) {
		const struct culprit_tally *culprit = &input->counters->tallies[i];

		if (input->only && strcmp(culprit->vm, input->only))
			continue;
		json_object_array_add(rows, culprit_row(culprit, hierarchy));
		shown++;
	}
	json_object_object_add(json, "culprits", rows);
}

static void add_kernel_count(
	struct json_object *json, const char *key, bool known, uint64_t count)
{
	struct json_object *object = json_object_new_object();

	cli_json_number(object, "count", count);
	if (!known)
		json_object_put(object);
	json_object_object_add(json, key, known ? object : NULL);
}

/* Of one CPU, or of several. */
static void add_interference(struct json_object *json, const struct cpu_tally *tally,
	const struct cpu_interrupts *since, bool known, bool measures)
{
	struct json_object *measured = measures ? json_object_new_object() : NULL;

	cli_json_tally(json, "bound_kthread", &tally->bound_kthread);
	add_kernel_count(json, "interrupts", known, since->interrupts);
	add_kernel_count(json, "softirqs", known, since->softirqs);
	if (measures) {
		cli_json_tally(measured, "interrupts", &tally->interrupts);
		cli_json_tally(measured, "softirqs", &tally->softirqs);
	}
	json_object_object_add(json, "measured", measured);
}

static void add_tally(struct tally *to, const struct tally *tally)
{
	to->count += tally->count;
	to->ns += tally->ns;
}

void check_json_interference(struct json_object *json, const struct coverage_input *input,
	const struct interrupt_counts *counts)
{
	struct json_object *interference = json_object_new_object(),
			   *rows = json_object_new_array();
	const struct counters *counters = input->counters;
	struct cpu_tally all = {.bound_kthread = counters->total.bound_kthread};
	struct cpu_interrupts sum = {};

	for (size_t i = 0; i < counters->n_reserved; i++) {
		unsigned int cpu = counters->reserved[i].cpu;
		const struct cpu_tally *tally = &counters->cpus[cpu];
		struct cpu_interrupts since = {};
		struct json_object *row;

		if (!coverage_includes(input, &counters->reserved[i]))
			continue;
		if (counts)
			since = interrupts_since(counts, cpu, &tally->base);
		sum.interrupts += since.interrupts;
		sum.softirqs += since.softirqs;
		add_tally(&all.interrupts, &tally->interrupts);
		add_tally(&all.softirqs, &tally->softirqs);
		row = json_object_new_object();
		cli_json_number(row, "cpu", cpu);
		add_interference(row, tally, &since, counts, counters->measures);
		json_object_array_add(rows, row);
	}
	add_interference(interference, &all, &sum, counts, counters->measures);
	json_object_object_add(interference, "cpus", rows);
	json_object_object_add(json, "interference", interference);
}

void check_json_worst(struct json_object *json, const struct counters *counters,
	const struct limit_figures *figures)
{
	struct json_object *worst = json_object_new_object(), *row = NULL;

	if (figures->slowest) {
		row = json_object_new_object();
		cli_json_string(row, "vm", counters->vms[figures->slowest->vm].name);
		cli_json_number(row, "vcpu", (uint64_t)figures->slowest->index);
		cli_json_number(row, "p99_ns", figures->wait_p99_ns);
		/* Of what is longer than the last bucket begins no bound is known. */
		if (!figures->wait_p99_ns)
			json_object_object_add(row, "p99_ns", NULL);
	}
	json_object_object_add(worst, "wait", row);
	row = NULL;
	if (figures->has_cpu) {
		row = json_object_new_object();
		cli_json_number(row, "cpu", figures->cpu);
		cli_json_number(row, "ppm", figures->interference_ppm);
	}
	json_object_object_add(worst, "interference", row);
	json_object_object_add(json, "worst", worst);
}
