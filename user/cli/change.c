// SPDX-License-Identifier: GPL-2.0-or-later
/* `apply` and `release`: the verbs that change the host, and print what they did. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"
#include "user/control/apply.h"
#include "user/control/mend.h"
#include "user/control/pins.h"
#include "user/store/lock.h"
#include "user/store/released.h"

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
	cli_warn(vm, why, NULL);
	if (!output->request->json)
		return;
	row = json_object_new_object();
	cli_json_string(row, "vm", *vm ? vm : NULL);
	cli_json_string(row, "reason", why);
	json_object_array_add(output->failed, row);
}

static void print_returned(const char *text, void *data)
{
	struct output *output = data;
	struct json_object *row;

	output->n_steps++;
	if (!output->request->json) {
		printf("host: %s\n", text);
		return;
	}
	row = json_object_new_object();
	cli_json_string(row, "vm", NULL);
	cli_json_string(row, "step", "return-setting");
	cli_json_string(row, "cgroup", NULL);
	cli_json_string(row, "text", text);
	json_object_array_add(output->steps, row);
}

static void print_not_returned(const char *text, void *data)
{
	print_failed("", text, data);
}

static int release_host(struct output *output, struct problem *problem)
{
	const struct mend_report report = {
		.done = print_returned, .failed = print_not_returned, .data = output};

	return control_unmend("/", output->request->folders.run, &report, problem);
}

static int release_vms(
	struct output *output, struct cycle *cycle, struct problem *problem)
{
	const struct request *request = output->request;
	const struct report report = {
		.done = print_done, .failed = print_failed, .data = output};
	int r, host = 0;

	r = control_release(
		cycle, request->all ? NULL : request->args[0], &report, problem);
	/* Whatever became of the VMs: this is the host's. */
	if (request->all)
		host = release_host(output, r < 0 ? NULL : problem);
	return r < 0 ? r : host < 0 ? host : r + host;
}

/* It is not to place again at once what is given back by hand. */
static int tell_daemon(
	const struct request *request, const struct cycle *cycle, struct problem *problem)
{
	const struct vm *vm =
		request->all ? NULL : vms_find(&cycle->vms, request->args[0]);
	struct process_id process = {};

	if (!lock_daemon_runs(cycle->folders.run) || (!vm && !request->all))
		return 0;
	if (vm)
		process =
			(struct process_id){.pid = vm->pid, .start_time = vm->start_time};
	return released_add(cycle->folders.run, vm ? vm->name : NULL, &process, problem);
}

static int finish(const struct output *output, int r, const struct problem *problem)
{
	struct json_object *json = cli_json(output->request);

	json_object_object_add(json, "steps", output->steps);
	json_object_object_add(json, "failed", output->failed);
	if (output->request->json)
		cli_json_print(json);
	else
		json_object_put(json);
	if (r < 0)
		return cli_fail(problem);
	if (!output->n_steps && !r && !output->request->json)
		printf("nothing to do\n");
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int change(const struct request *request, bool release)
{
	cleanup_cycle struct cycle cycle = {.hierarchy.root = -1};
	cleanup_close int lock = -1;
	struct output output = {.request = request};
	const struct report report = {
		.done = print_done, .failed = print_failed, .data = &output};
	struct folders folders = request->folders;
	struct problem problem = {};
	int r;

	/* The way out depends on nobody's files. */
	if (release)
		folders.etc = NULL;
	r = lock_take(folders.run, LOCK_SECONDS, &lock, &problem);
	if (!r && !release)
		r = control_forget_ended(&folders, &problem);
	if (!r && !release)
		r = released_clear(folders.run, &problem);
	if (r)
		return cli_fail(&problem);
	output.steps = json_object_new_array();
	output.failed = json_object_new_array();
	if (!request->host)
		r = cycle_read_asking(&folders, &request->asking, &cycle, &problem);
	if (r) {
		/* Whatever cannot be read of the VMs: what --fix has changed is the
		 * host's.
		 */
		if (release && request->all)
			release_host(&output, NULL);
		return finish(&output, r, &problem);
	}
	if (!request->host && cycle.hierarchy.root < 0)
		fprintf(stderr, "cpuwarden: only watching: %s\n",
			cycle.hierarchy_problem.text);
	if (release && !request->host)
		r = tell_daemon(request, &cycle, &problem);
	if (r)
		return finish(&output, r, &problem);
	if (request->host)
		r = release_host(&output, &problem);
	else if (release)
		r = release_vms(&output, &cycle, &problem);
	else
		r = control_apply(&cycle, &report, &problem);
	return finish(&output, r, &problem);
}

int verb_apply(const struct request *request)
{
	return change(request, false);
}

int verb_release(const struct request *request)
{
	return change(request, true);
}
