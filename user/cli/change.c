// SPDX-License-Identifier: GPL-2.0-or-later
/* `apply` and `release`: the verbs that change the host, and print what they did. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"
#include "user/control/apply.h"
#include "user/control/pins.h"
#include "user/store/lock.h"

struct output {
	const struct request *request;
	struct json_object *steps, *failed;
	size_t n_steps;
};

static void print_done(const struct unit *unit, const struct step *step, void *data)
{
	struct output *output = data;
	cleanup_free char *text = step_describe(step, unit);
	struct json_object *row;

	output->n_steps++;
	if (!output->request->json) {
		printf("%s: %s\n", *unit->vm ? unit->vm : "host", text ? text : "?");
		return;
	}
	row = json_object_new_object();
	cli_json_string(row, "vm", *unit->vm ? unit->vm : NULL);
	cli_json_string(row, "step", step_name(step->kind));
	cli_json_string(row, "cgroup", step->path);
	cli_json_string(row, "text", text);
	json_object_array_add(output->steps, row);
}

static void print_failed(const char *vm, const char *why, void *data)
{
	struct output *output = data;
	struct json_object *row;

	fflush(stdout);
	fprintf(stderr, "cpuwarden: %s%s%s\n", vm, *vm ? ": " : "", why);
	if (!output->request->json)
		return;
	row = json_object_new_object();
	cli_json_string(row, "vm", *vm ? vm : NULL);
	cli_json_string(row, "reason", why);
	json_object_array_add(output->failed, row);
}

static int change(const struct request *request, bool release)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	cleanup_close int lock = -1;
	struct output output = {.request = request};
	struct report report = {
		.done = print_done, .failed = print_failed, .data = &output};
	struct folders folders = request->folders;
	struct problem problem = {};
	struct json_object *json;
	int r;

	/* The way out depends on nobody's files. */
	if (release)
		folders.etc = NULL;
	r = lock_take(folders.run, LOCK_SECONDS, &lock, &problem);
	if (!r && !release)
		r = control_forget_ended(&folders, &problem);
	if (!r)
		r = cycle_read_asking(&folders, &request->asking, &cycle, &problem);
	if (r)
		return cli_fail(&problem);
	if (cycle.hierarchy.root < 0)
		fprintf(stderr, "cpuwarden: only watching: %s\n",
			cycle.hierarchy_problem.text);
	output.steps = json_object_new_array();
	output.failed = json_object_new_array();
	if (release)
		r = control_release(&cycle, request->all ? NULL : request->args[0],
			&report, &problem);
	else
		r = control_apply(&cycle, &report, &problem);
	json = cli_json(request);
	json_object_object_add(json, "steps", output.steps);
	json_object_object_add(json, "failed", output.failed);
	if (request->json)
		cli_json_print(json);
	else
		json_object_put(json);
	if (r < 0)
		return cli_fail(&problem);
	if (!output.n_steps && !r && !request->json)
		printf("nothing to do\n");
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

int verb_apply(const struct request *request)
{
	return change(request, false);
}

int verb_release(const struct request *request)
{
	return change(request, true);
}
