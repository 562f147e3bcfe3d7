// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of what was found: given back exactly as they were put in, or not at all. */
#include "tests/unit/build_host.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/file.h"
#include "user/store/found.h"

static char run[64];
static struct problem problem;

static int enter(void **state)
{
	static unsigned int n;

	(void)state;
	snprintf(run, sizeof(run), "%s/%u", scratch, n++);
	memset(&problem, 0, sizeof(problem));
	return mkdir(run, 0755);
}

static struct found_thread *put(struct found_thread **threads, size_t *n, pid_t tid,
	const char *cgroup, const struct cpuset *affinity)
{
	struct found_thread *thread = must(array_push(threads, n));

	thread->pid = 100;
	thread->tid = tid;
	thread->start_time = UINT64_MAX - (uint64_t)tid;
	thread->cgroup = cgroup ? must(strdup(cgroup)) : NULL;
	thread->affinity = *affinity;
	return thread;
}

static struct found_vm make_vm(const char *name)
{
	struct found_vm found = {.pid = 100, .start_time = 123456789012345};
	struct cpuset few = cpus("0-3"), many = {};

	snprintf(found.name, sizeof(found.name), "%s", name);
	for (unsigned int cpu = 1; cpu < CPUSET_CPUS; cpu += 2)
		cpuset_add(&many, cpu);
	put(&found.threads, &found.n_threads, 100, "machine.slice/a \"b\" \\x2d\xc3\xa9",
		&few);
	put(&found.threads, &found.n_threads, 101, "", &many);
	memset(&many, 0xff, sizeof(many));
	put(&found.threads, &found.n_threads, 4194304, "x", &many);
	return found;
}

static void expect_threads(
	const struct found_thread *a, const struct found_thread *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(a[i].pid, b[i].pid);
		assert_int_equal(a[i].tid, b[i].tid);
		assert_true(a[i].start_time == b[i].start_time);
		assert_int_equal(a[i].kernel, b[i].kernel);
		assert_int_equal(a[i].cgroup != NULL, b[i].cgroup != NULL);
		if (a[i].cgroup)
			assert_string_equal(a[i].cgroup, b[i].cgroup);
		assert_true(cpuset_equal(&a[i].affinity, &b[i].affinity));
	}
}

static void expect_ok(int r)
{
	if (r)
		fail_msg("%d: %s", r, problem.text);
}

static void test_a_vms_record_comes_back_as_it_was(void **state)
{
	static const char *const names[] = {"web1", "db prod", "a.json", "x.new",
		"qemu-17", "\xc3\xa4\xc3\xb6 \"quoted\" \\ %s ~", "[vm]"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		struct found_vm written = make_vm(names[i]), found;

		expect_ok(found_vm_write(run, &written, &problem));
		expect_ok(found_vm_read(run, names[i], &found, &problem));
		assert_string_equal(found.name, names[i]);
		assert_int_equal(found.pid, 100);
		assert_true(found.start_time == written.start_time);
		assert_int_equal(found.n_threads, written.n_threads);
		expect_threads(found.threads, written.threads, found.n_threads);
		found_vm_deinit(&written);
		found_vm_deinit(&found);
	}
}

static void test_the_longest_name(void **state)
{
	char name[VM_NAME_SIZE];
	struct found_vm written, found;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	written = make_vm(name);
	expect_ok(found_vm_write(run, &written, &problem));
	expect_ok(found_vm_read(run, name, &found, &problem));
	assert_string_equal(found.name, name);
	found_vm_deinit(&written);
	found_vm_deinit(&found);
}

static void test_a_record_is_for_root_only_and_replaces_the_one_before(void **state)
{
	struct found_vm written = make_vm("web1"), found;
	struct stat info;
	char path[128];

	(void)state;
	expect_ok(found_vm_write(run, &written, &problem));
	written.pid = 101;
	expect_ok(found_vm_write(run, &written, &problem));
	expect_ok(found_vm_read(run, "web1", &found, &problem));
	assert_int_equal(found.pid, 101);
	snprintf(path, sizeof(path), "%s/found/web1.json", run);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	found_vm_deinit(&written);
	found_vm_deinit(&found);
}

static void test_the_hosts_record_comes_back_as_it_was(void **state)
{
	struct found_host written = {.cpuset_given = true, .has_workqueues = true}, found;
	struct cpuset set = cpus("1-2,9");

	(void)state;
	written.workqueues = cpus("0-7");
	put(&written.bound, &written.n_bound, 100, NULL, &set);
	put(&written.bound, &written.n_bound, 55, NULL, &set)->kernel = true;
	for (int i = 0; i < 2; i++) {
		expect_ok(found_host_write(run, &written, &problem));
		expect_ok(found_host_read(run, &found, &problem));
		assert_int_equal(found.cpuset_given, written.cpuset_given);
		assert_int_equal(found.has_workqueues, written.has_workqueues);
		if (written.has_workqueues)
			expect_cpus(&found.workqueues, "0-7");
		assert_int_equal(found.n_bound, written.n_bound);
		expect_threads(found.bound, written.bound, found.n_bound);
		found_host_deinit(&found);
		written.cpuset_given = written.has_workqueues = false;
	}
	found_host_deinit(&written);
}

static void test_there_is_none(void **state)
{
	struct found_host host;
	struct found_vm found;

	(void)state;
	assert_int_equal(found_vm_read(run, "web1", &found, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, "cannot read"));
	assert_int_equal(found_host_read(run, &host, &problem), -ENOENT);
	assert_int_equal(found_vm_drop(run, "web1", &problem), 1);
	assert_int_equal(found_host_drop(run, &problem), 1);
}

static void test_the_folder_goes_with_the_last_record(void **state)
{
	struct found_vm one = make_vm("one"), two = make_vm("two"), found;
	struct found_host host = {};
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/found", run);
	expect_ok(found_vm_write(run, &one, &problem));
	expect_ok(found_vm_write(run, &two, &problem));
	expect_ok(found_host_write(run, &host, &problem));
	expect_ok(found_vm_drop(run, "one", &problem));
	assert_int_equal(found_vm_read(run, "one", &found, &problem), -ENOENT);
	assert_int_equal(access(path, F_OK), 0);
	expect_ok(found_host_drop(run, &problem));
	expect_ok(found_vm_drop(run, "two", &problem));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(run), 0);
	found_vm_deinit(&one);
	found_vm_deinit(&two);
}

struct seen {
	char names[4][VM_NAME_SIZE];
	size_t n;
};

static int note(const char *name, void *data)
{
	struct seen *seen = data;

	if (seen->n == 4)
		return -EINVAL;
	snprintf(seen->names[seen->n++], VM_NAME_SIZE, "%s", name);
	return 0;
}

static void write_record(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/found", run);
	assert_int_equal(file_make_dirs(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/%s", run, name);
	assert_int_equal(file_replace_at(AT_FDCWD, path, text), 0);
}

static void test_each_record_is_told(void **state)
{
	struct found_vm found = make_vm("db prod");
	struct seen seen = {};

	(void)state;
	assert_int_equal(found_vm_for_each(run, note, &seen), 0);
	assert_int_equal(seen.n, 0);
	expect_ok(found_vm_write(run, &found, &problem));
	write_record("found/web1.json.new", "what a killed run left");
	write_record("found/.json", "no name");
	assert_int_equal(found_vm_for_each(run, note, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.names[0], "db prod");
	seen.n = 4;
	assert_int_equal(found_vm_for_each(run, note, &seen), -EINVAL);
	found_vm_deinit(&found);
}

/* Cut anywhere, it is no record; nothing is half read. */
static void test_a_truncated_record(void **state)
{
	struct found_vm written = make_vm("web1"), found;
	cleanup_free char *text = NULL;
	char path[128];
	size_t size;

	(void)state;
	cpuset_and(&written.threads[1].affinity, &written.threads[0].affinity);
	expect_ok(found_vm_write(run, &written, &problem));
	snprintf(path, sizeof(path), "%s/found/web1.json", run);
	assert_int_equal(file_read_all_at(AT_FDCWD, path, 1 << 20, &text), 0);
	size = strlen(text);
	while (size--) {
		FILE *file = must(fopen(path, "w"));

		assert_int_equal(fwrite(text, 1, size, file), size);
		fclose(file);
		assert_int_equal(found_vm_read(run, "web1", &found, &problem), -EINVAL);
		assert_non_null(strstr(problem.text, "web1"));
	}
	assert_int_equal(found_vm_drop(run, "web1", &problem), 0);
	found_vm_deinit(&written);
}

#define THREAD "{\"pid\":100,\"tid\":100,\"start_time\":7,\"affinity\":\"0-3\"}"
#define VM_RECORD(more) "{\"schema\":\"cpuwarden.found/1\"," more "}"
#define IDENTITY "\"pid\":100,\"start_time\":7,"

static void expect_damaged(const char *text, const char *expected)
{
	struct found_vm found;

	write_record("found/web1.json", text);
	memset(&problem, 0, sizeof(problem));
	if (found_vm_read(run, "web1", &found, &problem) != -EINVAL)
		fail_msg("taken for a record: %s", text);
	if (expected)
		assert_string_equal(problem.text, expected);
	else
		assert_non_null(strstr(problem.text, "is not a record of the form"));
}

static void test_damaged_records_of_a_vm(void **state)
{
	static const char damaged[] = "the record of VM web1 is damaged";
	struct found_vm found;

	(void)state;
	write_record("found/web1.json", VM_RECORD(IDENTITY "\"threads\":[" THREAD "]"));
	expect_ok(found_vm_read(run, "web1", &found, &problem));
	assert_null(found.threads[0].cgroup);
	found_vm_deinit(&found);
	expect_damaged("", NULL);
	expect_damaged("\n", NULL);
	expect_damaged("null", NULL);
	expect_damaged("[]", NULL);
	expect_damaged("{}", NULL);
	expect_damaged("{\"schema\":17}", NULL);
	expect_damaged("{\"schema\":\"cpuwarden.found/2\"}", NULL);
	expect_damaged("{\"schema\":\"cpuwarden.found-host/1\"}", NULL);
	expect_damaged(VM_RECORD("\"pid\":100"), "the record of VM web1 is incomplete");
	expect_damaged(
		VM_RECORD("\"start_time\":7"), "the record of VM web1 is incomplete");
	expect_damaged(VM_RECORD("\"pid\":100,\"start_time\":7"), damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":{}"), damaged);
	/* The main thread's is what younger threads get: without it there is no record.
	 */
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[]"), damaged);
	expect_damaged(VM_RECORD("\"pid\":99,\"start_time\":7,\"threads\":[" THREAD "]"),
		damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[" THREAD ",{}]"), damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[" THREAD ",17]"), damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[" THREAD ",null]"), damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[{\"pid\":100,\"tid\":100,"
					  "\"start_time\":7,\"affinity\":\"3-1\"}]"),
		damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[{\"pid\":100,\"tid\":-1,"
					  "\"start_time\":7,\"affinity\":\"0\"}]"),
		damaged);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[{\"pid\":0,\"tid\":100,"
					  "\"start_time\":7,\"affinity\":\"0\"}]"),
		damaged);
}

/* JSON's null is there, and is no string. */
static void test_nulls_where_strings_belong(void **state)
{
	static const char damaged[] = "the record of VM web1 is damaged";

	(void)state;
	expect_damaged("{\"schema\":null}", NULL);
	expect_damaged(VM_RECORD(IDENTITY "\"threads\":[{\"pid\":100,\"tid\":100,"
					  "\"start_time\":7,\"affinity\":null}]"),
		damaged);
	expect_damaged(VM_RECORD(IDENTITY
			       "\"threads\":[{\"pid\":100,\"tid\":100,\"start_time\":7,"
			       "\"affinity\":\"0\",\"cgroup\":null}]"),
		damaged);
}

static void test_damaged_records_of_the_host(void **state)
{
	static const char *const texts[] = {
		"{\"schema\":\"cpuwarden.found-host/1\"}",
		"{\"schema\":\"cpuwarden.found-host/1\",\"cpuset_given\":true}",
		"{\"schema\":\"cpuwarden.found-host/1\",\"bound\":[]}",
		"{\"schema\":\"cpuwarden.found-host/1\",\"cpuset_given\":true,\"bound\":[{}]}",
		("{\"schema\":\"cpuwarden.found-host/1\",\"cpuset_given\":true,\"bound\":[],"
		 "\"workqueues\":\"x\"}"),
	};
	struct found_host found;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		write_record("found.json", texts[i]);
		assert_int_equal(found_host_read(run, &found, &problem), -EINVAL);
		assert_string_equal(problem.text, "the record of the host is damaged");
	}
	write_record("found.json", "{");
	assert_int_equal(found_host_read(run, &found, &problem), -EINVAL);
	assert_non_null(strstr(
		problem.text, "is not a record of the form cpuwarden.found-host/1"));
}

static int count(const char *name, void *data)
{
	size_t *n = data;

	(void)name;
	++*n;
	return 0;
}

static void test_a_folder_that_cannot_be_written(void **state)
{
	struct found_vm found = make_vm("web1");
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/found", run);
	assert_int_equal(file_replace_at(AT_FDCWD, path, "a file"), 0);
	assert_true(found_vm_write(run, &found, &problem) < 0);
	assert_non_null(strstr(problem.text, "cannot write"));
	assert_true(found_vm_drop(run, "web1", &problem) < 0);
	assert_non_null(strstr(problem.text, "cannot remove"));
	found_vm_deinit(&found);
}

/* What cannot be read is not taken for what is not there, nor for a damaged one. */
static void test_a_record_that_cannot_be_read(void **state)
{
	struct found_vm found = make_vm("web1"), read;
	struct rlimit limit, none;
	size_t seen = 0;

	(void)state;
	expect_ok(found_vm_write(run, &found, &problem));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(found_vm_read(run, "web1", &read, &problem), -EMFILE);
	assert_int_equal(found_vm_for_each(run, count, &seen), -EMFILE);
	assert_int_equal(found_host_exists(run), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_false(found_is_none(-EMFILE));
	assert_int_equal(found_host_exists(run), 0);
	expect_ok(found_vm_for_each(run, count, &seen));
	assert_int_equal(seen, 1);
	expect_ok(found_vm_read(run, "web1", &read, &problem));
	found_vm_deinit(&read);
	found_vm_deinit(&found);
	assert_int_equal(found_vm_drop(run, "web1", &problem), 0);
}

#define found_test(f) cmocka_unit_test_setup(f, enter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		found_test(test_a_vms_record_comes_back_as_it_was),
		found_test(test_the_longest_name),
		found_test(test_a_record_is_for_root_only_and_replaces_the_one_before),
		found_test(test_the_hosts_record_comes_back_as_it_was),
		found_test(test_there_is_none),
		found_test(test_the_folder_goes_with_the_last_record),
		found_test(test_each_record_is_told),
		found_test(test_a_truncated_record),
		found_test(test_damaged_records_of_a_vm),
		found_test(test_nulls_where_strings_belong),
		found_test(test_damaged_records_of_the_host),
		found_test(test_a_record_that_cannot_be_read),
		found_test(test_a_folder_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
