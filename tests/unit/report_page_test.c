// SPDX-License-Identifier: GPL-2.0-or-later
/* The page shows what its data say, and nothing that stands in them is more than text. */
#include "tests/unit/build_host.h"

#include "tests/page/fixture.h"
#include "user/report/digest.h"
#include "user/report/page.h"
#include "user/report/report.h"

static const struct fixture fixtures[] = {
	{.cpus = 8, .vms = 2, .vcpus = 3, .violations = 5},
	{.cpus = 8, .vms = 2, .vcpus = 3, .clean = true},
	{.cpus = 2, .vms = 0, .vcpus = 1, .clean = true},
	{.cpus = 4, .vms = 1, .vcpus = 1, .absent = true},
	{.cpus = 8, .vms = 2, .vcpus = 3, .violations = 9, .hostile = true},
	{.cpus = 256, .vms = 64, .vcpus = 4, .violations = 2000},
};

static struct json_object *sealed(const struct fixture *fixture)
{
	struct counters counters = fixture_counters(fixture);
	struct json_object *report = fixture_report(fixture, &counters);
	struct problem problem;

	assert_int_equal(report_seal(report, &problem), 0);
	counters_deinit(&counters);
	return report;
}

__attribute__((noinline)) static char *page_of(struct json_object *report)
{
	char *page = NULL;

	assert_int_equal(report_page(report, &page), 0);
	return page;
}

static char *make(const struct fixture *fixture)
{
	struct json_object *report = sealed(fixture);
	char *page = page_of(report);

	json_object_put(report);
	return page;
}

static struct verified verify(const char *page)
{
	struct verified verified;

	assert_int_equal(report_verify(page, strlen(page), &verified), 0);
	return verified;
}

static void expect_fine(const char *page, bool compared)
{
	struct verified verified = verify(page);

	if (json_object_array_length(verified.faults))
		fail_msg("%s", json_object_to_json_string(verified.faults));
	assert_true(verified.is_page);
	assert_int_equal(verified.page_compared, compared);
	verified_deinit(&verified);
}

static void expect_fault(const char *page, const char *part)
{
	struct verified verified = verify(page);
	const char *said = json_object_to_json_string_ext(
		verified.faults, JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!strstr(said, part))
		fail_msg("'%s' is not in: %s", part, said);
	verified_deinit(&verified);
}

/* The text with the first `what` behind `after` replaced. */
static char *changed(
	const char *text, const char *after, const char *what, const char *with)
{
	const char *at = strstr(text, after);
	char *result;

	at = at ? strstr(at, what) : NULL;
	assert_non_null(at);
	assert_true(asprintf(&result, "%.*s%s%s", (int)(at - text), text, with,
			    at + strlen(what)) > 0);
	return result;
}

static void expect_told(const char *page, const char *after, const char *what,
	const char *with, const char *told)
{
	char *other = changed(page, after, what, with);

	expect_fault(other, told);
	free(other);
}

static void test_whole_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(fixtures); i++) {
		char *page = make(&fixtures[i]), *again = make(&fixtures[i]);

		assert_string_equal(page, again);
		expect_fine(page, true);
		free(page);
		free(again);
	}
}

static void test_what_the_page_shows_is_compared(void **state)
{
	char *page = make(&fixtures[0]);

	(void)state;
	expect_told(page, "class=\"verdict\"", "<strong>CRITICAL", "<strong>OK",
		"the page shows another verdict than its data have");
	expect_told(page, "class=\"verdict\"", "27 violations", "26 violations",
		"the page shows another verdict than its data have");
	expect_told(page, "id=\"counts\"", "<td class=n>18", "<td class=n>0",
		"the page was changed: in line ");
	expect_told(
		page, "<body>", "<body>", "<body>\n", "the page was changed: in line ");
	expect_told(page, "</html>", "</html>\n", "</html>",
		"the page was changed: in line ");
	free(page);
}

static void test_what_the_data_say_is_computed(void **state)
{
	char *page = make(&fixtures[0]);

	(void)state;
	expect_told(page, "\"observer\":{", "\"generation\":4", "\"generation\":5",
		"the data were changed: their digest is ");
	expect_told(page, "\"total\":{", "\"foreign_own_vm\":18", "\"foreign_own_vm\":17",
		"foreign_own_vm: all CPUs together have 18, the total is 17");
	expect_told(page, "\"verdict\":{", "\"critical\"", "\"ok\"",
		"the verdict says ok, and its own data say critical");
	/* Twice the data: which are the ones? */
	expect_told(page, "</main>", "</main>",
		"<script type=\"application/json\" id=\"cpuwarden-report\">{}</script></main>",
		"neither a page nor JSON");
	free(page);
}

/* Data and digest made anew, and the page as it was. */
static void test_another_page_around_new_data(void **state)
{
	struct json_object *report = sealed(&fixtures[0]), *host;
	char *page = page_of(report), *other, *mixed;
	const char *data, *end;
	struct problem problem;

	(void)state;
	assert_true(json_object_object_get_ex(report, "host", &host));
	json_object_object_add(host, "name", json_object_new_string("another"));
	assert_int_equal(report_seal(report, &problem), 0);
	other = page_of(report);
	expect_fine(other, true);
	data = strstr(other, "<script type=\"application/json\"");
	end = strstr(page, "<script type=\"application/json\"");
	assert_true(asprintf(&mixed, "%.*s%s", (int)(end - page), page, data) > 0);
	expect_fault(mixed, "the page was changed: in line ");
	free(mixed);
	free(other);
	free(page);
	json_object_put(report);
}

/* Its page may look otherwise, the verdict may not. */
static void test_a_page_of_another_program(void **state)
{
	struct json_object *report = sealed(&fixtures[0]), *made;
	struct problem problem;
	char *page, *other;

	(void)state;
	assert_true(json_object_object_get_ex(report, "made", &made));
	json_object_object_add(made, "page_form", json_object_new_string("another"));
	assert_int_equal(report_seal(report, &problem), 0);
	page = page_of(report);
	other = changed(page, "<h2", "Verdict", "The verdict");
	expect_fine(other, false);
	expect_told(other, "class=\"verdict\"", "27 violations", "26 violations",
		"the page shows another verdict than its data have");
	free(other);
	free(page);
	json_object_put(report);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

static void test_names_are_only_names(void **state)
{
	char *page = make(&fixtures[4]);

	(void)state;
	assert_int_equal(count(page, "<img"), 0);
	assert_int_equal(count(page, "<b>alert"), 0);
	/* The data's and the script's own. */
	assert_int_equal(count(page, "<script"), 2);
	assert_int_equal(count(page, "</script>"), 2);
	assert_true(count(page, "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;"
				"&quot;&#39;") > 5);
	assert_true(count(page, "\\u003c/script>\\u003cimg src=x") > 5);
	free(page);
}

static void test_nothing_is_loaded(void **state)
{
	static const char *const parts[] = {"http:", "https:", "//cdn", "@import", "url(",
		" src=", "<link", " onclick=", " onload=", " style=", "javascript:"};
	char *page = make(&fixtures[0]);

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(parts); i++)
		if (count(page, parts[i]))
			fail_msg("there is %s in the page", parts[i]);
	assert_int_equal(count(page, "default-src 'none'"), 1);
	free(page);
}

/* Of a report without anything in it, too. */
static void test_what_is_not_there(void **state)
{
	static const char *const texts[] = {"{}",
		"{\"host\":1,\"vms\":{},\"observer\":[]}",
		"{\"vms\":[1,null,{}],\"host\":{\"map\":{\"columns\":[\"cpu\"],\"rows\":[[],[1],null,1]}}}",
		"{\"violations\":{\"columns\":[\"time\"],\"rows\":[[\"2026-01-01T00:00:00Z\"]]}}",
		"{\"observer\":{\"threads\":{\"columns\":[\"class\",\"wait_0\"],\"rows\":[[\"vcpu\"]]}}}"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct json_object *report = must(json_tokener_parse(texts[i]));
		char *page = page_of(report);

		assert_int_equal(count(page, "</html>"), 1);
		assert_int_equal(count(page, "<strong>UNKNOWN</strong>"), 1);
		free(page);
		json_object_put(report);
	}
}

static void test_the_largest_host_is_small_enough(void **state)
{
	char *page = make(&fixtures[5]);

	(void)state;
	assert_true(strlen(page) < 1000000);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_pages),
		cmocka_unit_test(test_what_the_page_shows_is_compared),
		cmocka_unit_test(test_what_the_data_say_is_computed),
		cmocka_unit_test(test_another_page_around_new_data),
		cmocka_unit_test(test_a_page_of_another_program),
		cmocka_unit_test(test_names_are_only_names),
		cmocka_unit_test(test_nothing_is_loaded),
		cmocka_unit_test(test_what_is_not_there),
		cmocka_unit_test(test_the_largest_host_is_small_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
