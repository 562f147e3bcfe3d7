// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A report is untrusted: bounded, parsed strictly, and believed in nothing that can be
 * computed again. What is wrong is told by the counter's name where sums tell which one;
 * the digest tells that there is something, and nothing to whoever made it anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/report/basis.h"
#include "user/report/digest.h"
#include "user/report/fields.h"
#include "user/report/page.h"

#define DATA_OPEN "<script type=\"application/json\" id=\"" REPORT_DATA_ID "\">"
#define DATA_CLOSE "</script>"

enum { DEPTH_MAX = 16 };

void verified_deinit(struct verified *verified)
{
	json_object_put(verified->faults);
	json_object_put(verified->report);
	memset(verified, 0, sizeof(*verified));
}

static void add_fault(const char *sentence, void *data)
{
	struct verified *verified = data;

	json_object_array_add(verified->faults, json_text(sentence));
}

/* The data in a page. NULL: there are none, or not exactly once. */
static const char *find_data(const char *text, size_t size, size_t *ret_size)
{
	const char *begin = memmem(text, size, DATA_OPEN, strlen(DATA_OPEN)), *end;
	size_t left;

	if (!begin)
		return NULL;
	begin += strlen(DATA_OPEN);
	left = size - (size_t)(begin - text);
	end = memmem(begin, left, DATA_CLOSE, strlen(DATA_CLOSE));
	if (!end || memmem(begin, left, DATA_OPEN, strlen(DATA_OPEN)))
		return NULL;
	*ret_size = (size_t)(end - begin);
	return begin;
}

static bool begins_as_json(const char *text, size_t size)
{
	while (size && strchr(" \t\r\n", *text) && *text)
		text++, size--;
	return size && *text == '{';
}

static int parse(const char *text, size_t size, struct json_object **ret_json)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *json;
	size_t end;

	if (!tokener)
		return -ENOMEM;
	/* Not JSON_TOKENER_STRICT: with it json-c 0.18 refuses all but ASCII. */
	json_tokener_set_flags(tokener, JSON_TOKENER_ALLOW_TRAILING_CHARS);
	json = json_tokener_parse_ex(tokener, text, (int)size);
	end = json_tokener_get_parse_end(tokener);
	while (end < size && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (json && (json_tokener_get_error(tokener) != json_tokener_success ||
			    end != size)) {
		json_object_put(json);
		json = NULL;
	}
	json_tokener_free(tokener);
	*ret_json = json;
	return 0;
}

/* False: there is nothing that could be verified. */
static bool take_report(const char *text, size_t size, struct verified *verified)
{
	const char *data = text;
	struct json_object *schema;

	verified->is_page = !begins_as_json(text, size);
	if (verified->is_page)
		data = find_data(text, size, &size);
	if (!data) {
		add_fault("neither a page nor JSON of `cpuwarden report`", verified);
		return false;
	}
	if (parse(data, size, &verified->report))
		return false;
	schema = member(verified->report, "schema", json_type_string);
	if (!schema || strcmp(json_object_get_string(schema), REPORT_SCHEMA) != 0) {
		add_fault("its data are not of the form " REPORT_SCHEMA, verified);
		json_object_put(verified->report);
		verified->report = NULL;
		return false;
	}
	return true;
}

static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *text = member(json, key, json_type_string);

	return text ? json_object_get_string(text) : "";
}

static void check_verdict(struct verified *verified, const struct basis *basis)
{
	const struct verdict_input input = basis_input(basis);
	struct json_object *ours = report_verdict(&input),
			   *theirs =
				   member(verified->report, "verdict", json_type_object);
	struct problem text;

	if (json_object_equal(ours, theirs)) {
		json_object_put(ours);
		return;
	}
	if (strcmp(text_of(ours, "verdict"), text_of(theirs, "verdict")) != 0)
		problem_set(&text, 0,
			"the verdict says %.20s, and its own data say %s: %.400s",
			text_of(theirs, "verdict"), text_of(ours, "verdict"),
			text_of(ours, "reason"));
	else
		problem_set(&text, 0,
			"the verdict's sentence or numbers are not those of its data: %.400s",
			text_of(ours, "reason"));
	add_fault(text.text, verified);
	json_object_put(ours);
}

static int check_digest(struct verified *verified)
{
	const char *theirs = text_of(verified->report, "digest");
	char hex[DIGEST_HEX_SIZE];
	struct problem text;

	if (report_digest(verified->report, hex))
		return -ENOMEM;
	if (!strcmp(theirs, hex))
		return 0;
	problem_set(&text, 0,
		"the data were changed: their digest is %s, and the report says %.80s",
		hex, *theirs ? theirs : "none");
	add_fault(text.text, verified);
	return 0;
}

static size_t line_of_difference(const char *a, const char *b, size_t size)
{
	size_t line = 1;

	for (size_t i = 0; i < size && a[i] == b[i]; i++)
		line += a[i] == '\n';
	return line;
}

/* Whoever reads the page sees no data but what is made of them. */
static int check_page(struct verified *verified, const char *text, size_t size)
{
	struct json_object *made = member(verified->report, "made", json_type_object);
	cleanup_free char *page = NULL;
	struct problem fault;
	int r;

	verified->page_compared = !strcmp(text_of(made, "page_form"), report_page_form());
	r = report_page(verified->report, &page);
	if (r)
		return r;
	if (verified->page_compared &&
		(strlen(page) != size || memcmp(page, text, size) != 0)) {
		problem_set(&fault, 0,
			"the page was changed: in line %zu it does not show what its data say",
			line_of_difference(
				page, text, strlen(page) < size ? strlen(page) : size));
		add_fault(fault.text, verified);
	}
	return 0;
}

/* Of a page of another program the verdict is looked for alone. */
static int check_shown_verdict(struct verified *verified, const char *text, size_t size)
{
	cleanup_free char *shown = NULL;
	int r = page_verdict(verified->report, &shown);

	if (!r && !memmem(text, size, shown, strlen(shown)))
		add_fault("the page shows another verdict than its data have", verified);
	return r;
}

int report_verify(const char *text, size_t size, struct verified *ret_verified)
{
	struct verified verified = {.faults = json_object_new_array()};
	struct problem problem;
	struct basis basis;
	int r = 0;

	if (size > REPORT_MAX) {
		add_fault("it is larger than 16 MiB", &verified);
	} else if (take_report(text, size, &verified)) {
		r = basis_read(verified.report, &basis, &problem);
		if (r == -EINVAL) {
			add_fault(problem.text, &verified);
			r = 0;
		} else if (!r) {
			verified.n_sums = basis_check_sums(&basis, add_fault, &verified);
			check_verdict(&verified, &basis);
			basis_deinit(&basis);
		}
		if (!r && verified.is_page)
			r = check_shown_verdict(&verified, text, size);
		if (!r)
			r = check_digest(&verified);
		if (!r && verified.is_page)
			r = check_page(&verified, text, size);
	}
	if (r) {
		verified_deinit(&verified);
		return r;
	}
	*ret_verified = verified;
	return 0;
}
