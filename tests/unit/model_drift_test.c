// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is named for the state that a VM is in, and in which words. */
#include "tests/unit/build_host.h"
#include "user/model/drift.h"

enum { N = 3, MAIN = 100, VCPU = 101 };

/* Newest first: two of web1's vCPU and one, the oldest, of its group. */
static void init(struct drift_note notes[N])
{
	memset(notes, 0, N * sizeof(*notes));
	for (int i = 0; i < N; i++) {
		notes[i].number = (uint64_t)(N - i);
		notes[i].time = notes[i].number * 10; /* 30, 20, 10 */
		notes[i].by.tid = notes[i].by.tgid = 10 + i;
		snprintf(notes[i].vm, sizeof(notes[i].vm), "web1");
		snprintf(notes[i].by.comm, sizeof(notes[i].by.comm), "by%d", i);
		notes[i].target.tgid = MAIN;
		notes[i].target.tid = VCPU;
	}
	notes[1].change = CHANGED_GROUP;
	notes[2].change = CHANGED_PARTITION;
	notes[2].target = (struct drift_task){};
}

static const struct drift_note *find(
	const struct drift_note *notes, size_t n, const char *vm, pid_t tid)
{
	const struct drift_question question = {.vm = vm, .tid = tid, .tgid = MAIN};

	return drift_find(notes, n, &question);
}

static void test_the_latest_is_found(void **state)
{
	struct drift_note notes[N];

	(void)state;
	init(notes);
	assert_ptr_equal(find(notes, N, "web1", 0), &notes[0]);
	assert_null(find(notes, N, "web2", 0));
	assert_null(find(notes, 0, "web1", 0));
	assert_null(find(NULL, 0, "web1", 0));
}

static void test_what_explains_nothing_is_passed_over(void **state)
{
	struct drift_note notes[N];

	(void)state;
	init(notes);
	notes[0].result = -1;
	assert_ptr_equal(find(notes, N, "web1", 0), &notes[1]);
	notes[1].result = -1;
	assert_ptr_equal(find(notes, N, "web1", 0), &notes[2]);
	notes[2].result = -1;
	assert_null(find(notes, N, "web1", 0));
}

static void test_of_a_thread_only_what_reaches_it(void **state)
{
	struct drift_note notes[N];

	(void)state;
	init(notes);
	assert_ptr_equal(find(notes, N, "web1", VCPU), &notes[0]);
	/* Another thread: its group's partition does, a move of the vCPU does not. */
	assert_ptr_equal(find(notes, N, "web1", 102), &notes[2]);
	/* A move of the leader may have been one of all. */
	notes[1].target.tid = MAIN;
	assert_ptr_equal(find(notes, N, "web1", 102), &notes[1]);
	/* Not of another process. */
	notes[1].target.tid = notes[1].target.tgid = MAIN + 1;
	assert_ptr_equal(find(notes, N, "web1", 102), &notes[2]);
}

static void test_what_came_later_explains_nothing(void **state)
{
	struct drift_note notes[N];
	struct drift_question question = {.vm = "web1", .time = 25};

	(void)state;
	init(notes);
	assert_ptr_equal(drift_find(notes, N, &question), &notes[1]);
	question.time = 20;
	assert_ptr_equal(drift_find(notes, N, &question), &notes[1]);
	question.time = 9;
	assert_null(drift_find(notes, N, &question));
	question.time = 0;
	assert_ptr_equal(drift_find(notes, N, &question), &notes[0]);
}

static void test_only_what_is_about_the_cpu(void **state)
{
	struct drift_note notes[N];
	struct cpuset where = {};
	struct drift_question question = {.vm = "web1", .time = 50, .where = &where};

	(void)state;
	init(notes);
	cpuset_add(&where, 3);
	notes[0].change = CHANGED_CPUS;
	cpuset_add(&notes[0].before, 2);
	cpuset_add(&notes[0].after, 4);
	assert_ptr_equal(drift_find(notes, N, &question), &notes[1]);
	cpuset_add(&notes[0].after, 3);
	assert_ptr_equal(drift_find(notes, N, &question), &notes[0]);
	/* No CPUs of its own: those of the group above. */
	notes[0].after = (struct cpuset){};
	assert_ptr_equal(drift_find(notes, N, &question), &notes[0]);
	/* One that no note has a place for. */
	where = (struct cpuset){};
	cpuset_add(&where, DRIFT_CPUS);
	cpuset_add(&notes[0].after, 4);
	assert_ptr_equal(drift_find(notes, N, &question), &notes[0]);
}

/* What came before the rules in force was mended with them, whoever's it was. */
static void test_what_the_rules_have_outlived(void **state)
{
	struct drift_note notes[N];
	struct drift_question question = {.vm = "web1", .since = 20};

	(void)state;
	init(notes);
	notes[0].result = -1;
	assert_ptr_equal(drift_find(notes, N, &question), &notes[1]);
	question.since = 21;
	assert_null(drift_find(notes, N, &question));
	*notes[2].vm = '\0';
	notes[2].shared = true;
	assert_null(drift_find(notes, N, &question));
	question.since = 10;
	notes[1].result = -1;
	assert_ptr_equal(drift_find(notes, N, &question), &notes[2]);
}

static void test_what_is_shared_is_anybodys(void **state)
{
	struct drift_note notes[N];

	(void)state;
	init(notes);
	for (int i = 0; i < N; i++) {
		*notes[i].vm = '\0';
		notes[i].shared = true;
	}
	/* Of the group above, not of a stranger who moved into it. */
	assert_ptr_equal(find(notes, N, "web2", 0), &notes[2]);
	/* Of a VM that is gone. */
	notes[2].shared = false;
	assert_null(find(notes, N, "web2", 0));
}

static void test_what_is_beside_has_to_do_with_its_cpus(void **state)
{
	struct drift_note note = {.number = 1,
		.change = CHANGED_PARTITION,
		.shared = true,
		.beside = true,
		.before = cpus("4-5"),
		.after = cpus("6")};
	struct cpuset own = cpus("2-3");
	struct drift_question question = {.vm = "web1"};

	(void)state;
	assert_ptr_equal(drift_find(&note, 1, &question), &note);
	question.cpus = &own;
	assert_null(drift_find(&note, 1, &question));
	own = cpus("5");
	assert_ptr_equal(drift_find(&note, 1, &question), &note);
	own = cpus("6-7");
	assert_ptr_equal(drift_find(&note, 1, &question), &note);
	own = cpus("2-3");
	note.beside = false;
	assert_ptr_equal(drift_find(&note, 1, &question), &note);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(drift_kind(CHANGED_AFFINITY), "affinity");
	assert_string_equal(drift_kind(CHANGED_CPUS), "cpuset");
	assert_string_equal(drift_kind(CHANGED_EXCLUSIVE), "cpuset");
	assert_string_equal(drift_kind(CHANGED_MEMS), "cpuset");
	assert_string_equal(drift_kind(CHANGED_PARTITION), "partition");
	assert_string_equal(drift_kind(CHANGED_GROUP), "move");
	assert_null(drift_file(CHANGED_AFFINITY));
	assert_null(drift_file(CHANGED_GROUP));
	assert_string_equal(drift_file(CHANGED_MEMS), "cpuset.mems");
	assert_string_equal(drift_file(CHANGED_EXCLUSIVE), "cpuset.cpus.exclusive");
	assert_string_equal(drift_state(0), "member");
	assert_string_equal(drift_state(1), "root");
	assert_string_equal(drift_state(2), "isolated");
	assert_string_equal(drift_state(-1), "root invalid");
	assert_string_equal(drift_state(-2), "isolated invalid");
	assert_string_equal(drift_state(3), "unknown");
	assert_string_equal(drift_state(-3), "unknown");
}

static void test_sentences(void **state)
{
	struct drift_note notes[N];
	char text[128];

	(void)state;
	init(notes);
	drift_sentence(&notes[0], "user.slice", text, sizeof(text));
	assert_string_equal(text, "affinity changed by by0 (pid 10, in /user.slice)");
	notes[0].result = -1;
	drift_sentence(&notes[0], NULL, text, sizeof(text));
	assert_string_equal(text, "affinity refused to by0 (pid 10)");
	drift_sentence(&notes[1], "", text, sizeof(text));
	assert_string_equal(text, "group changed by by1 (pid 11, in /)");
	*notes[2].by.comm = '\0';
	drift_sentence(&notes[2], NULL, text, sizeof(text));
	assert_string_equal(text, "cpuset.cpus.partition changed by a task (pid 12)");
	drift_sentence(&notes[2], NULL, text, 10);
	assert_string_equal(text, "cpuset.cp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_latest_is_found),
		cmocka_unit_test(test_what_explains_nothing_is_passed_over),
		cmocka_unit_test(test_of_a_thread_only_what_reaches_it),
		cmocka_unit_test(test_what_came_later_explains_nothing),
		cmocka_unit_test(test_only_what_is_about_the_cpu),
		cmocka_unit_test(test_what_the_rules_have_outlived),
		cmocka_unit_test(test_what_is_shared_is_anybodys),
		cmocka_unit_test(test_what_is_beside_has_to_do_with_its_cpus),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
