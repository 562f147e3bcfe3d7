// SPDX-License-Identifier: GPL-2.0-or-later
/* What the verbs share: sentences, JSON pieces, durations. */
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/text.h"
#include "user/cli/cli.h"
#include "user/model/cpulist.h"

int cli_fail(const struct problem *problem)
{
	fprintf(stderr, "cpuwarden: %s\n", problem->text);
	return EXIT_FAILURE;
}

void cli_warn(const char *vm, const char *why, void *data)
{
	(void)data;
	fprintf(stderr, "cpuwarden: %s%s%s\n", vm, *vm ? ": " : "", why);
}

int cli_misused(const struct problem *problem)
{
	cli_fail(problem);
	return EXIT_USAGE;
}

struct json_object *cli_json(const struct request *request)
{
	struct json_object *json = json_object_new_object();
	char schema[64];

	snprintf(schema, sizeof(schema), "cpuwarden.%s/1", request->verb->name);
	cli_json_string(json, "schema", schema);
	return json;
}

void cli_json_print(struct json_object *json)
{
	puts(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}

void cli_json_string(struct json_object *json, const char *key, const char *value)
{
	json_object_object_add(json, key, value ? json_object_new_string(value) : NULL);
}

void cli_json_number(struct json_object *json, const char *key, uint64_t value)
{
	json_object_object_add(json, key, json_object_new_uint64(value));
}

void cli_json_cpus(struct json_object *json, const char *key, const struct cpuset *cpus)
{
	cleanup_free char *list = cpulist_format(cpus);

	cli_json_string(json, key, list);
}

void cli_json_tally(struct json_object *json, const char *key, const struct tally *tally)
{
	struct json_object *object = json_object_new_object();

	cli_json_number(object, "count", tally->count);
	cli_json_number(object, "ns", tally->ns);
	json_object_object_add(json, key, object);
}

void cli_json_foreign(struct json_object *json, const struct tally foreign[CAUSE_COUNT])
{
	struct json_object *object = json_object_new_object();

	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		cli_json_tally(object, cause_name(cause), &foreign[cause]);
	json_object_object_add(json, "foreign", object);
}

void cli_duration(uint64_t ns, char *buf, size_t size)
{
	duration_format(ns, buf, size);
}

void cli_column(struct libscols_table *table, const char *name, int flags)
{
	struct libscols_column *column = scols_table_new_column(table, name, 0, flags);

	if (column)
		scols_column_set_safechars(column, "\\");
}
