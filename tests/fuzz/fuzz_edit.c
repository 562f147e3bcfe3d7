// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The input's first byte says which key of which section is set to what, or taken away;
 * the rest is the text, or chooses the pieces that make it. The reader must find in the
 * result exactly what was in the text, with that one entry changed, and each comment must
 * be there, in the old order.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/store/edit.h"
#include "user/store/inifile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* What a text says, as lines `[SECTION] KEY = VALUE`. */
struct said {
	const struct edit *edit;
	bool without; /* the entry that is edited */
	unsigned int n_found;
	char *text;
	FILE *to;
};

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static bool is_edited(const struct edit *edit, const char *section, const char *key)
{
	if (strcmp(section, edit->section))
		return false;
	if (is_number(key) && is_number(edit->key))
		key += strspn(key, "0") - (!key[strspn(key, "0")] && *key);
	return !strcmp(key, edit->key);
}

static int take_entry(void *user, unsigned int line, const char *section, const char *key,
	const char *value, struct problem *problem)
{
	struct said *said = user;

	(void)line;
	(void)problem;
	if (is_edited(said->edit, section, key)) {
		said->n_found++;
		if (said->edit->value && !said->without)
			require(!strcmp(value, said->edit->value));
		return 0;
	}
	fprintf(said->to, "[%s] %s = %s\n", section, key, value);
	return 0;
}

/* The comments, found in another way than the editor does: from each line's end. */
static void take_comments(FILE *to, const char *text, size_t size)
{
	static const char spaces[] = " \t\r\v\f";
	const char *end = text + size;

	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end, *comment = NULL;
		const char *first = text;

		while (first < stop && strchr(spaces, *first))
			first++;
		for (const char *p = stop; p-- > first;)
			if (*p == ';' && (p == first || strchr(spaces, p[-1])))
				comment = p;
		if (first < stop && *first == '#')
			comment = first;
		/* A last line may have got a newline, as other lines have theirs. */
		while (stop > first && strchr(spaces, stop[-1]))
			stop--;
		if (comment)
			fprintf(to, "%.*s\n", (int)(stop - comment), comment);
		text = newline ? newline + 1 : end;
	}
}

static int read_all(struct said *said, const char *text, size_t size)
{
	static const struct inifile_ops ops = {.entry = take_entry};
	size_t length;
	int r;

	said->to = open_memstream(&said->text, &length);
	require(said->to);
	r = inifile_parse("fuzz", text, size, &ops, said, NULL);
	if (!r)
		take_comments(said->to, text, size);
	fclose(said->to);
	return r;
}

/* Chance alone hardly ever makes a line that the reader takes. */
static char *compose(const uint8_t *data, size_t size, size_t *ret_size)
{
	static const char *const pieces[] = {"[vcpupin]\n", "[vm]\n", "[a]\n", "0 = 4\n",
		"1=5\n", "cpus = all\n", "b =\n", "01 = 2-3\n", "\n", "# x\n", "; y\n",
		"  ", "\t; z\n", "\r\n", "[vcpupin]", "[vm] ; v\n", "0=", "1 = 7 ; w\n",
		"cpus = 1\t", "\xef\xbb\xbf"};
	char *text;
	FILE *to = open_memstream(&text, ret_size);

	require(to);
	for (size_t i = 0; i < size; i++)
		fputs(pieces[data[i] % (sizeof(pieces) / sizeof(*pieces))], to);
	fclose(to);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const sections[] = {"vm", "vcpupin", "a"};
	static const char *const keys[] = {"0", "1", "cpus", "b"};
	static const char *const values[] = {NULL, "2-3", "none", "0"};
	struct said before = {.without = true}, after = {};
	cleanup_free char *result = NULL, *composed = NULL;
	struct problem problem = {""};
	struct edit edit;
	const char *text;
	size_t result_size;
	int r;

	if (!size)
		return 0;
	edit.section = sections[(data[0] & 7) % 3];
	edit.key = keys[data[0] >> 4 & 3];
	edit.value = values[data[0] >> 6];
	before.edit = after.edit = &edit;
	text = (const char *)data + 1;
	size--;
	if (data[0] & 8)
		text = composed = compose(data + 1, size, &size);
	r = edit_text("fuzz", text, size, &edit, &result, &result_size, &problem);
	require(!r == !*problem.text);
	if (read_all(&before, text, size) || before.n_found > 1) {
		require(r);
	} else if (!r) {
		require(!read_all(&after, result, result_size));
		require(after.n_found == !!edit.value);
		require(!strcmp(before.text, after.text));
		/* A second time it changes nothing. */
		free(take_ptr(after.text));
		text = result;
		result = NULL;
		require(!edit_text(
			"fuzz", text, result_size, &edit, &result, &size, &problem));
		require(size == result_size && !memcmp(text, result, size));
		free((char *)text);
	}
	free(before.text);
	free(after.text);
	return 0;
}
