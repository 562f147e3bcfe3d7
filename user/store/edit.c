// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text is first read by the reader itself, so that what is scanned here is known to
 * be right: a line that is not blank and no comment is a section or has a key and '='.
 * The change is a few bytes put in the place of others; the result is read once more.
 */
#include "user/store/edit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/store/inifile.h"

enum line_kind { LINE_BLANK, LINE_COMMENT, LINE_SECTION, LINE_KEY };

struct span {
	const char *from, *to;
};

struct line {
	enum line_kind kind;
	struct span all;   /* with its newline, without a byte order mark */
	struct span name;  /* of a section or key */
	struct span value; /* empty: right after the '=' */
	struct span comment;
	struct span section; /* the name of the one it is in */
};

struct lines {
	struct line *items;
	size_t n;
};

static void lines_deinit(struct lines *lines)
{
	free(lines->items);
}

static bool is_space(char c)
{
	return c && strchr(INIFILE_SPACES, c);
}

static struct span strip(struct span span)
{
	while (span.from < span.to && is_space(*span.from))
		span.from++;
	while (span.from < span.to && is_space(span.to[-1]))
		span.to--;
	return span;
}

static bool span_is(struct span span, const char *text)
{
	size_t len = (size_t)(span.to - span.from);

	return len == strlen(text) && !memcmp(span.from, text, len);
}

static void scan_line(struct line *line)
{
	struct span rest = line->all;
	const char *p;

	if (rest.from < rest.to && rest.to[-1] == '\n')
		rest.to--;
	while (rest.from < rest.to && is_space(*rest.from))
		rest.from++;
	line->comment = (struct span){rest.to, rest.to};
	for (p = rest.from; p < rest.to; p++)
		if ((p == rest.from && (*p == '#' || *p == ';')) ||
			(p > rest.from && *p == ';' && is_space(p[-1]))) {
			line->comment.from = p;
			break;
		}
	rest = strip((struct span){rest.from, line->comment.from});
	if (rest.from == rest.to) {
		line->kind =
			line->comment.from < line->comment.to ? LINE_COMMENT : LINE_BLANK;
		return;
	}
	if (*rest.from == '[') {
		line->kind = LINE_SECTION;
		line->name = (struct span){rest.from + 1, rest.to - 1};
		return;
	}
	line->kind = LINE_KEY;
	p = memchr(rest.from, '=', (size_t)(rest.to - rest.from));
	line->name = strip((struct span){rest.from, p});
	line->value = strip((struct span){p + 1, rest.to});
	if (line->value.from == line->value.to)
		line->value = (struct span){p + 1, p + 1};
}

static int scan(const char *text, size_t size, struct lines *lines)
{
	const char *end = text + size;
	struct span section = {text, text};

	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct line *line = array_push(&lines->items, &lines->n);

		if (!line)
			return -ENOMEM;
		line->all = (struct span){text, newline ? newline + 1 : end};
		scan_line(line);
		if (line->kind == LINE_SECTION)
			section = line->name;
		line->section = section;
		text = line->all.to;
	}
	return 0;
}

static bool is_number(struct span span)
{
	for (const char *p = span.from; p < span.to; p++)
		if (*p < '0' || *p > '9')
			return false;
	return span.from < span.to;
}

static bool same_key(struct span span, const char *key)
{
	struct span other = {key, key + strlen(key)};

	if (is_number(span) && is_number(other)) {
		while (span.from < span.to && *span.from == '0')
			span.from++;
		while (*key == '0')
			key++;
	}
	return span_is(span, key);
}

static bool in_section(const struct line *line, const struct edit *edit)
{
	return span_is(line->section, edit->section);
}

/* `len` bytes of a text in the place of what stands at `span`. */
static int replace(const char *text, size_t size, struct span span, const char *with,
	char **ret_text, size_t *ret_size)
{
	size_t before = (size_t)(span.from - text), len = strlen(with);
	size_t after = size - (size_t)(span.to - text);
	char *result = malloc(before + len + after + 1), *p = result;

	if (!result)
		return -ENOMEM;
	p = mempcpy(p, text, before);
	p = mempcpy(p, with, len);
	p = mempcpy(p, span.to, after);
	*p = '\0';
	*ret_size = before + len + after;
	*ret_text = result;
	return 0;
}

/* As the line before it ends, or the first of all. */
static const char *ending_like(const struct line *line)
{
	return line && line->all.to - line->all.from >= 2 && line->all.to[-1] == '\n' &&
			       line->all.to[-2] == '\r'
		       ? "\r\n"
		       : "\n";
}

static int add(const char *text, size_t size, const struct lines *lines,
	const struct edit *edit, char **ret_text, size_t *ret_size)
{
	const struct line *after = NULL, *first = lines->n ? &lines->items[0] : NULL;
	cleanup_free char *bytes = NULL;
	const char *end, *at;
	bool known;

	/* Behind the section's last key, or its head where it has none. */
	for (size_t i = 0; i < lines->n; i++) {
		const struct line *line = &lines->items[i];

		if (in_section(line, edit) &&
			(line->kind == LINE_KEY ||
				(line->kind == LINE_SECTION &&
					!(after && after->kind == LINE_KEY))))
			after = line;
	}
	known = after;
	if (!after && lines->n)
		after = &lines->items[lines->n - 1];
	end = ending_like(after && after->all.to[-1] == '\n' ? after : first);
	at = after ? after->all.to : text + size;
	if (asprintf(&bytes, "%s%s%s%s%s%s = %s%s",
		    after && after->all.to[-1] != '\n' ? end : "", known ? "" : "[",
		    known ? "" : edit->section, known ? "" : "]", known ? "" : end,
		    edit->key, edit->value, end) < 0) {
		bytes = NULL;
		return -ENOMEM;
	}
	return replace(text, size, (struct span){at, at}, bytes, ret_text, ret_size);
}

static int set(const char *text, size_t size, const struct line *line, const char *value,
	char **ret_text, size_t *ret_size)
{
	bool bare = line->value.from == line->value.to;
	cleanup_free char *bytes = NULL;

	if (asprintf(&bytes, "%s%s", bare ? " " : "", value) < 0) {
		bytes = NULL;
		return -ENOMEM;
	}
	return replace(text, size, line->value, bytes, ret_text, ret_size);
}

/* The head of the section that nothing but this key is in; NULL: it is to stay. */
static const struct line *lone_head(const struct lines *lines, size_t at)
{
	size_t head = at;

	while (lines->items[head].kind != LINE_SECTION)
		head--;
	for (size_t i = head + 1; i < lines->n && lines->items[i].kind != LINE_SECTION;
		i++)
		if (i != at && lines->items[i].kind != LINE_BLANK)
			return NULL;
	if (lines->items[head].comment.from < lines->items[head].comment.to ||
		lines->items[at].comment.from < lines->items[at].comment.to ||
		(head && lines->items[head - 1].kind == LINE_COMMENT))
		return NULL;
	return &lines->items[head];
}

static int take_away(const char *text, size_t size, const struct lines *lines, size_t at,
	char **ret_text, size_t *ret_size)
{
	const struct line *line = &lines->items[at], *head = lone_head(lines, at);
	cleanup_free char *without = NULL;
	struct span span = line->all;
	int r;

	if (line->comment.from < line->comment.to)
		span = (struct span){line->name.from, line->comment.from};
	r = replace(text, size, span, "", &without, &size);
	if (r || !head) {
		*ret_text = take_ptr(without);
		*ret_size = size;
		return r;
	}
	/* The head stands before what went. */
	span.from = without + (head->all.from - text);
	span.to = without + (head->all.to - text);
	return replace(without, size, span, "", ret_text, ret_size);
}

static int check_text(
	const char *path, const char *text, size_t size, struct problem *problem)
{
	static const struct inifile_ops ops = {};

	return inifile_parse(path, text, size, &ops, NULL, problem);
}

/* Would the reader take these for a name or value, and for no more? */
static bool is_plain(const char *text, const char * not, bool spaces)
{
	size_t len = strlen(text);

	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~' || *p == ';' || strchr(not, *p) ||
			(*p == ' ' && !spaces))
			return false;
	return len && text[0] != ' ' && text[len - 1] != ' ';
}

static bool is_possible(const struct edit *edit)
{
	return is_plain(edit->section, "[]", true) &&
	       is_plain(edit->key, "[=:#", false) &&
	       strlen(edit->section) <= INIFILE_NAME_MAX &&
	       strlen(edit->key) < INIFILE_NAME_MAX &&
	       (!edit->value || is_plain(edit->value, "", true));
}

static int change(const char *path, const char *text, size_t size,
	const struct edit *edit, char **ret_text, size_t *ret_size,
	struct problem *problem)
{
	CLEANUP(lines_deinit) struct lines lines = {};
	const struct line *found = NULL;

	if (scan(text, size, &lines))
		return -ENOMEM;
	for (size_t i = 0; i < lines.n; i++) {
		const struct line *line = &lines.items[i];

		if (line->kind != LINE_KEY || !in_section(line, edit) ||
			!same_key(line->name, edit->key))
			continue;
		if (found)
			return problem_set(problem, -EINVAL,
				"%s: %s is given twice in [%s]", path, edit->key,
				edit->section);
		found = line;
	}
	if (!found && !edit->value)
		return replace(
			text, size, (struct span){text, text}, "", ret_text, ret_size);
	if (!found)
		return add(text, size, &lines, edit, ret_text, ret_size);
	if (edit->value)
		return set(text, size, found, edit->value, ret_text, ret_size);
	return take_away(
		text, size, &lines, (size_t)(found - lines.items), ret_text, ret_size);
}

int edit_text(const char *path, const char *text, size_t size, const struct edit *edit,
	char **ret_text, size_t *ret_size, struct problem *problem)
{
	cleanup_free char *result = NULL;
	size_t result_size = 0;
	int r;

	if (!is_possible(edit))
		return problem_set(problem, -EINVAL, "%s: [%s] %s cannot be set to '%s'",
			path, edit->section, edit->key, edit->value ? edit->value : "");
	r = check_text(path, text, size, problem);
	if (!r)
		r = change(path, text, size, edit, &result, &result_size, problem);
	if (r == -ENOMEM)
		return problem_nomem(problem);
	if (!r)
		r = check_text(path, result, result_size, problem);
	if (r)
		return r;
	*ret_text = take_ptr(result);
	*ret_size = result_size;
	return 0;
}
