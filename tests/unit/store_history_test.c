// SPDX-License-Identifier: GPL-2.0-or-later
/* What was counted in the past, found again in files as the daemon writes them. */
#include "tests/unit/write_file.h"

#include <errno.h>
#include <limits.h>

#include "tests/unit/scratch.h"
#include "user/base/problem.h"
#include "user/daemon/event_file.h"
#include "user/model/past_json.h"
#include "user/store/history.h"

static char path[PATH_MAX];

static int enter(void **state)
{
	(void)state;
	history_drop(scratch);
	history_path(scratch, path);
	return 0;
}

/* One line, as the daemon writes it. */
static void write_entry(struct event_file *file, uint64_t time, uint64_t start, bool full)
{
	struct past_vm vm = {.pid = 100,
		.start_time = 7,
		.counted = {.foreign[CAUSED_BY_OWN_VM] = {time, 2}}};
	struct past_waits waits = {.pid = 100, .tid = 101, .waits = {[3] = 4}};
	struct past_cpu cpu = {.cpu = 5, .taken_ns = UINT64_MAX};
	const struct past past = {.time = time,
		.start = start,
		.switches = 10 * time,
		.events_lost = 1,
		.total.off_set = {time, 3},
		.vms = &vm,
		.n_vms = 1,
		.full = full,
		.waits = &waits,
		.n_waits = full,
		.cpus = &cpu,
		.n_cpus = full};
	struct json_object *json = event_new("counted", 0);

	past_to_json(&past, json);
	event_file_write(file, json);
}

static void write_entries(uint64_t first, uint64_t last, uint64_t max_bytes)
{
	struct event_file *file;

	assert_int_equal(event_file_open(path, max_bytes, &file, NULL), 0);
	for (uint64_t time = first; time <= last; time++)
		write_entry(file, time, 1, time % 4 == 0);
	assert_int_equal(event_file_lost(file), 0);
	event_file_close(file);
}

static void expect(uint64_t time, bool full, uint64_t found)
{
	struct past past;

	assert_int_equal(history_find(scratch, 1, time, full, &past), !found);
	if (!found)
		return;
	assert_int_equal(past.time, found);
	assert_int_equal(past.start, 1);
	assert_int_equal(past.switches, 10 * found);
	assert_int_equal(past.events_lost, 1);
	assert_int_equal(past.total.off_set.count, found);
	assert_int_equal(past.total.off_set.ns, 3);
	assert_int_equal(past.n_vms, 1);
	assert_int_equal(past.vms[0].pid, 100);
	assert_int_equal(past.vms[0].start_time, 7);
	assert_int_equal(past.vms[0].counted.foreign[CAUSED_BY_OWN_VM].count, found);
	assert_int_equal(past.full, found % 4 == 0);
	assert_int_equal(past.n_waits, past.full);
	if (past.full) {
		assert_int_equal(past.waits[0].tid, 101);
		assert_int_equal(past.waits[0].waits[3], 4);
		assert_true(past.cpus[0].taken_ns == UINT64_MAX);
	}
	past_deinit(&past);
}

static void test_none(void **state)
{
	(void)state;
	expect(1000, false, 0);
}

static void test_latest_before(void **state)
{
	(void)state;
	write_entries(10, 20, 1 << 20);
	expect(9, false, 0);
	expect(10, false, 10);
	expect(15, false, 15);
	expect(15, true, 12);
	expect(11, true, 0);
	expect(1000, false, 20);
}

static void test_rotated(void **state)
{
	(void)state;
	write_entries(10, 40, 1000);
	assert_int_equal(access(path, F_OK), 0);
	/* Five files of at most 1000 bytes do not hold all of them. */
	expect(10, false, 0);
	for (uint64_t time = 35; time <= 40; time++)
		expect(time, false, time);
	expect(1000, true, 40);
	expect(38, true, 36);
}

static void test_of_another_observer(void **state)
{
	struct past past;

	(void)state;
	write_entries(10, 12, 1 << 20);
	assert_int_equal(history_find(scratch, 2, 1000, false, &past), 1);
}

/* Somebody's lines, and half a line. */
static void test_broken(void **state)
{
	static const char *const lines[] = {
		"",
		"{}\n",
		"null\n[]\n",
		"{\"time_ns\":5,\"observer_start_ns\":1}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":1,\"lost_events\":0,\"vms\":[{\"pid\":-1}]}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":1,\"lost_events\":0,\"vms\":[null]}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":1,\"lost_events\":0,\"off_set\":{},\"vms\":[]}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":\"1\",\"lost_events\":0,\"vms\":[]}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":1,\"lost_events\":0,\"vms\":[],\"vcpus\":[{\"pid\":1,\"tid\":1,\"waits\":[1]}],\"cpus\":[]}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":1,\"lost_events\":0,\"vms\":[],\"vcpus\":[],\"cpus\":[{\"cpu\":99999,\"taken_ns\":1}]}\n",
		"{\"time_ns\":5,\"observer_start_ns\":1,\"switches\":1,\"lost_ev",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		write_file(path, lines[i]);
		expect(1000, false, 0);
	}
}

/* Half of a line that somebody was killed at does not hide those before it. */
static void test_torn(void **state)
{
	FILE *file;

	(void)state;
	write_entries(10, 12, 1 << 20);
	file = fopen(path, "a");
	assert_non_null(file);
	assert_true(fputs("{\"time_ns\":14,\"observer_start_ns\":1,\"swi", file) >= 0);
	assert_int_equal(fclose(file), 0);
	expect(1000, false, 12);
	file = fopen(path, "a");
	assert_non_null(file);
	assert_true(fputs("{\"time_ns\":15,\"observer_start_ns\":1}\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	expect(1000, false, 12);
}

/* A file that cannot be read is not taken for one without entries. */
static void test_unreadable(void **state)
{
	struct past past;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(history_find(scratch, 1, 1000, false, &past) < 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(history_find(scratch, 1, 1000, false, &past), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_none, enter),
		cmocka_unit_test_setup(test_latest_before, enter),
		cmocka_unit_test_setup(test_rotated, enter),
		cmocka_unit_test_setup(test_of_another_observer, enter),
		cmocka_unit_test_setup(test_broken, enter),
		cmocka_unit_test_setup(test_torn, enter),
		cmocka_unit_test_setup(test_unreadable, enter),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
