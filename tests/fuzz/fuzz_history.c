// SPDX-License-Identifier: GPL-2.0-or-later
/* A line of the daemon's history: what is read and written again is read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/model/past_json.h"
#include "user/store/json_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct past *past)
{
	cleanup_json struct json_object *json = json_object_new_object();
	struct past again;

	past_to_json(past, json);
	if (past_from_json(json, &again))
		abort();
	if (again.time != past->time || again.n_vms != past->n_vms ||
		again.full != past->full || again.n_waits != past->n_waits ||
		memcmp(&again.total, &past->total, sizeof(again.total)) != 0)
		abort();
	past_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	cleanup_json struct json_object *json = NULL;
	struct past past;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	json = json_tokener_parse(text);
	free(text);
	if (json && !past_from_json(json, &past)) {
		write_and_read(&past);
		past_deinit(&past);
	}
	return 0;
}
