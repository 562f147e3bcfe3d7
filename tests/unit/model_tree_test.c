// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/build_host.h"

static void test_below_is_by_whole_names(void **state)
{
	static const struct {
		const char *path, *above;
		bool below;
	} cases[] = {
		{"a/b", "a", true},
		{"a/b/c", "a", true},
		{"a/b/c", "a/b", true},
		{"a", "a", false},
		{"ab", "a", false},
		{"ab/c", "a", false},
		{"a", "a/b", false},
		{"a", "", true},
		{"a/b", "", true},
		{"", "", false},
		{"", "a", false},
		{"a/web10", "a/web1", false},
		{"a/web1/vcpu0", "a/web1", true},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (path_is_below(cases[i].path, cases[i].above) != cases[i].below)
			fail_msg("%s below %s", cases[i].path, cases[i].above);
}

static void test_inside_is_the_group_itself_too(void **state)
{
	(void)state;
	assert_true(path_is_inside("a/b", "a/b"));
	assert_true(path_is_inside("a/b/c", "a/b"));
	assert_false(path_is_inside("a/bc", "a/b"));
	assert_false(path_is_inside("a", "a/b"));
	assert_true(path_is_inside("a", ""));
	assert_true(path_is_inside("", ""));
}

static void test_up_to_below_the_root(void **state)
{
	char path[] = "a/b.c/d";

	(void)state;
	assert_true(path_to_parent(path));
	assert_string_equal(path, "a/b.c");
	assert_true(path_to_parent(path));
	assert_string_equal(path, "a");
	assert_false(path_to_parent(path));
	assert_string_equal(path, "a");
}

static void test_groups_are_found_after_a_sort_and_parents_come_first(void **state)
{
	static const char *const paths[] = {
		"s/b/v1", "s/b-x", "s/b", "s", "s/b/v0", "s/a"};
	struct tree tree = {};

	(void)state;
	assert_null(tree_find(&tree, "s"));
	tree_sort(&tree);
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		assert_non_null(tree_add(&tree, paths[i]));
	tree_sort(&tree);
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		assert_string_equal(tree_find(&tree, paths[i])->path, paths[i]);
	assert_null(tree_find(&tree, "s/b/v"));
	assert_null(tree_find(&tree, ""));
	for (size_t i = 0; i < tree.n_groups; i++)
		for (size_t j = 0; j < i; j++)
			assert_false(path_is_below(
				tree.groups[j]->path, tree.groups[i]->path));
	tree_deinit(&tree);
	assert_int_equal(tree.n_groups, 0);
}

static void expect_below(const struct tree *tree, const char *path, const char *expected)
{
	struct group_range below = tree_below(tree, path);
	char text[128] = "";

	for (size_t i = below.first; i < below.end; i++) {
		strcat(text, tree->groups[i]->path);
		strcat(text, " ");
	}
	assert_string_equal(text, expected);
}

static void test_groups_are_removed_with_what_is_below(void **state)
{
	static const char *const paths[] = {
		"s/b/v1", "s/b-x", "s/b", "s/b0", "s", "s/b/v0", "s/a", "s/b-x/v"};
	struct tree tree = {};

	(void)state;
	tree_remove_inside(&tree, "s");
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		assert_non_null(tree_add(&tree, paths[i]));
	tree_sort(&tree);
	tree_remove(&tree, "s/b/v");
	tree_remove_inside(&tree, "s/c");
	assert_int_equal(tree.n_groups, N_ELEMENTS(paths));
	tree_remove_inside(&tree, "s/b");
	expect_below(&tree, "", "s s/a s/b-x s/b-x/v s/b0 ");
	tree_remove(&tree, "s/b-x");
	expect_below(&tree, "", "s s/a s/b-x/v s/b0 ");
	tree_remove_inside(&tree, "s");
	assert_int_equal(tree.n_groups, 0);
	tree_deinit(&tree);
}

static void test_what_is_below_a_path_is_one_after_another(void **state)
{
	static const char *const paths[] = {"s/b/v1", "s/b-x", "s/b", "s/b0", "s",
		"s/b/v0", "s/a", "s/b-x/v", "t/b/v"};
	struct tree tree = {};

	(void)state;
	expect_below(&tree, "s", "");
	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		assert_non_null(tree_add(&tree, paths[i]));
	tree_sort(&tree);
	expect_below(&tree, "s/b", "s/b/v0 s/b/v1 ");
	expect_below(&tree, "s/b-x", "s/b-x/v ");
	expect_below(&tree, "s", "s/a s/b s/b-x s/b-x/v s/b/v0 s/b/v1 s/b0 ");
	expect_below(&tree, "s/a", "");
	expect_below(&tree, "t", "t/b/v ");
	expect_below(&tree, "u", "");
	assert_int_equal(tree_below(&tree, "").end, N_ELEMENTS(paths));
	assert_non_null(tree_find_within(&tree, tree_below(&tree, "s/b"), "s/b/v1"));
	assert_null(tree_find_within(&tree, tree_below(&tree, "s/b"), "s/a"));
	tree_deinit(&tree);
}

static void test_what_is_added_goes_where_it_belongs(void **state)
{
	static const char *const paths[] = {"c", "e", "a", "b/x", "b", "d", "f"};
	struct tree tree = {};
	struct group *first;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
		size_t n = tree.n_groups;

		assert_non_null(tree_add(&tree, paths[i]));
		/* Some alone, some together. */
		if (i % 3 == 0)
			continue;
		assert_int_equal(
			tree_merge(&tree, i % 3 == 1 ? n - 1 : tree.n_groups - 1), 0);
	}
	assert_int_equal(tree_merge(&tree, tree.n_groups - 1), 0);
	expect_below(&tree, "", "a b b/x c d e f ");
	first = tree_find(&tree, "b");
	tree_remove(&tree, "a");
	tree_remove(&tree, "nowhere");
	expect_below(&tree, "", "b b/x c d e f ");
	assert_ptr_equal(tree_find(&tree, "b"), first);
	tree_deinit(&tree);
}

static void test_a_partition_state_is_told_as_the_kernel_does(void **state)
{
	struct partition_state partition = {.kind = PARTITION_ISOLATED, .valid = true};
	char text[64];

	(void)state;
	partition_state_format(&partition, text, sizeof(text));
	assert_string_equal(text, "isolated");
	partition.valid = false;
	partition_state_format(&partition, text, sizeof(text));
	assert_string_equal(text, "isolated invalid");
	partition.kind = PARTITION_ROOT;
	snprintf(partition.reason, sizeof(partition.reason),
		"Parent is not a partition root");
	partition_state_format(&partition, text, sizeof(text));
	assert_string_equal(text, "root invalid (Parent is not a partition root)");
	partition_state_format(&partition, text, 8);
	assert_string_equal(text, "root in");
}

static void test_only_a_valid_partition_holds(void **state)
{
	static const enum partition kinds[] = {
		PARTITION_MEMBER, PARTITION_ROOT, PARTITION_ISOLATED};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		struct partition_state now = {.kind = kinds[i], .valid = true};

		assert_int_equal(partition_holds(&now), kinds[i] != PARTITION_MEMBER);
		now.valid = false;
		assert_false(partition_holds(&now));
	}
}

static void expect_partition(const struct tree *tree, unsigned int cpu, const char *path)
{
	const struct group *group = tree_partition_of(tree, cpu);

	if (!path)
		assert_null(group);
	else
		assert_string_equal(group ? group->path : "nobody's", path);
}

static void test_a_cpus_partition_is_the_innermost(void **state)
{
	struct host host;

	(void)state;
	host_init(&host, "0-15", "0");
	expect_partition(&host.tree, 1, NULL);
	add_group(&host, "s", "1-9", PARTITION_ROOT);
	add_group(&host, "s/a", "2-5", PARTITION_ROOT);
	add_group(&host, "s/a/emulator", "2-3", PARTITION_MEMBER);
	add_group(&host, "s/a/vcpu0", "4", PARTITION_ISOLATED);
	add_group(&host, "s/a/vcpu1", "5", PARTITION_ISOLATED)->partition.valid = false;
	/* Two that want the same: who comes last, and who comes first. */
	add_group(&host, "t/a", "10", PARTITION_ROOT)->partition.valid = false;
	add_group(&host, "t/b", "10-11", PARTITION_ROOT);
	add_group(&host, "t/c", "11", PARTITION_ROOT)->partition.valid = false;
	expect_partition(&host.tree, 0, NULL);
	expect_partition(&host.tree, 1, "s");
	expect_partition(&host.tree, 2, "s/a");
	expect_partition(&host.tree, 4, "s/a/vcpu0");
	expect_partition(&host.tree, 5, "s/a/vcpu1");
	expect_partition(&host.tree, 9, "s");
	expect_partition(&host.tree, 10, "t/b");
	expect_partition(&host.tree, 11, "t/b");
	host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below_is_by_whole_names),
		cmocka_unit_test(test_inside_is_the_group_itself_too),
		cmocka_unit_test(test_up_to_below_the_root),
		cmocka_unit_test(
			test_groups_are_found_after_a_sort_and_parents_come_first),
		cmocka_unit_test(test_only_a_valid_partition_holds),
		cmocka_unit_test(test_groups_are_removed_with_what_is_below),
		cmocka_unit_test(test_what_is_below_a_path_is_one_after_another),
		cmocka_unit_test(test_what_is_added_goes_where_it_belongs),
		cmocka_unit_test(test_a_partition_state_is_told_as_the_kernel_does),
		cmocka_unit_test(test_a_cpus_partition_is_the_innermost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
