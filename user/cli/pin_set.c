// SPDX-License-Identifier: GPL-2.0-or-later
/* `vcpupin`, `emulatorpin`, `iothreadpin` with a list: as virsh, an empty line says that
 * it was done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"
#include "user/control/pins.h"
#include "user/model/cpulist.h"
#include "user/store/lock.h"

/* As the query's, with what it is for; null: it was taken back. */
static void print_json(const struct request *request, const struct pin_verb *verb,
	unsigned int index, const struct pin_outcome *outcome)
{
	struct json_object *json = cli_json(request), *list = json_object_new_array();
	struct json_object *row = json_object_new_object();

	cli_json_string(json, "vm", request->args[0]);
	if (verb->key)
		cli_json_number(row, verb->key, index);
	if (outcome->has_cpus)
		cli_json_cpus(row, "cpus", &outcome->cpus);
	else
		cli_json_string(row, "cpus", NULL);
	json_object_array_add(list, row);
	json_object_object_add(json, "pins", list);
	json_object_object_add(json, "live", json_object_new_boolean(outcome->live));
	json_object_object_add(json, "config", json_object_new_boolean(outcome->config));
	cli_json_print(json);
}

/* The pin is written down, and somebody might think that it binds. */
static void tell_watched(const char *vm, enum policy_kind kind)
{
	if (kind == POLICY_OBSERVE)
		fprintf(stderr,
			"cpuwarden: VM %s is only watched: policy = dedicated places it\n",
			vm);
	else if (kind == POLICY_IGNORE)
		fprintf(stderr,
			"cpuwarden: VM %s is not even watched (policy = ignore): policy = dedicated places it\n",
			vm);
}

int cli_set_pin(const struct request *request, const struct pin_verb *verb,
	unsigned int index, const char *list)
{
	const struct report report = {.failed = cli_warn};
	struct pin_wish wish = {.vm = request->args[0],
		.class = verb->class,
		.index = index,
		.list = strcmp(list, "r") ? list : NULL,
		.live = request->live,
		.config = request->config};
	struct problem problem = {};
	struct pin_outcome outcome;
	cleanup_close int lock = -1;
	struct cpuset any, cpus;
	int r;

	memset(&any, 0xff, sizeof(any));
	if (wish.list && cpulist_parse(list, &any, &cpus, &problem))
		return cli_misused(&problem);
	r = lock_take(request->folders.run, LOCK_SECONDS, &lock, &problem);
	if (!r)
		r = control_pin(&request->folders, &wish, &report, &outcome, &problem);
	if (r < 0)
		return cli_fail(&problem);
	if (outcome.has_cpus)
		tell_watched(request->args[0], outcome.kind);
	if (request->json)
		print_json(request, verb, index, &outcome);
	else
		printf("\n");
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
