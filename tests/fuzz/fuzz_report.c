// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reports as somebody may hand them in. Chance alone would hardly ever write one: the
 * input says which values of a whole one, of a page or of JSON, are changed to what. As
 * it is, without any of that, it is parsed as well.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/page/fixture.h"
#include "user/base/cleanup.h"
#include "user/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool verify(const char *text, size_t size)
{
	struct verified verified;
	bool ok;

	if (report_verify(text, size, &verified))
		abort();
	ok = !json_object_array_length(verified.faults);
	if (ok && !verified.report)
		abort();
	verified_deinit(&verified);
	return ok;
}

static struct json_object *make(void)
{
	const struct fixture fixture = {
		.cpus = 4, .vms = 1, .vcpus = 2, .violations = 2, .hostile = true};
	struct counters counters = fixture_counters(&fixture);
	struct json_object *report = fixture_report(&fixture, &counters);

	counters_deinit(&counters);
	return report;
}

static struct json_object *value(unsigned int which)
{
	switch (which % 8) {
	case 0:
		return NULL;
	case 1:
		return json_object_new_uint64(UINT64_MAX);
	case 2:
		return json_object_new_int64(INT64_MIN);
	case 3:
		return json_object_new_string("</script><x onerror=y>\x1b[2J");
	case 4:
		return json_object_new_array();
	case 5:
		return json_object_new_object();
	case 6:
		return json_object_new_double(1e300);
	default:
		return json_object_new_boolean(true);
	}
}

/* Goes down by what the input says, and changes what is there. */
static void change(
	struct json_object *json, const uint8_t **data, const uint8_t *end, int depth)
{
	size_t n, i = 0;

	if (*data >= end || depth > 6)
		return;
	if (json_object_is_type(json, json_type_array) &&
		(n = json_object_array_length(json))) {
		n = *(*data)++ % n;
		if (*data < end && **data & 1)
			json_object_array_put_idx(json, n, value(*(*data)++ >> 1));
		else
			change(json_object_array_get_idx(json, n), data, end, depth + 1);
	} else if (json_object_is_type(json, json_type_object) &&
		   (n = (size_t)json_object_object_length(json))) {
		n = *(*data)++ % n;
		json_object_object_foreach(json, key, child)
		{
			if (i++ != n)
				continue;
			if (*data < end && **data & 1)
				json_object_object_add(json, key, value(*(*data)++ >> 1));
			else
				change(child, data, end, depth + 1);
			return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct json_object *report = make();
	cleanup_free char *page = NULL;
	bool sealed = size && *data & 1;

	verify((const char *)data, size);
	/* What was changed before it was sealed is a report like any other. */
	while (sealed && data < end)
		change(report, &data, end, 0);
	sealed = !report_seal(report, NULL);
	while (data < end)
		change(report, &data, end, 0);
	if (report_page(report, &page))
		abort();
	verify(page, strlen(page));
	if (sealed && size && !verify(report_text(report), strlen(report_text(report))) &&
		size == 1)
		abort();
	json_object_put(report);
	return 0;
}
