// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of VMs in libvirt's groups: what those were like, and what was claimed. */
#include "tests/unit/libvirt_host.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "user/base/file.h"
#include "user/store/found.h"

#include "tests/unit/one_host.h"

#define WEB1 TOP("web1")

static struct problem problem;

static int enter(void **state)
{
	(void)state;
	memset(&problem, 0, sizeof(problem));
	host_init(&host, "0-7", "0");
	add_domain(&host, "web1", 2, 0);
	return 0;
}

static struct found_vm *make_record(void)
{
	struct found_vm *record = record_of(&host, "web1");

	put_found(record, MACHINE, false, "0-7")->exclusive = cpus("1,3");
	put_found(record, SCOPE("web1"), false, "");
	put_found(record, WEB1, false, "");
	put_found(record, WEB1 "/emulator", true, "0-3");
	put_written(record, WEB1 "/vcpu0", "", "4");
	put_written(record, WEB1 "/vcpu1", "6", "");
	found_vm_group(record, WEB1 "/vcpu0")->partition = PARTITION_ROOT;
	found_vm_group(record, WEB1 "/vcpu1")->partition = PARTITION_ISOLATED;
	record->claimed = cpus("4-5");
	return record;
}

static void test_groups_come_back_as_they_were(void **state)
{
	struct found_vm *written = make_record(), found;

	(void)state;
	assert_int_equal(found_vm_write(scratch, written, &problem), 0);
	assert_int_equal(found_vm_read(scratch, "web1", &found, &problem), 0);
	assert_int_equal(found.n_groups, 6);
	for (size_t i = 0; i < found.n_groups; i++) {
		const struct found_group *a = &found.groups[i], *b = &written->groups[i];

		assert_string_equal(a->path, b->path);
		assert_int_equal(a->leaf, b->leaf);
		assert_int_equal(a->partition, b->partition);
		assert_true(cpuset_equal(&a->cpus, &b->cpus));
		assert_true(cpuset_equal(&a->exclusive, &b->exclusive));
		assert_int_equal(a->set, b->set);
		assert_true(cpuset_equal(&a->written, &b->written));
	}
	expect_cpus(&found.claimed, "4-5");
	assert_string_equal(found_vm_top(&found), WEB1);
	found_vm_deinit(&found);
}

/* A VM of ours has none, and what it claims nobody asks. */
static void test_a_record_without_groups(void **state)
{
	struct found_vm *written = record_of(&host, "web1"), found;

	(void)state;
	written->claimed = cpus("4");
	assert_int_equal(found_vm_write(scratch, written, &problem), 0);
	assert_int_equal(found_vm_read(scratch, "web1", &found, &problem), 0);
	assert_int_equal(found.n_groups, 0);
	expect_cpus(&found.claimed, "");
	assert_null(found_vm_top(&found));
	found_vm_deinit(&found);
}

static void test_the_top_is_the_last_that_is_no_leaf(void **state)
{
	struct found_vm *record = record_of(&host, "web1");

	(void)state;
	assert_null(found_vm_top(record));
	put_found(record, MACHINE, false, "");
	put_found(record, MACHINE "/web1", false, "");
	put_found(record, MACHINE "/web1/vcpu0", true, "");
	assert_string_equal(found_vm_top(record), MACHINE "/web1");
	assert_ptr_equal(
		found_vm_group(record, MACHINE "/web1/vcpu0"), &record->groups[2]);
	assert_null(found_vm_group(record, MACHINE "/web1/vcpu"));
}

static void test_a_record_by_name(void **state)
{
	(void)state;
	add_domain(&host, "web2", 1, 0);
	record_of(&host, "web2");
	assert_ptr_equal(found_vm_find(host.records, host.n_records, "web2"),
		&host.records[host.n_records - 1]);
	assert_null(found_vm_find(host.records, host.n_records, "web"));
}

#define RECORD(more)                                                                   \
	"{\"schema\":\"cpuwarden.found/1\",\"pid\":100,\"start_time\":7,\"threads\":[" \
	"{\"pid\":100,\"tid\":100,\"start_time\":7,\"affinity\":\"0-3\"}]," more "}"
#define CLAIMED "\"claimed\":\"4\""
#define GROUP(partition, cpus, exclusive, more)                                      \
	"{\"path\":\"a/b\",\"leaf\":true,\"partition\":" partition ",\"cpus\":" cpus \
	",\"exclusive\":" exclusive more "}"
#define GROUPS(group) RECORD("\"groups\":[" group "]," CLAIMED)

static int read_text(const char *text, struct found_vm *ret_found)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/found", scratch);
	assert_int_equal(file_make_dirs(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/found/web1.json", scratch);
	assert_int_equal(file_replace_at(AT_FDCWD, path, text), 0);
	return found_vm_read(scratch, "web1", ret_found, &problem);
}

static void test_damaged_groups(void **state)
{
	static const char *const damaged[] = {
		RECORD("\"groups\":[]"),
		RECORD("\"groups\":[],\"claimed\":null"),
		RECORD("\"groups\":[],\"claimed\":4"),
		RECORD("\"groups\":[],\"claimed\":\"4-\""),
		RECORD("\"groups\":{}," CLAIMED),
		RECORD("\"groups\":null," CLAIMED),
		GROUPS("17"),
		GROUPS("null"),
		GROUPS("{}"),
		GROUPS("{\"path\":\"a\",\"leaf\":true,\"partition\":\"member\",\"cpus\":\"\"}"),
		GROUPS("{\"path\":null,\"leaf\":true,\"partition\":\"member\",\"cpus\":\"\","
		       "\"exclusive\":\"\"}"),
		GROUPS("{\"path\":\"a\",\"partition\":\"member\",\"cpus\":\"\","
		       "\"exclusive\":\"\"}"),
		GROUPS(GROUP("\"exclusive\"", "\"\"", "\"\"", "")),
		GROUPS(GROUP("\"\"", "\"\"", "\"\"", "")),
		GROUPS(GROUP("null", "\"\"", "\"\"", "")),
		GROUPS(GROUP("1", "\"\"", "\"\"", "")),
		GROUPS(GROUP("\"member\"", "\"3-1\"", "\"\"", "")),
		GROUPS(GROUP("\"member\"", "7", "\"\"", "")),
		GROUPS(GROUP("\"member\"", "\"\"", "\"x\"", "")),
		GROUPS(GROUP("\"member\"", "\"\"", "null", "")),
		GROUPS(GROUP("\"member\"", "\"\"", "\"\"", ",\"written\":\"all\"")),
		GROUPS(GROUP("\"member\"", "\"\"", "\"\"", ",\"written\":null")),
		GROUPS(GROUP("\"member\"", "\"\"", "\"\"", ",\"written\":\"5\"")),
		GROUPS(GROUP("\"member\"", "\"\"", "\"\"", "") ",{}"),
	};
	struct found_vm found;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(damaged); i++) {
		memset(&problem, 0, sizeof(problem));
		if (read_text(damaged[i], &found) != -EINVAL)
			fail_msg("taken for a record: %s", damaged[i]);
		assert_string_equal(problem.text, "the record of VM web1 is damaged");
	}
}

static void test_groups_that_are_whole(void **state)
{
	struct found_vm found;

	(void)state;
	assert_int_equal(read_text(RECORD("\"groups\":[]," CLAIMED), &found), 0);
	expect_cpus(&found.claimed, "4");
	found_vm_deinit(&found);
	assert_int_equal(read_text(GROUPS(GROUP("\"root\"", "\"1-2\"", "\"3\"",
					   "") "," GROUP("\"isolated\"", "\"\"", "\"\"",
					   ",\"written\":\"5\",\"earlier\":\"6\"")),
				 &found),
		0);
	assert_int_equal(found.n_groups, 2);
	assert_string_equal(found.groups[0].path, "a/b");
	assert_true(found.groups[0].leaf);
	assert_int_equal(found.groups[0].partition, PARTITION_ROOT);
	expect_cpus(&found.groups[0].cpus, "1-2");
	expect_cpus(&found.groups[0].exclusive, "3");
	assert_false(found.groups[0].set);
	assert_int_equal(found.groups[1].partition, PARTITION_ISOLATED);
	assert_true(found.groups[1].set);
	expect_cpus(&found.groups[1].written, "5");
	expect_cpus(&found.groups[1].earlier, "6");
	assert_true(found_group_wrote(&found.groups[1], &found.groups[1].earlier));
	assert_false(found_group_wrote(&found.groups[0], &found.groups[0].cpus));
	found_vm_deinit(&found);
}

#define groups_test(f) cmocka_unit_test_setup_teardown(f, enter, leave_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		groups_test(test_groups_come_back_as_they_were),
		groups_test(test_a_record_without_groups),
		groups_test(test_the_top_is_the_last_that_is_no_leaf),
		groups_test(test_a_record_by_name),
		groups_test(test_damaged_groups),
		groups_test(test_groups_that_are_whole),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
