// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/report/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "user/base/text.h"

#define SECOND UINT64_C(1000000000)

struct json_object *value_at(struct json_object *json, const char *path)
{
	char name[64];

	while (json && *path) {
		size_t n = strcspn(path, ".");

		if (!json_object_is_type(json, json_type_object) || n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		if (!json_object_object_get_ex(json, name, &json))
			return NULL;
		path += path[n] ? n + 1 : n;
	}
	return json;
}

static const char *text_of(struct json_object *json)
{
	return json_object_is_type(json, json_type_string) ? json_object_get_string(json)
							   : "";
}

static uint64_t number_of(struct json_object *json)
{
	return json_object_is_type(json, json_type_int) ? json_object_get_uint64(json)
							: 0;
}

const char *text_at(struct json_object *json, const char *path)
{
	return text_of(value_at(json, path));
}

uint64_t number_at(struct json_object *json, const char *path)
{
	return number_of(value_at(json, path));
}

bool true_at(struct json_object *json, const char *path)
{
	json = value_at(json, path);
	return json_object_is_type(json, json_type_boolean) &&
	       json_object_get_boolean(json);
}

size_t list_length(struct json_object *json)
{
	return json_object_is_type(json, json_type_array) ? json_object_array_length(json)
							  : 0;
}

struct rows rows_at(struct json_object *json, const char *path)
{
	struct rows rows = {};

	json = value_at(json, path);
	rows.rows = value_at(json, "rows");
	rows.columns = value_at(json, "columns");
	rows.n = list_length(rows.rows);
	return rows;
}

int rows_column(const struct rows *rows, const char *name)
{
	for (size_t i = 0; i < list_length(rows->columns); i++)
		if (!strcmp(text_of(json_object_array_get_idx(rows->columns, i)), name))
			return (int)i;
	return -1;
}

struct json_object *rows_cell(const struct rows *rows, size_t row, int column)
{
	struct json_object *cells =
		row < rows->n ? json_object_array_get_idx(rows->rows, row) : NULL;

	return column >= 0 && (size_t)column < list_length(cells)
		       ? json_object_array_get_idx(cells, (size_t)column)
		       : NULL;
}

const char *rows_text(const struct rows *rows, size_t row, int column)
{
	return text_of(rows_cell(rows, row, column));
}

uint64_t rows_number(const struct rows *rows, size_t row, int column)
{
	return number_of(rows_cell(rows, row, column));
}

void put(const struct page *page, const char *html)
{
	fputs(html, page->to);
}

void put_text(const struct page *page, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", page->to);
			break;
		case '>':
			fputs("&gt;", page->to);
			break;
		case '&':
			fputs("&amp;", page->to);
			break;
		case '"':
			fputs("&quot;", page->to);
			break;
		case '\'':
			fputs("&#39;", page->to);
			break;
		default:
			fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text,
				page->to);
		}
}

void put_format(const struct page *page, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_text(page, text);
}

void put_duration(const struct page *page, uint64_t ns)
{
	char text[32];

	duration_format(ns, text, sizeof(text));
	put_text(page, text);
}

void format_time(uint64_t realtime_ns, char *buf, size_t size)
{
	time_t seconds = (time_t)(realtime_ns / SECOND);
	struct tm tm;

	*buf = '\0';
	if (gmtime_r(&seconds, &tm))
		strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
}

void put_moment(const struct page *page, uint64_t monotonic_ns)
{
	char text[64];

	if (!monotonic_ns) {
		put(page, "never");
		return;
	}
	format_time(page->realtime - page->monotonic + monotonic_ns, text, sizeof(text));
	put_text(page, text);
}

/* What a table of the page is called stands in its caption, which names the place that
 * can be scrolled, too. */
void table_begin(
	const struct page *page, const char *id, const char *caption, const char *columns)
{
	fprintf(page->to,
		"<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"%s-caption\">\n"
		"<table id=\"%s\"><caption id=\"%s-caption\">",
		id, id, id);
	put_text(page, caption);
	put(page, "</caption>\n<thead><tr>");
	while (*columns) {
		size_t n = strcspn(columns, "|");
		bool number = *columns == '#';

		fprintf(page->to, "<th scope=\"col\"%s>%.*s</th>",
			number ? " class=\"n\"" : "", (int)(n - number),
			columns + number);
		columns += columns[n] ? n + 1 : n;
	}
	put(page, "</tr></thead>\n<tbody>\n");
}

void table_end(const struct page *page)
{
	put(page, "</tbody></table></div>\n");
}

void row_begin(const struct page *page)
{
	put(page, "<tr>");
}

void cell_text(const struct page *page, const char *text)
{
	put(page, "<td>");
	put_text(page, text);
}

void head_text(const struct page *page, const char *text)
{
	put(page, "<th scope=\"row\">");
	put_text(page, text);
}

void cell_number(const struct page *page, uint64_t number)
{
	fprintf(page->to, "<td class=n>%" PRIu64, number);
}

void cell_duration(const struct page *page, uint64_t ns)
{
	put(page, "<td class=n>");
	put_duration(page, ns);
}

void cell_moment(const struct page *page, uint64_t monotonic_ns)
{
	put(page, "<td class=t>");
	put_moment(page, monotonic_ns);
}

void cell_json(const struct page *page, struct json_object *value)
{
	if (json_object_is_type(value, json_type_int))
		fprintf(page->to, "<td class=n>%" PRId64, json_object_get_int64(value));
	else
		cell_text(page, text_of(value));
}

void section_begin(const struct page *page, const char *id, const char *heading)
{
	fprintf(page->to,
		"<section id=\"%s\" aria-labelledby=\"%s-heading\">\n"
		"<h2 id=\"%s-heading\">%s</h2>\n",
		id, id, id, heading);
}

void section_end(const struct page *page)
{
	put(page, "</section>\n");
}
