// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inih is lenient: it tells no line numbers, cuts lines at 200 bytes, says nothing of a
 * section without keys, takes ':' for '=' and an indented line for more of the value
 * before it, and ignores what follows a ']'. But it takes its lines from a function of
 * ours, and that is where strictness comes from: read_line() counts the lines, takes
 * comments and indentation away, refuses what is neither `[SECTION]` nor `KEY = VALUE`,
 * and hands a line that is too long for inih's buffer over in pieces. Every piece but the
 * first is indented, so that inih calls it more of the value. As inih strips white space
 * and comments off each piece, a MARK stands on either side of a cut; take_piece()
 * removes it, and nothing is lost.
 */
#include "user/store/inifile.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

enum {
	FILE_BYTES_MAX = 1024 * 1024,
	LINE_BYTES_MAX = 64 * 1024,
	NAME_SIZE = INIFILE_NAME_MAX + 1,
	PIECE_EXTRAS = 5, /* indentation, mark, mark, '\n', '\0' */
	QUOTED_MAX = 60,
	MARK = '|',
};

struct reading {
	const struct inifile_ops *ops;
	void *user;
	struct problem *problem;
	int error;

	char *next, *end; /* what was not read yet */
	unsigned int line;
	const char *rest; /* of the line: what was not handed over yet */
	bool is_more;	  /* the piece at hand is not the line's first */
	bool leaves;	  /* nor its last */

	char key[NAME_SIZE];
	size_t value_len;
	char value[LINE_BYTES_MAX + 1];
};

static char *strip(char *line)
{
	char *end = line + strlen(line);

	while (end > line && strchr(INIFILE_SPACES, end[-1]))
		end--;
	*end = '\0';
	return line + strspn(line, INIFILE_SPACES);
}

/* What is left of a line without indentation, comment and white space at the end. */
static char *bare_line(char *line)
{
	line += strspn(line, INIFILE_SPACES);
	if (*line == '#' || *line == ';')
		return line + strlen(line);
	for (char *p = line; *p; p++) {
		if (*p == ';' && p > line && strchr(INIFILE_SPACES, p[-1])) {
			*p = '\0';
			break;
		}
	}
	return strip(line);
}

static int check_section(struct reading *reading, const char *line)
{
	char name[NAME_SIZE];
	size_t len = strcspn(line, "]");

	if (line[len] != ']' || line[len + 1])
		return problem_set(reading->problem, -EINVAL,
			"'%.*s' is no section: allowed is [NAME]", QUOTED_MAX, line);
	if (--len >= sizeof(name))
		return problem_set(reading->problem, -EINVAL,
			"a section's name has at most %d bytes", INIFILE_NAME_MAX);
	if (!reading->ops->section)
		return 0;
	memcpy(name, line + 1, len);
	name[len] = '\0';
	return reading->ops->section(reading->user, name, reading->problem);
}

/* Refuses what inih would let pass. */
static int check_line(struct reading *reading, const char *line)
{
	size_t len = strcspn(line, "=:");

	if (*line == '[')
		return check_section(reading, line);
	if (!len || line[len] != '=')
		return problem_set(reading->problem, -EINVAL,
			"'%.*s' is neither a section nor KEY = VALUE", QUOTED_MAX, line);
	if (len >= NAME_SIZE)
		return problem_set(reading->problem, -EINVAL,
			"a key has at most %d bytes with the white space after it",
			INIFILE_NAME_MAX);
	return 0;
}

/* Makes the next line the one whose `rest` is handed over; it may be empty. */
static int next_line(struct reading *reading)
{
	char *line = reading->next;
	char *end = memchr(line, '\n', (size_t)(reading->end - line));

	if (!end)
		end = reading->end;
	reading->next = end < reading->end ? end + 1 : end;
	reading->line++;
	if (end - line > LINE_BYTES_MAX)
		return problem_set(reading->problem, -EINVAL,
			"a line has at most %d bytes", LINE_BYTES_MAX);
	if (memchr(line, '\0', (size_t)(end - line)))
		return problem_set(
			reading->problem, -EINVAL, "a NUL byte: only text is allowed");
	*end = '\0';
	line = bare_line(line);
	reading->rest = line;
	return *line ? check_line(reading, line) : 0;
}

/* inih's way to get a line: fgets() in form. */
static char *read_line(char *buf, int size, void *stream)
{
	struct reading *reading = stream;
	size_t room = (size_t)size - PIECE_EXTRAS, len;
	char *p = buf;

	if (size < NAME_SIZE + PIECE_EXTRAS + 1 && !reading->error)
		reading->error = problem_set(reading->problem, -EMSGSIZE,
			"inih was built for lines of %d bytes only", size);
	reading->is_more = *reading->rest;
	while (!reading->error && !*reading->rest) {
		if (reading->next == reading->end)
			return NULL;
		reading->error = next_line(reading);
	}
	if (reading->error)
		return NULL;
	len = strlen(reading->rest);
	reading->leaves = len > room;
	if (reading->leaves)
		len = room;
	if (reading->is_more) {
		*p++ = ' ';
		*p++ = MARK;
	}
	p = mempcpy(p, reading->rest, len);
	if (reading->leaves)
		*p++ = MARK;
	*p++ = '\n';
	*p = '\0';
	reading->rest += len;
	return buf;
}

/* inih's way to tell a value, or a piece of it. To stop inih is read_line()'s job. */
static int take_piece(void *user, const char *section, const char *key, const char *value)
{
	struct reading *reading = user;
	size_t len;

	if (!key) /* inih can be built to tell sections too */
		return 1;
	if (reading->is_more) {
		value++;
	} else {
		reading->value_len = 0;
		strncpy(reading->key, key, sizeof(reading->key) - 1);
	}
	len = strlen(value) - reading->leaves;
	memcpy(reading->value + reading->value_len, value, len);
	reading->value_len += len;
	reading->value[reading->value_len] = '\0';
	if (reading->leaves)
		return 1;
	if (!*section)
		reading->error = problem_set(reading->problem, -EINVAL,
			"key %s is outside a section: a [SECTION] must come before it",
			reading->key);
	else if (reading->ops->entry)
		reading->error = reading->ops->entry(reading->user, reading->line,
			section, reading->key, strip(reading->value), reading->problem);
	return 1;
}

static int parse(struct reading *reading, const char *path, char *text, size_t size)
{
	int r;

	reading->next = text;
	reading->end = text + size;
	reading->rest = "";
	if (size >= 3 &&
		!memcmp(text, "\xef\xbb\xbf", 3)) /* what some editors begin with */
		reading->next += 3;
	r = ini_parse_stream(read_line, reading, take_piece, reading);
	if (!reading->error && r)
		reading->error =
			problem_set(reading->problem, -EINVAL, "inih refuses it (%d)", r);
	if (reading->error)
		return problem_prefix(
			reading->problem, reading->error, "%s:%u", path, reading->line);
	return 0;
}

static ssize_t read_regular(const char *path, char *buf, size_t size)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? file_read_raw_at(AT_FDCWD, path, buf, size)
				   : -EMEDIUMTYPE;
}

static int too_big(const char *path, struct problem *problem)
{
	return problem_set(
		problem, -EFBIG, "%s: a file has at most %d bytes", path, FILE_BYTES_MAX);
}

int inifile_load(
	const char *path, char **ret_text, size_t *ret_size, struct problem *problem)
{
	const size_t room = FILE_BYTES_MAX + 1;
	cleanup_free char *text = malloc(room);
	ssize_t size;

	if (!text)
		return problem_nomem(problem);
	size = read_regular(path, text, room);
	if (size == -ENOENT)
		return 1;
	if (size == -EMEDIUMTYPE)
		return problem_set(problem, -EINVAL,
			"%s: only a regular file is allowed, no link, directory or device",
			path);
	if (size == -EFBIG)
		return too_big(path, problem);
	if (size < 0)
		return problem_set(problem, (int)size, "%s: cannot be read: %s", path,
			strerror((int)-size));
	*ret_text = take_ptr(text);
	*ret_size = (size_t)size;
	return 0;
}

/* `text` is changed, and has room for a NUL at its end. */
static int parse_in_place(const char *path, char *text, size_t size,
	const struct inifile_ops *ops, void *user, struct problem *problem)
{
	cleanup_free struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading)
		return problem_nomem(problem);
	reading->ops = ops;
	reading->user = user;
	reading->problem = problem;
	return parse(reading, path, text, size);
}

int inifile_parse(const char *path, const char *text, size_t size,
	const struct inifile_ops *ops, void *user, struct problem *problem)
{
	cleanup_free char *copy = NULL;

	if (size > FILE_BYTES_MAX)
		return too_big(path, problem);
	copy = malloc(size + 1);
	if (!copy)
		return problem_nomem(problem);
	memcpy(copy, text, size);
	return parse_in_place(path, copy, size, ops, user, problem);
}

int inifile_read(const char *path, const struct inifile_ops *ops, void *user,
	struct problem *problem)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	int r;

	r = inifile_load(path, &text, &size, problem);
	return r ? r : parse_in_place(path, text, size, ops, user, problem);
}
