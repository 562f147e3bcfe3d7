// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "user/base/cleanup.h"
#include "user/store/event_json.h"
#include "user/store/json_file.h"

#define HEAD "{\"time\":\"2026-11-21T10:30:15.678901Z\",\"type\":\"violation\""

static struct json_object *json;
static struct event event;

static int leave(void **state)
{
	(void)state;
	json_object_put(json);
	json = NULL;
	return 0;
}

static int parse(const char *line)
{
	leave(NULL);
	return event_json_parse(line, strlen(line), &json, &event);
}

static void test_fields(void **state)
{
	(void)state;
	assert_int_equal(
		parse(HEAD
			",\"vm\":\"web1\",\"class\":\"foreign\",\"cause\":\"user\",\"cpu\":2,"
			"\"vcpu\":0,\"pid\":360,\"tid\":361,\"comm\":\"x y\","
			"\"cgroup_id\":77,\"ns\":2700000}"),
		0);
	assert_true(event.time == 1795257015678901000);
	assert_string_equal(event.type, "violation");
	assert_string_equal(event.vm, "web1");
	assert_string_equal(event.class, "foreign");
	assert_string_equal(event.cause, "user");
	assert_string_equal(event.comm, "x y");
	assert_int_equal(event.cpu, 2);
	assert_int_equal(event.vcpu, 0);
	assert_int_equal(event.pid, 360);
	assert_int_equal(event.tid, 361);
	assert_int_equal(event.cgroup_id, 77);
	assert_int_equal(event.ns, 2700000);
	assert_int_equal(event.count, -1);
	assert_null(event.text);
	assert_false(event.refused);
}

static void test_fields_of_other_kinds(void **state)
{
	(void)state;
	assert_int_equal(
		parse(HEAD ",\"vm\":null,\"class\":1,\"cause\":[],\"cpu\":\"2\","
			   "\"vcpu\":null,\"pid\":-5,\"tid\":1.5,\"comm\":{},"
			   "\"cgroup_id\":-1,\"text\":\"a\\u0000b\",\"refused\":1}"),
		0);
	assert_null(event.vm);
	assert_null(event.class);
	assert_null(event.cause);
	assert_int_equal(event.cpu, -1);
	assert_int_equal(event.vcpu, -1);
	assert_int_equal(event.pid, -1);
	assert_int_equal(event.tid, -1);
	assert_null(event.comm);
	assert_int_equal(event.cgroup_id, 0);
	assert_null(event.text);
	assert_false(event.refused);
}

static void test_spaces_around(void **state)
{
	(void)state;
	assert_int_equal(parse(" " HEAD " , \"vm\" : \"a\" } \t\r"), 0);
	assert_string_equal(event.vm, "a");
}

static void test_broken_lines(void **state)
{
	static const char *const lines[] = {"", " ", "x", "{}", "[]", "1", "null",
		"\"a\"", HEAD, HEAD "}x", HEAD "}" HEAD "}", "{\"type\":\"drift\"}",
		"{\"time\":\"2026-11-21T10:30:15Z\"}",
		"{\"time\":\"2026-11-21T10:30:15Z\",\"type\":\"\"}",
		"{\"time\":\"2026-11-21T10:30:15Z\",\"type\":1}",
		"{\"time\":\"yesterday\",\"type\":\"drift\"}",
		"{\"time\":1795257015,\"type\":\"drift\"}",
		HEAD ",\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}", "\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (parse(lines[i]) != -EBADMSG)
			fail_msg("'%s' is taken", lines[i]);
}

static void test_a_zero_byte(void **state)
{
	static const char line[] = HEAD "}\0}";

	(void)state;
	assert_int_equal(
		event_json_parse(line, sizeof(line) - 1, &json, &event), -EBADMSG);
}

static void assert_format(const char *line, const char *expected)
{
	cleanup_free char *text = NULL;

	assert_int_equal(parse(line), 0);
	assert_int_equal(event_json_format(json, &text), 0);
	assert_string_equal(text, expected);
}

static void test_format(void **state)
{
	(void)state;
	/* As the daemon writes it. */
	assert_format(HEAD ",\"vm\":null,\"text\":\"a/b \\\" \\\\ \\n\",\"n\":1}",
		HEAD ",\"vm\":null,\"text\":\"a/b \\\" \\\\ \\n\",\"n\":1}");
	assert_format(HEAD " , \"n\" : 1 }", HEAD ",\"n\":1}");
}

static void test_format_of_hostile_texts(void **state)
{
	(void)state;
	assert_format(HEAD ",\"comm\":\"\\u001b[31m\x7f\"}",
		HEAD ",\"comm\":\"\\u001b[31m\\u007f\"}");
	/* U+009B, which some terminals take for ESC [. */
	assert_format(HEAD ",\"comm\":\"\xc2\x9b\"}", HEAD ",\"comm\":\"\\u009b\"}");
	assert_format(HEAD ",\"comm\":\"\\u009b\"}", HEAD ",\"comm\":\"\\u009b\"}");
	assert_format(HEAD ",\"comm\":\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"}",
		HEAD ",\"comm\":\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"}");
	/* A cut character, a lone byte, overlong forms, a surrogate, too high. */
	assert_format(
		HEAD ",\"comm\":\"\xe2\x82\"}", HEAD ",\"comm\":\"\\ufffd\\ufffd\"}");
	assert_format(HEAD ",\"comm\":\"\xff\"}", HEAD ",\"comm\":\"\\ufffd\"}");
	assert_format(
		HEAD ",\"comm\":\"\xc0\x9b\"}", HEAD ",\"comm\":\"\\ufffd\\ufffd\"}");
	assert_format(HEAD ",\"comm\":\"\xe0\x82\x9b\"}",
		HEAD ",\"comm\":\"\\ufffd\\ufffd\\ufffd\"}");
	assert_format(HEAD ",\"comm\":\"\xed\xa0\x80\"}",
		HEAD ",\"comm\":\"\\ufffd\\ufffd\\ufffd\"}");
	assert_format(HEAD ",\"comm\":\"\xf4\x90\x80\x80\"}",
		HEAD ",\"comm\":\"\\ufffd\\ufffd\\ufffd\\ufffd\"}");
}

#define json_test(f) cmocka_unit_test_teardown(f, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		json_test(test_fields),
		json_test(test_fields_of_other_kinds),
		json_test(test_spaces_around),
		json_test(test_broken_lines),
		json_test(test_a_zero_byte),
		json_test(test_format),
		json_test(test_format_of_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
