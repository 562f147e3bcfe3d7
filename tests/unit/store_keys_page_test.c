// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuwarden.conf(5) has the sections and keys that the reader takes, no more and no
 * fewer, and the defaults that hold. The reader's are read from what it says of a section
 * and a key that it does not know, so that there is no other list of them.
 */
#include <limits.h>

#include "tests/unit/config_dir.h"

#define PAGE "docs/man/cpuwarden.conf.5.scd"

enum { KEYS_MAX = 128, KEY_MAX = 96 };

/* Of a page or of the reader: `[SECTION] KEY`. */
struct keys {
	char items[KEYS_MAX][KEY_MAX];
	size_t n;
};

static char start[PATH_MAX]; /* the folder of the sources */

static void add_key(struct keys *keys, const char *section, const char *key)
{
	assert_true(keys->n < KEYS_MAX);
	assert_true(snprintf(keys->items[keys->n], KEY_MAX, "[%s] %s", section, key) <
		    KEY_MAX);
	keys->n++;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* What the reader says is allowed where that text is the file. The caller frees. */
static char *allowed(const char *path, const char *text)
{
	static const char head[] = ": allowed are ";
	const char *names;

	write_file(path, text);
	assert_int_not_equal(read_config(), 0);
	assert_int_equal(unlink(path), 0);
	names = strstr(problem.text, head);
	if (!names)
		fail_msg("%s", problem.text);
	return strdup(names + strlen(head));
}

static void ask_reader(const char *path, struct keys *keys)
{
	cleanup_free char *sections = allowed(path, "[?]\n");
	char *rest = sections, *section;

	while ((section = strsep(&rest, ","))) {
		cleanup_free char *names = NULL;
		char text[128], *more, *key;

		section += *section == ' ';
		snprintf(text, sizeof(text), "[%s]\n? = 1\n", section);
		names = more = allowed(path, text);
		while ((key = strsep(&more, ",")))
			add_key(keys, section, key + (*key == ' '));
	}
}

/* A key's line is `*KEY* = ...`, or `_WHICH NUMBERS_ = ...`. */
static char *key_of(char *line)
{
	char *end = *line == '*' || *line == '_' ? strchr(line + 1, *line) : NULL;

	if (!end || strncmp(end + 1, " = ", 3))
		return NULL;
	*end = '\0';
	return line + 1;
}

/* A line that is the default of the key before it: `<tab>Default: *VALUE*`. */
static char *default_of(char *line)
{
	static const char head[] = "\tDefault: *";
	char *end = strncmp(line, head, strlen(head)) ? NULL
						      : strchr(line + strlen(head), '*');

	if (!end)
		return NULL;
	*end = '\0';
	return line + strlen(head);
}

/* The key is of each section of a head: `[defaults], [vm]`. */
static void add_to_each(struct keys *keys, const char *sections, const char *key)
{
	while ((sections = strchr(sections, '[')) && sections++) {
		char section[64];

		snprintf(section, sizeof(section), "%.*s", (int)strcspn(sections, "]"),
			sections);
		add_key(keys, section, key);
	}
}

/* Sections stand in heads, `## [host]`, or several that have the same keys. What defaults
 * the page gives is written as a file of the host, with the first section of a head. */
static size_t read_page(struct keys *keys, FILE *defaults)
{
	char path[PATH_MAX + 32], line[512], sections[512] = "", key[512] = "";
	cleanup_fclose FILE *page = NULL;
	size_t n_defaults = 0;
	bool begun = false;

	snprintf(path, sizeof(path), "%s/" PAGE, start);
	page = fopen(path, "r");
	assert_non_null(page);
	while (fgets(line, sizeof(line), page)) {
		char *found;

		if (*line == '#') {
			strcpy(sections, strncmp(line, "## [", 4) ? "" : line + 3);
			begun = false;
		} else if ((found = default_of(line))) {
			if (!begun)
				fprintf(defaults, "%.*s\n",
					(int)strcspn(sections, "]") + 1, sections);
			begun = true;
			fprintf(defaults, "%s = %s\n", key, found);
			n_defaults++;
		} else if ((found = key_of(line))) {
			strcpy(key, found);
			add_to_each(keys, sections, key);
		}
	}
	return n_defaults;
}

/* Those of `some` that `others` lacks. */
static size_t tell_missing(
	const struct keys *some, const struct keys *others, const char *sentence)
{
	size_t n = 0;

	for (size_t i = 0; i < some->n; i++)
		if (!bsearch(
			    some->items[i], others->items, others->n, KEY_MAX, compare)) {
			print_error("%s: %s\n", sentence, some->items[i]);
			n++;
		}
	return n;
}

static void test_the_page_has_each_key_and_no_other(void **state)
{
	struct keys reader = {.n = 0}, page = {.n = 0};
	cleanup_fclose FILE *ignored = fopen("/dev/null", "w");

	(void)state;
	ask_reader(HOST, &reader);
	ask_reader(VM_RUN, &reader);
	read_page(&page, ignored);
	assert_true(reader.n > 40);
	qsort(reader.items, reader.n, KEY_MAX, compare);
	qsort(page.items, page.n, KEY_MAX, compare);
	assert_int_equal(tell_missing(&reader, &page, PAGE " lacks a key") +
				 tell_missing(&page, &reader, PAGE " has no such key"),
		0);
	assert_int_equal(reader.n, page.n);
}

static void test_the_defaults_of_the_page_hold(void **state)
{
	struct keys keys = {.n = 0};
	struct vm_class class, usual;
	struct config without;
	FILE *file = fopen(HOST, "w");

	(void)state;
	assert_non_null(file);
	assert_true(read_page(&keys, file) > 10);
	assert_int_equal(fclose(file), 0);
	expect_ok();
	config_init(&without);
	assert_memory_equal(
		&config.defaults, &without.defaults, sizeof(without.defaults));
	assert_string_equal(config.listen, without.listen);
	assert_int_equal(config.measure_interrupts, without.measure_interrupts);
	assert_int_equal(config.drift_off, without.drift_off);
	class = config_class(&config, "NAME");
	usual = config_class(&without, "NAME");
	assert_int_equal(config.n_classes, 1);
	assert_int_equal(class.overcommit, usual.overcommit);
	config_deinit(&without);
}

/* Of the host, unless they begin with what only a VM's file has. */
static void test_the_examples_of_the_page_are_taken(void **state)
{
	char path[PATH_MAX + 32], line[512], text[4096] = "";
	cleanup_fclose FILE *page = NULL;
	bool inside = false;
	size_t n = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/" PAGE, start);
	page = fopen(path, "r");
	assert_non_null(page);
	while (fgets(line, sizeof(line), page)) {
		if (strcmp(line, "```\n")) {
			if (inside && strlen(text) + strlen(line) < sizeof(text))
				strcat(text, line);
			continue;
		}
		inside = !inside;
		if (!inside) {
			write_file(strncmp(text, "[vm]", 4) ? HOST : VM, text);
			expect_ok();
			n++;
		}
		*text = '\0';
	}
	assert_int_equal(n, 3);
	assert_int_equal(config.n_patterns, 2);
	assert_int_equal(config.n_vms, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		config_test(test_the_page_has_each_key_and_no_other),
		config_test(test_the_defaults_of_the_page_hold),
		config_test(test_the_examples_of_the_page_are_taken),
	};

	if (!getcwd(start, sizeof(start)))
		return 1;
	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
