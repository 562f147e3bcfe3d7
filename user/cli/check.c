// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verdict. Exit status and first line follow the convention of monitoring plugins,
 * for every failure too: what cannot be known is UNKNOWN.
 */
#include <stdio.h>
#include <string.h>

#include "user/cli/check_json.h"
#include "user/cli/evidence.h"

static void print_json(const struct request *request, const struct evidence *evidence,
	const struct verdict_result *result)
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
	check_json_coverage(json, &coverage, result->blind_ns);
	cli_json_tally(json, "off_set", &result->off_set);
	cli_json_foreign(json, result->foreign);
	cli_json_tally(json, "settling", &result->settling);
	check_json_interference(json, &coverage,
		evidence->interrupts.n_cpus ? &evidence->interrupts : NULL);
	check_json_culprits(json, &coverage, &evidence->cycle.hierarchy);
	for (size_t i = 0; i < counters->n_vms; i++) {
		const struct vm_tally *vm = &counters->vms[i];
		static const struct vm_tally none;
		const struct vm_tally *violated = result->cleared ? &none : vm;
		struct json_object *row;

		if (request->n_args && strcmp(vm->name, request->args[0]))
			continue;
		row = json_object_new_object();
		cli_json_string(row, "name", vm->name);
		cli_json_tally(row, "off_set", &violated->off_set);
		cli_json_foreign(row, violated->foreign);
		cli_json_tally(row, "settling", &vm->settling);
		json_object_array_add(vms, row);
	}
	json_object_object_add(json, "vms", vms);
	json_object_object_add(
		json, "drift", cli_drift_list(&evidence->drift, evidence_only(request)));
	cli_json_print(json);
}

int verb_check(const struct request *request)
{
	struct evidence evidence = EVIDENCE_NONE;
	struct verdict_result result = {.verdict = VERDICT_UNKNOWN};

	if (!evidence_gather(request, &evidence, &result.reason)) {
		const struct verdict_input input = evidence_input(request, &evidence);

		verdict_decide(&input, &result);
	}
	if (request->json)
		print_json(request, &evidence, &result);
	else
		printf("%s - %s\n", verdict_head(result.verdict), result.reason.text);
	evidence_deinit(&evidence);
	return (int)result.verdict;
}
