// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"

/* Why a VM has the CPUs that it has: of one that is not to get any there is little to
 * say. */
static void print_explanation(const struct request *request, const struct cycle *cycle)
{
	const struct explanation *explanation = &cycle->desired.explanation;
	const char *name = request->asking.explain;
	const struct desired_vm *vm = desired_find(&cycle->desired, name);

	printf("%s: why it gets these CPUs\n", name);
	for (size_t i = 0; i < explanation->n_lines; i++)
		printf("  %s\n", explanation->lines[i]);
	if (vm->reason)
		printf("  refused: %s\n", vm->reason);
	else if (!explanation->n_lines)
		printf("  policy = %s: it gets none\n",
			policy_kind_name(vm->wish.policy->kind));
}

static struct json_object *explanation_json(const struct cycle *cycle)
{
	const struct explanation *explanation = &cycle->desired.explanation;
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < explanation->n_lines; i++)
		json_object_array_add(
			list, json_object_new_string(explanation->lines[i]));
	return list;
}

static void print_json(
	const struct request *request, const struct cycle *cycle, const struct plan *plan)
{
	struct json_object *json = cli_json(request), *steps = json_object_new_array();
	struct json_object *degraded = json_object_new_array();

	for (size_t i = 0; i < plan->n_units; i++)
		for (size_t j = 0; j < plan->units[i].n_steps; j++) {
			const struct unit *unit = &plan->units[i];
			const struct step *step = &unit->steps[j];
			struct json_object *row = json_object_new_object();
			cleanup_free char *text = step_describe(step, unit);

			cli_json_string(row, "vm", *unit->vm ? unit->vm : NULL);
			cli_json_string(row, "step", step_name(step->kind));
			cli_json_string(row, "cgroup", step->path);
			cli_json_string(row, "text", text);
			cli_json_string(row, "why", step->why);
			json_object_array_add(steps, row);
		}
	for (size_t i = 0; i < cycle->desired.n_vms; i++) {
		const struct desired_vm *vm = &cycle->desired.vms[i];
		struct json_object *row;

		if (!vm->reason)
			continue;
		row = json_object_new_object();
		cli_json_string(row, "vm", vm->vm->name);
		cli_json_string(row, "reason", vm->reason);
		json_object_array_add(degraded, row);
	}
	json_object_object_add(json, "steps", steps);
	json_object_object_add(json, "degraded", degraded);
	if (request->asking.explain)
		json_object_object_add(json, "explanation", explanation_json(cycle));
	cli_json_print(json);
}

static void print_text(
	const struct request *request, const struct cycle *cycle, const struct plan *plan)
{
	if (request->asking.explain)
		print_explanation(request, cycle);
	for (size_t i = 0; i < plan->n_units; i++) {
		const struct unit *unit = &plan->units[i];

		printf("%s:\n", *unit->vm ? unit->vm : "host");
		for (size_t j = 0; j < unit->n_steps; j++) {
			cleanup_free char *text = step_describe(&unit->steps[j], unit);

			printf("  %s%s%s\n", text ? text : "?",
				unit->steps[j].why ? ": " : "",
				unit->steps[j].why ? unit->steps[j].why : "");
		}
	}
	for (size_t i = 0; i < cycle->desired.n_vms; i++)
		if (cycle->desired.vms[i].reason)
			printf("%s: left as it is: %s\n", cycle->desired.vms[i].vm->name,
				cycle->desired.vms[i].reason);
	if (!plan->n_units)
		printf("nothing to do\n");
}

int verb_plan(const struct request *request)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	struct problem problem = {};
	struct plan plan;
	int status;

	if (cycle_read_asking(&request->folders, &request->asking, &cycle, &problem))
		return cli_fail(&problem);
	if (request->asking.explain &&
		!desired_find(&cycle.desired, request->asking.explain)) {
		problem_set(&problem, -ESRCH, "there is no VM named %s",
			request->asking.explain);
		return cli_fail(&problem);
	}
	if (cycle_plan(&cycle, &plan, &problem))
		return cli_fail(&problem);
	if (request->json)
		print_json(request, &cycle, &plan);
	else
		print_text(request, &cycle, &plan);
	status = plan.n_units ? EXIT_CHANGES_PENDING : EXIT_SUCCESS;
	plan_deinit(&plan);
	return status;
}
