// SPDX-License-Identifier: GPL-2.0-or-later
/* user/host/qmp_talk.c: a captured session, and monitors that lie. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/host/qmp_talk.h"
#include "user/model/vm.h"

#define FIXTURES "tests/fixtures/host/"
#define GREETING "{\"QMP\":{\"version\":{}}}\r\n"
#define OK "{\"return\":{}}\r\n"
#define EVENT "{\"timestamp\":{\"seconds\":1},\"event\":\"RESUME\"}\r\n"

static void cleanup_talk_fn(struct qmp_talk **talk)
{
	qmp_talk_free(*talk);
}

/* Plays the monitor line by line, each after its question, as one that waits its turn
 * does. */
static int play(const char *script, size_t chunk, struct qmp_answer *ret_answer,
	struct problem *problem)
{
	CLEANUP(cleanup_talk_fn) struct qmp_talk *talk = qmp_talk_new();
	size_t left = strlen(script);

	while (left) {
		const char *newline = memchr(script, '\n', left);
		size_t len = newline ? (size_t)(newline - script) + 1 : left;
		int r;

		len = len < chunk ? len : chunk;
		r = qmp_talk_hear(talk, script, len, problem);
		if (r)
			return r;
		script += len;
		left -= len;
		(void)qmp_talk_say(talk);
	}
	return qmp_talk_done(talk, ret_answer) ? 0 : -EAGAIN;
}

static void a_captured_session(void **state)
{
	static const size_t chunks[] = {1, 2, 7, 64, 100000};
	char text[8192];

	(void)state;
	assert_true(file_read_at(AT_FDCWD, FIXTURES "qmp-qemu-7.2.json", text,
			    sizeof(text)) > 0);
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};

		assert_int_equal(play(text, chunks[i], &answer, NULL), 0);
		assert_int_equal(answer.n_vcpus, 2);
		assert_int_equal(answer.vcpus[0].index, 0);
		assert_int_equal(answer.vcpus[0].tid, 6);
		assert_int_equal(answer.vcpus[1].index, 1);
		assert_int_equal(answer.vcpus[1].tid, 7);
		assert_int_equal(answer.n_iothreads, 2);
		assert_string_equal(answer.iothreads[0].id, "disk");
		assert_int_equal(answer.iothreads[0].tid, 4);
		assert_string_equal(answer.iothreads[1].id, "iothread1");
		assert_int_equal(answer.iothreads[1].tid, 3);
	}
}

static void what_is_said_when(void **state)
{
	CLEANUP(cleanup_talk_fn) struct qmp_talk *talk = qmp_talk_new();
	struct qmp_answer answer;

	(void)state;
	assert_null(qmp_talk_say(talk));
	assert_string_equal(qmp_talk_awaits(talk), "greeting");
	assert_int_equal(qmp_talk_hear(talk, GREETING, strlen(GREETING), NULL), 0);
	assert_string_equal(qmp_talk_say(talk), "{\"execute\":\"qmp_capabilities\"}\n");
	assert_null(qmp_talk_say(talk));
	assert_int_equal(qmp_talk_hear(talk, EVENT, strlen(EVENT), NULL), 0);
	assert_null(qmp_talk_say(talk));
	assert_int_equal(qmp_talk_hear(talk, OK, strlen(OK), NULL), 0);
	assert_string_equal(qmp_talk_say(talk), "{\"execute\":\"query-cpus-fast\"}\n");
	assert_string_equal(qmp_talk_awaits(talk), "query-cpus-fast");
	assert_false(qmp_talk_done(talk, &answer));
}

/* A session whose answers are these. */
static int answer_with(const char *vcpus, const char *iothreads, struct problem *problem)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};
	cleanup_free char *script = NULL;

	assert_true(asprintf(&script,
			    GREETING OK "{\"return\":%s}\n" EVENT "{\"return\":%s}\n",
			    vcpus, iothreads) > 0);
	return play(script, SIZE_MAX, &answer, problem);
}

#define VCPU0 "{\"cpu-index\":0,\"thread-id\":10}"

static void lies_about_vcpus(void **state)
{
	static const char *const lies[] = {"[]", "{}", "null", "3", "\"x\"", "[1]",
		"[[]]", "[{}]", "[{\"cpu-index\":0}]", "[{\"thread-id\":10}]",
		"[{\"cpu-index\":\"0\",\"thread-id\":10}]",
		"[{\"cpu-index\":0,\"thread-id\":\"10\"}]",
		"[{\"cpu-index\":0,\"thread-id\":10.0}]",
		"[{\"cpu-index\":0.5,\"thread-id\":10}]",
		"[{\"cpu-index\":-1,\"thread-id\":10}]",
		"[{\"cpu-index\":8192,\"thread-id\":10}]",
		"[{\"cpu-index\":0,\"thread-id\":0}]",
		"[{\"cpu-index\":0,\"thread-id\":-10}]",
		"[{\"cpu-index\":0,\"thread-id\":4194305}]",
		"[{\"cpu-index\":0,\"thread-id\":4294967306}]",
		"[{\"cpu-index\":18446744073709551616,\"thread-id\":10}]",
		"[{\"cpu-index\":99999999999999999999999999,\"thread-id\":10}]",
		"[{\"cpu-index\":null,\"thread-id\":10}]",
		"[{\"cpu-index\":true,\"thread-id\":10}]",
		"[" VCPU0 ",{\"cpu-index\":0,\"thread-id\":11}]"};

	(void)state;
	assert_int_equal(answer_with("[" VCPU0 "]", "[]", NULL), 0);
	assert_int_equal(
		answer_with("[{\"cpu-index\":8191,\"thread-id\":4194304}]", "[]", NULL),
		0);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct problem problem = {0};

		assert_int_equal(answer_with(lies[i], "[]", &problem), -EBADMSG);
		/* A number that fits nowhere is already refused as JSON by json-c 0.18.
		 */
		assert_true(strstr(problem.text, "query-cpus-fast") ||
			    (strstr(lies[i], "999999") &&
				    strstr(problem.text, "no valid JSON")) ||
			    (strstr(lies[i], "18446744073709551616") &&
				    strstr(problem.text, "no valid JSON")));
	}
}

static void lies_about_iothreads(void **state)
{
	static const char *const lies[] = {"{}", "null", "[1]", "[{}]",
		"[{\"id\":\"a\"}]", "[{\"thread-id\":10}]",
		"[{\"id\":1,\"thread-id\":10}]", "[{\"id\":\"a\",\"thread-id\":0}]",
		"[{\"id\":\"a\",\"thread-id\":-1}]", "[{\"id\":null,\"thread-id\":1}]"};

	(void)state;
	assert_int_equal(
		answer_with("[" VCPU0 "]", "[{\"id\":\"a\",\"thread-id\":11}]", NULL), 0);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		assert_int_equal(answer_with("[" VCPU0 "]", lies[i], NULL), -EBADMSG);
}

static void a_long_id_is_cut(void **state)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};
	cleanup_free char *script = NULL;
	char id[1000];

	(void)state;
	memset(id, 'i', sizeof(id));
	id[999] = '\0';
	assert_true(
		asprintf(&script,
			GREETING OK "{\"return\":[" VCPU0 "]}\n"
				    "{\"return\":[{\"id\":\"%s\",\"thread-id\":5}]}\n",
			id) > 0);
	assert_int_equal(play(script, SIZE_MAX, &answer, NULL), 0);
	assert_int_equal(strlen(answer.iothreads[0].id), QMP_ID_SIZE - 1);
}

static void spaces_in_an_id(void **state)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};

	(void)state;
	assert_int_equal(
		play(GREETING OK "{\"return\":[" VCPU0 "]}\n"
				 "{\"return\":[{\"id\":\"my disk\",\"thread-id\":5}]}\n",
			1, &answer, NULL),
		0);
	assert_string_equal(answer.iothreads[0].id, "my disk");
}

static void other_streams(void **state)
{
	static const struct {
		const char *script;
		int r;
	} cases[] = {
		{"", -EAGAIN},
		{GREETING, -EAGAIN},
		{GREETING OK, -EAGAIN},
		{" \t\r\n" GREETING " \n" OK, -EAGAIN},
		{OK, -EBADMSG}, /* no greeting */
		{GREETING GREETING, -EBADMSG},
		{"{\"QMP\":3}\n", -EBADMSG},
		{GREETING "{\"error\":{\"class\":\"CommandNotFound\"}}\n", -EBADMSG},
		{GREETING "{}\n", -EBADMSG},
		{GREETING "[]\n", -EBADMSG},
		{GREETING "17\n", -EBADMSG},
		{GREETING "null\n", -EBADMSG},
		{"{\"QMP\":{}}{\"return\":{}}\n",
			-EBADMSG}, /* answers before it is asked */
		{"{QMP:{}}\n", -EBADMSG},
		{"{\"QMP\":{}} // comment\n", -EBADMSG},
		{"HTTP/1.1 400 Bad Request\r\n", -EBADMSG},
		{"{\"QMP\":{}\xff}\n", -EBADMSG},
		{"{\"QMP\":\"\xff\"}\n", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};

		assert_int_equal(
			play(cases[i].script, SIZE_MAX, &answer, NULL), cases[i].r);
	}
}

static char *repeat(const char *head, const char *text, size_t n, const char *end)
{
	size_t len = strlen(text);
	char *all = malloc(strlen(head) + n * len + strlen(end) + 1);
	char *p = stpcpy(all, head);

	for (size_t i = 0; i < n; i++)
		p = stpcpy(p, text);
	strcpy(p, end);
	return all;
}

static int play_repeated(const char *head, const char *text, size_t n, const char *end)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};
	cleanup_free char *script = repeat(head, text, n, end);

	return play(script, 65536, &answer, NULL);
}

static void bounds(void **state)
{
	(void)state;
	assert_int_equal(play_repeated(GREETING, EVENT, QMP_EVENTS_MAX, ""), -EAGAIN);
	assert_int_equal(
		play_repeated(GREETING, EVENT, QMP_EVENTS_MAX + 1, ""), -EBADMSG);
	/* depth: the message itself is one level */
	assert_int_equal(play_repeated("{\"event\":", "[", 30, ""), -EAGAIN);
	assert_int_equal(play_repeated("{\"event\":", "[", 40, ""), -EBADMSG);
	assert_int_equal(play_repeated("", "[", 100000, ""), -EBADMSG);
	/* size, in and between messages */
	assert_int_equal(
		play_repeated("{\"QMP\":\"", "x", QMP_BYTES_MAX - 100, ""), -EAGAIN);
	assert_int_equal(play_repeated("{\"QMP\":\"", "x", QMP_BYTES_MAX, ""), -EBADMSG);
	assert_int_equal(play_repeated("", "\n", QMP_BYTES_MAX + 1, ""), -EBADMSG);
	/* few bytes that would cost much memory */
	assert_int_equal(play_repeated("{\"event\":[", "{},", 100000, "0]}"), -EBADMSG);
	assert_int_equal(play_repeated("{\"event\":[", "0,", 1000000, "0]}"), -EBADMSG);
}

/* The largest VM that there can be stays within all bounds. */
static void the_largest_honest_answer(void **state)
{
	CLEANUP(qmp_answer_deinit) struct qmp_answer answer = {0};
	cleanup_free char *script = malloc(QMP_BYTES_MAX + 4096);
	char *p = stpcpy(script, GREETING OK "{\"return\": [");

	(void)state;
	for (int i = 0; i < VCPUS_MAX; i++)
		p += sprintf(p,
			"%s{\"thread-id\": %d, \"props\": {\"core-id\": %d, \"thread-id\": 0, "
			"\"die-id\": 0, \"node-id\": 0, \"socket-id\": 0}, \"qom-path\": "
			"\"/machine/unattached/device[%d]\", \"cpu-index\": %d, "
			"\"target\": \"x86_64\"}",
			i ? ", " : "", 4000000 + i, i, i, i);
	p = stpcpy(p, "]}\n{\"return\": [");
	for (int i = 0; i < IOTHREADS_MAX; i++)
		p += sprintf(p,
			"%s{\"poll-shrink\": 0, \"thread-id\": %d, \"aio-max-batch\": 0, "
			"\"poll-grow\": 0, \"poll-max-ns\": 32768, \"id\": \"iothread%d\"}",
			i ? ", " : "", 4100000 + i, i);
	stpcpy(p, "]}\n");
	assert_int_equal(play(script, 16384, &answer, NULL), 0);
	assert_int_equal(answer.n_vcpus, VCPUS_MAX);
	assert_int_equal(answer.n_iothreads, IOTHREADS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_captured_session),
		cmocka_unit_test(what_is_said_when),
		cmocka_unit_test(lies_about_vcpus),
		cmocka_unit_test(lies_about_iothreads),
		cmocka_unit_test(a_long_id_is_cut),
		cmocka_unit_test(spaces_in_an_id),
		cmocka_unit_test(other_streams),
		cmocka_unit_test(bounds),
		cmocka_unit_test(the_largest_honest_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
