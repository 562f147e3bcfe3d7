// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/report.h"

#include <errno.h>
#include <string.h>

#include "user/report/basis.h"
#include "user/report/digest.h"
#include "user/report/fields.h"

struct json_object *report_new(void)
{
	struct json_object *report = json_object_new_object();

	json_object_object_add(report, "schema", json_object_new_string(REPORT_SCHEMA));
	/* Their places: what is said of it comes before what it is about. */
	json_object_object_add(report, "made", NULL);
	json_object_object_add(report, "verdict", NULL);
	return report;
}

const char *report_text(struct json_object *report)
{
	return json_object_to_json_string_ext(
		report, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void add_number(struct json_object *json, const char *key, uint64_t number)
{
	json_object_object_add(json, key, json_object_new_uint64(number));
}

static void add_tally(
	struct json_object *json, const char *key, const struct tally *tally)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "count", tally->count);
	add_number(object, "ns", tally->ns);
	json_object_object_add(json, key, object);
}

struct json_object *report_verdict(const struct verdict_input *input)
{
	struct json_object *json = json_object_new_object(),
			   *foreign = json_object_new_object();
	struct verdict_result result;

	verdict_decide(input, &result);
	json_object_object_add(
		json, "verdict", json_object_new_string(verdict_word(result.verdict)));
	json_object_object_add(json, "reason", json_text(result.reason.text));
	add_number(json, "window_ns", result.window_ns);
	add_number(json, "blind_ns", result.blind_ns);
	add_tally(json, "off_set", &result.off_set);
	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		add_tally(foreign, cause_name((enum cause)cause), &result.foreign[cause]);
	json_object_object_add(json, "foreign", foreign);
	add_tally(json, "settling", &result.settling);
	return json;
}

int report_digest(struct json_object *report, char *ret_hex)
{
	struct json_object *digest = NULL;
	bool had = json_object_object_get_ex(report, "digest", &digest);
	const char *text;

	if (had) {
		json_object_get(digest);
		json_object_object_del(report, "digest");
	}
	text = report_text(report);
	if (text)
		digest_hex(text, strlen(text), ret_hex);
	if (had)
		json_object_object_add(report, "digest", digest);
	return text ? 0 : -ENOMEM;
}

/* Facts come from where anybody may have written them. */
static int clean(struct json_object *json)
{
	int r = 0;

	if (json_object_is_type(json, json_type_string)) {
		struct json_object *text = json_text(json_object_get_string(json));

		if (!text || !json_object_set_string(json, json_object_get_string(text)))
			r = -ENOMEM;
		json_object_put(text);
	} else if (json_object_is_type(json, json_type_array)) {
		for (size_t i = 0; !r && i < json_object_array_length(json); i++)
			r = clean(json_object_array_get_idx(json, i));
	} else if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach(json, key, value)
		{
			(void)key;
			r = r ? r : clean(value);
		}
	}
	return r;
}

int report_seal(struct json_object *report, struct problem *problem)
{
	char hex[DIGEST_HEX_SIZE];
	struct verdict_input input;
	struct basis basis;
	int r;

	if (clean(report))
		return problem_nomem(problem);
	r = basis_read(report, &basis, problem);
	if (r)
		return r;
	input = basis_input(&basis);
	json_object_object_add(report, "verdict", report_verdict(&input));
	basis_deinit(&basis);
	json_object_object_del(report, "digest");
	if (report_digest(report, hex))
		return problem_nomem(problem);
	json_object_object_add(report, "digest", json_object_new_string(hex));
	return 0;
}
