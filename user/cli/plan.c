// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"

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
	cli_json_print(json);
}

static void print_text(const struct cycle *cycle, const struct plan *plan)
{
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

	if (cycle_read(&request->folders, &cycle, &problem) ||
		cycle_plan(&cycle, &plan, &problem))
		return cli_fail(&problem);
	if (request->json)
		print_json(request, &cycle, &plan);
	else
		print_text(&cycle, &plan);
	status = plan.n_units ? EXIT_CHANGES_PENDING : EXIT_SUCCESS;
	plan_deinit(&plan);
	return status;
}
