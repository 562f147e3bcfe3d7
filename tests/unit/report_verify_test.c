// SPDX-License-Identifier: GPL-2.0-or-later
/* A report gives the same verdict to whoever reads it, and a changed one is told. */
#include "tests/unit/build_host.h"

#include "tests/page/fixture.h"
#include "user/report/basis.h"
#include "user/report/digest.h"
#include "user/report/fields.h"
#include "user/report/report.h"

static const struct fixture small = {.cpus = 8, .vms = 2, .vcpus = 3, .violations = 5};
static struct problem problem;

static struct json_object *sealed(const struct fixture *fixture)
{
	struct counters counters = fixture_counters(fixture);
	struct json_object *report = fixture_report(fixture, &counters);

	assert_int_equal(report_seal(report, &problem), 0);
	counters_deinit(&counters);
	return report;
}

/* What is wrong with it, one after another. */
static char *faults_in(const char *text, size_t size)
{
	struct verified verified;
	char *said = must(strdup(""));

	assert_int_equal(report_verify(text, size, &verified), 0);
	for (size_t i = 0; i < json_object_array_length(verified.faults); i++) {
		char *more;

		assert_true(asprintf(&more, "%s%s\n", said,
				    json_object_get_string(json_object_array_get_idx(
					    verified.faults, i))) > 0);
		free(said);
		said = more;
	}
	verified_deinit(&verified);
	return said;
}

static char *faults_of(struct json_object *report)
{
	const char *text = report_text(report);

	return faults_in(text, strlen(text));
}

static void expect_fault(struct json_object *report, const char *part)
{
	char *said = faults_of(report);

	if (!strstr(said, part))
		fail_msg("'%s' is not in: %s", part, said);
	free(said);
}

static void expect_fine(const char *text, size_t size)
{
	char *said = faults_in(text, size);

	assert_string_equal(said, "");
	free(said);
}

static struct json_object *get(struct json_object *json, const char *key)
{
	struct json_object *found;

	assert_true(json_object_object_get_ex(json, key, &found));
	return found;
}

/* The cell of a table of the observer's. */
static struct json_object *cell(
	struct json_object *report, const char *table, size_t row, const char *column)
{
	struct json_object *json = get(get(report, "observer"), table),
			   *columns = get(json, "columns");
	size_t i = 0;

	while (strcmp(json_object_get_string(json_object_array_get_idx(columns, i)),
		       column) != 0)
		i++;
	return json_object_array_get_idx(
		json_object_array_get_idx(get(json, "rows"), row), i);
}

static void change(struct json_object *number, int64_t by)
{
	json_object_set_uint64(number, json_object_get_uint64(number) + (uint64_t)by);
}

static void reseal(struct json_object *report)
{
	char hex[DIGEST_HEX_SIZE];

	assert_int_equal(report_digest(report, hex), 0);
	json_object_object_add(report, "digest", json_object_new_string(hex));
}

static void test_what_is_read_back_decides_the_same(void **state)
{
	static const struct fixture fixtures[] = {
		{.cpus = 8, .vms = 2, .vcpus = 3, .violations = 5},
		{.cpus = 8, .vms = 2, .vcpus = 3, .clean = true},
		{.cpus = 2, .vms = 0, .vcpus = 1, .clean = true},
		{.cpus = 4, .vms = 1, .vcpus = 1, .absent = true},
		{.cpus = 8, .vms = 2, .vcpus = 3, .violations = 9, .hostile = true},
		{.cpus = 256, .vms = 63, .vcpus = 4, .violations = 2000},
	};
	static const char *const words[] = {
		"critical", "ok", "ok", "unknown", "critical", "critical"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(fixtures); i++) {
		struct json_object *report = sealed(&fixtures[i]);
		const char *text = report_text(report);

		expect_fine(text, strlen(text));
		assert_string_equal(
			json_object_get_string(get(get(report, "verdict"), "verdict")),
			words[i]);
		text = json_object_to_json_string_ext(report, JSON_C_TO_STRING_PRETTY);
		expect_fine(text, strlen(text));
		json_object_put(report);
	}
}

/* Every member of every struct, with the largest and the least that it can be. */
static void test_all_counters_come_back(void **state)
{
	struct counters counters = fixture_counters(&small);
	struct verdict_input input = {.counters = &counters,
		.only = "a",
		.unwatched = "b",
		.degraded = "c",
		.repaired = "d",
		.culprit = "e",
		.window_ns = UINT64_MAX};
	struct json_object *report = report_new();
	struct basis basis;

	(void)state;
	counters.events_lost = counters.unwritten_time = UINT64_MAX;
	counters.measures = counters.takeover = true;
	counters.programs = UINT32_MAX;
	counters.cpus[3].base.softirqs = UINT64_MAX;
	counters.threads[0].vm = SIZE_MAX;
	counters.threads[1].class = THREAD_VHOST;
	counters.culprits[0].vcpu = -1;
	counters.tallies[0].cause = CAUSE_COUNT;
	counters.vms[1].ended = true;
	basis_add(report, &input, 1);
	assert_int_equal(basis_read(report, &basis, &problem), 0);
	assert_string_equal(basis.only, "a");
	assert_string_equal(basis.unwatched, "b");
	assert_string_equal(basis.degraded, "c");
	assert_string_equal(basis.repaired, "d");
	assert_string_equal(basis.culprit, "e");
	assert_null(basis.absent);
	assert_false(basis.alive);
	assert_true(basis.window_ns == UINT64_MAX);
#define SAME(items, n)       \
	assert_memory_equal( \
		basis.counters.items, counters.items, (n) * sizeof(*counters.items))
	assert_int_equal(basis.counters.n_cpus, counters.n_cpus);
	assert_int_equal(basis.counters.n_culprits, counters.n_culprits);
	SAME(cpus, counters.n_cpus);
	SAME(vms, counters.n_vms);
	SAME(threads, counters.n_threads);
	SAME(culprits, counters.n_culprits);
	SAME(reserved, counters.n_reserved);
	SAME(tallies, counters.n_tallies);
	assert_memory_equal(
		&basis.counters.total, &counters.total, sizeof(counters.total));
	assert_memory_equal(&basis.counters, &counters, offsetof(struct counters, total));
	basis_deinit(&basis);
	counters_deinit(&counters);
	json_object_put(report);
}

static void test_a_changed_counter_is_told_by_name(void **state)
{
	struct json_object *report = sealed(&small);
	struct {
		struct json_object *number;
		int64_t by;
		const char *told;
	} changes[] = {
		{cell(report, "cpus", 3, "switches"), 1, "switches: all CPUs together"},
		{cell(report, "cpus", 6, "foreign_own_vm"), -1,
			"foreign_own_vm: all CPUs together have 17, the total is 18"},
		{cell(report, "cpus", 6, "foreign_kthread_ns"), 5,
			"foreign_kthread_ns: all CPUs together"},
		{cell(report, "cpus", 1, "bound_kthread"), 1, "bound_kthread: all CPUs"},
		{get(get(get(report, "observer"), "total"), "off_set"), 1,
			"off_set: all CPUs together have 0, the total is 1"},
		{cell(report, "vms", 0, "foreign_own_vm"), 1,
			"foreign_own_vm: all VMs together have 19, and all CPUs only 18"},
		{cell(report, "vms", 1, "settling"), 1, "settling: all VMs together"},
		{cell(report, "threads", 2, "wait_3"), 1, "thread 10002: its waits"},
		{cell(report, "threads", 2, "switches"), 1, "thread 10002: its waits"},
		{get(get(get(report, "verdict"), "off_set"), "count"), 1,
			"the verdict's sentence or numbers"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
		change(changes[i].number, changes[i].by);
		expect_fault(report, changes[i].told);
		expect_fault(report, "the data were changed: their digest is ");
		/* Whoever makes a new digest is found out all the same. */
		reseal(report);
		expect_fault(report, changes[i].told);
		change(changes[i].number, -changes[i].by);
		reseal(report);
		expect_fine(report_text(report), strlen(report_text(report)));
	}
	json_object_put(report);
}

static void test_what_no_sum_tells_the_digest_does(void **state)
{
	struct json_object *report = sealed(&small);
	struct json_object *numbers[] = {
		cell(report, "culprits", 0, "count"),
		cell(report, "latest", 1, "ns"),
		cell(report, "threads", 1, "wait_ns"),
		cell(report, "cpus", 5, "interrupts"),
		get(get(report, "observer"), "generation"),
		get(get(report, "made"), "realtime_ns"),
		get(get(report, "violations"), "unheard"),
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
		change(numbers[i], 1);
		expect_fault(report, "the data were changed: their digest is ");
		change(numbers[i], -1);
	}
	json_object_set_string(get(get(report, "host"), "name"), "another");
	expect_fault(report, "the data were changed: their digest is ");
	json_object_object_del(report, "digest");
	expect_fault(report, "and the report says none");
	json_object_put(report);
}

/* All that was counted taken away, wherever it stands: then the verdict is another. */
static void test_a_verdict_that_was_changed(void **state)
{
	struct json_object *report = sealed(&small), *verdict = get(report, "verdict");

	(void)state;
	json_object_object_add(verdict, "verdict", json_object_new_string("ok"));
	reseal(report);
	expect_fault(report, "the verdict says ok, and its own data say critical: ");
	json_object_object_add(verdict, "verdict", json_object_new_string("critical"));
	json_object_object_add(verdict, "reason", json_object_new_string("a trifle"));
	reseal(report);
	expect_fault(
		report, "the verdict's sentence or numbers are not those of its data");
	json_object_object_del(report, "verdict");
	reseal(report);
	expect_fault(report, "the verdict says , and its own data say critical: ");
	json_object_put(report);
	report = sealed(&small);
	json_object_object_add(
		get(report, "evidence"), "alive", json_object_new_boolean(false));
	reseal(report);
	expect_fault(report, "and blind: the observer does not count");
	json_object_put(report);
}

static void test_what_is_no_report(void **state)
{
	static const char *const texts[] = {"", "{", "{}", "[]", "null", "\xff",
		"{\"schema\":1}", "{\"schema\":\"cpuwarden.report/2\"}", "<html></html>",
		"{} {}", "<script type=\"application/json\" id=\"cpuwarden-report\">{}",
		"<script type=\"application/json\" id=\"cpuwarden-report\"></script>"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		char *said = faults_in(texts[i], strlen(texts[i]));

		assert_string_not_equal(said, "");
		free(said);
	}
}

static void expect_unreadable(struct json_object *report, const char *part)
{
	reseal(report);
	expect_fault(report, part);
	json_object_put(report);
}

static void test_damaged_data(void **state)
{
	static const char *const names[] = {"question", "evidence", "observer"};
	struct json_object *report, *row;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		report = sealed(&small);
		json_object_object_del(report, names[i]);
		expect_unreadable(report, "missing");
		report = sealed(&small);
		json_object_object_add(report, names[i], json_object_new_string("x"));
		expect_unreadable(report, names[i]);
	}
	report = sealed(&small);
	json_object_object_add(report, "observer", NULL);
	expect_unreadable(report, "there is none, and no reason why");
	report = sealed(&small);
	json_object_set_int64(cell(report, "reserved", 2, "vm"), 2);
	expect_unreadable(report, "observer.reserved: a CPU or a VM that is not there");
	report = sealed(&small);
	json_object_set_int64(cell(report, "reserved", 2, "cpu"), 8);
	expect_unreadable(report, "observer.reserved: a CPU or a VM that is not there");
	report = sealed(&small);
	json_object_set_int64(cell(report, "cpus", 2, "switches"), -1);
	expect_unreadable(
		report, "observer.cpus, row 2: switches is missing or makes no sense");
	report = sealed(&small);
	json_object_set_string(cell(report, "latest", 0, "cause"), "fate");
	expect_unreadable(report, "observer.latest, row 0: cause");
	report = sealed(&small);
	row = json_object_array_get_idx(
		get(get(get(report, "observer"), "threads"), "rows"), 1);
	json_object_array_add(row, json_object_new_int(1));
	expect_unreadable(
		report, "observer.threads, row 1: a row does not have the columns");
	report = sealed(&small);
	json_object_set_string(get(get(report, "evidence"), "online"), "0-");
	expect_unreadable(report, "online: not a list of CPUs");
}

static void test_too_much(void **state)
{
	char *text = must(malloc(REPORT_MAX + 1)), *said;

	(void)state;
	memset(text, '[', REPORT_MAX + 1);
	text[0] = '{';
	said = faults_in(text, REPORT_MAX + 1);
	assert_string_equal(said, "it is larger than 16 MiB\n");
	free(said);
	memcpy(text, "{\"a\":", 5);
	said = faults_in(text, REPORT_MAX);
	assert_string_not_equal(said, "");
	free(said);
	free(text);
}

static void test_text_that_may_be_shown(void **state)
{
	static const char *const texts[][2] = {
		{"plain", "plain"},
		{"\x1b[31m\n\x7f", "?[31m??"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7",
			"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"cut \xe2\x82", "cut ??"},
		{"\xff\xc0\x80", "???"},
		{"\xc2\x9b", "??"}, /* CSI, in one character */
		{"a\xe2\x80\xae"
		 "b",
			"a???b"},	 /* from right to left */
		{"\xed\xa0\x80", "???"}, /* half a character of UTF-16 */
		{"\xf4\x90\x80\x80", "????"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		char *copy = must(strdup(texts[i][0]));

		text_clean(copy);
		assert_string_equal(copy, texts[i][1]);
		free(copy);
	}
}

static void test_a_digest_as_others_compute_it(void **state)
{
	char hex[DIGEST_HEX_SIZE], base64[DIGEST_BASE64_SIZE];

	(void)state;
	digest_hex("abc", 3, hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_base64("abc", 3, base64);
	assert_string_equal(base64, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read_back_decides_the_same),
		cmocka_unit_test(test_all_counters_come_back),
		cmocka_unit_test(test_a_changed_counter_is_told_by_name),
		cmocka_unit_test(test_what_no_sum_tells_the_digest_does),
		cmocka_unit_test(test_a_verdict_that_was_changed),
		cmocka_unit_test(test_what_is_no_report),
		cmocka_unit_test(test_damaged_data),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_text_that_may_be_shown),
		cmocka_unit_test(test_a_digest_as_others_compute_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
