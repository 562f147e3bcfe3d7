// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verdict. Exit status and first line follow the convention of monitoring plugins
 * (monitoring-plugins.org/doc/guidelines.html), for every failure too: what cannot be
 * known is UNKNOWN.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/cli/check_json.h"
#include "user/cli/evidence.h"

static void print_json(const struct request *request, const struct evidence *evidence,
	const struct verdict_input *input, const struct verdict_result *result)
{
	const struct coverage_input coverage = {.counters = &evidence->counters,
		.only = evidence_only(request),
		.window_ns = request->window_ns};
	struct json_object *json = cli_json(request);
	struct json_object *vms = json_object_new_array();
	const struct counters *counters = &evidence->counters;

	cli_json_string(json, "verdict", verdict_word(result->verdict));
	cli_json_string(json, "reason", result->reason.text);
	cli_json_number(json, "window_ns", result->window_ns);
	check_json_coverage(json, &coverage, result);
	cli_json_tally(json, "off_set", &result->off_set);
	cli_json_foreign(json, result->foreign);
	cli_json_tally(json, "settling", &result->settling);
	check_json_interference(json, &coverage,
		evidence->interrupts.n_cpus ? &evidence->interrupts : NULL);
	check_json_worst(json, counters, &evidence->figures);
	check_json_culprits(json, &coverage, &evidence->cycle.hierarchy);
	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];
		struct violations counted;
		struct json_object *row;

		if (evidence_only(request) && strcmp(vm->name, evidence_only(request)))
			continue;
		verdict_of_vm(input, result, vm, &counted);
		row = json_object_new_object();
		cli_json_string(row, "name", vm->name);
		cli_json_tally(row, "off_set", &counted.off_set);
		cli_json_foreign(row, counted.foreign);
		cli_json_tally(row, "settling", &counted.settling);
		json_object_array_add(vms, row);
	}
	json_object_object_add(json, "vms", vms);
	json_object_object_add(
		json, "drift", cli_drift_list(&evidence->drift, evidence_only(request)));
	cli_json_print(json);
}

/* `label=value[unit][;warn][;crit]`, as the convention has it: U is not known, c a
 * counter. */
static void print_performance(const struct request *request,
	const struct evidence *evidence, const struct verdict_result *result)
{
	const struct limit_figures *figures = &evidence->figures;
	const struct limits *limits = &request->limits;
	uint64_t foreign = tally_foreign(result->foreign);

	printf(" | violations=%" PRIu64 ";;0 off_set=%" PRIu64 ";;0 foreign=%" PRIu64
	       ";;0 settling=%" PRIu64,
		result->off_set.count + foreign, result->off_set.count, foreign,
		result->settling.count);
	printf(" switches=%" PRIu64 "c lost_events=%" PRIu64 "c blind=%.3fs",
		evidence->counters.total.switches, evidence->counters.events_lost,
		(double)result->blind_ns / 1e9);
	if (figures->slowest && figures->wait_p99_ns)
		printf(" wait_p99=%.9fs;", (double)figures->wait_p99_ns / 1e9);
	else
		printf(" wait_p99=%s;", figures->slowest ? "U" : "0s");
	if (limits->wait_p99_ns)
		printf("%.9f", (double)limits->wait_p99_ns / 1e9);
	printf(" interference=%.4f%%;", (double)figures->interference_ppm / 1e4);
	if (limits->interference_ppm)
		printf("%.4f", (double)limits->interference_ppm / 1e4);
}

static void print_line(const struct request *request, const struct evidence *evidence,
	const struct verdict_result *result)
{
	/* What follows a bar is performance data. */
	char text[sizeof(result->reason.text)];

	memcpy(text, result->reason.text, sizeof(text));
	for (char *bar = text; (bar = strchr(bar, '|'));)
		*bar = '/';
	printf("%s - %s", verdict_head(result->verdict), text);
	if (evidence->counters.start)
		print_performance(request, evidence, result);
	putchar('\n');
}

int verb_check(const struct request *request)
{
	struct evidence evidence = EVIDENCE_NONE;
	struct verdict_result result = {.verdict = VERDICT_UNKNOWN};
	int r = evidence_gather(request, &evidence, &result.reason);
	const struct verdict_input input = evidence_input(request, &evidence);

	if (!r)
		verdict_decide(&input, &result);
	if (request->json)
		print_json(request, &evidence, &input, &result);
	else
		print_line(request, &evidence, &result);
	evidence_deinit(&evidence);
	return (int)result.verdict;
}
