/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Private to user/report: how a page is made of a report's JSON, and of nothing else, so
 * that the same data always make the same page. The JSON may lack anything and be of any
 * type: what is not there is shown as nothing.
 */
#include <stdio.h>

#include "user/report/report.h"

struct page {
	FILE *to;
	struct json_object *report;
	uint64_t monotonic, realtime; /* the same moment, ns */
};

/* Values. `path` is members with dots between. NULL, "" or 0 for what is not there. */
struct json_object *value_at(struct json_object *json, const char *path);
const char *text_at(struct json_object *json, const char *path);
uint64_t number_at(struct json_object *json, const char *path);
bool true_at(struct json_object *json, const char *path);

/* Tables of the report, by row and name of the column. */
struct rows {
	struct json_object *rows, *columns;
	size_t n;
};
struct rows rows_at(struct json_object *json, const char *path);
int rows_column(const struct rows *rows, const char *name); /* -1: none */
struct json_object *rows_cell(const struct rows *rows, size_t row, int column);
const char *rows_text(const struct rows *rows, size_t row, int column);
uint64_t rows_number(const struct rows *rows, size_t row, int column);
size_t list_length(struct json_object *json); /* 0 for what is no array */

/* Writing. All text is escaped. */
void put(const struct page *page, const char *html); /* as it is: ours */
void put_text(const struct page *page, const char *text);
void put_format(const struct page *page, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* then escaped */
void put_duration(const struct page *page, uint64_t ns);
void put_moment(const struct page *page, uint64_t monotonic_ns); /* 0: "never" */
void format_time(uint64_t realtime_ns, char *buf, size_t size);

/*
 * A table that can be scrolled sideways, also by keyboard. Columns have a '|' between
 * them; one that begins with '#' has numbers. The first cell of a row is its head.
 */
void table_begin(const struct page *page, const char *id, const char *caption,
	const char *columns);
void table_end(const struct page *page);
void row_begin(const struct page *page);
void cell_text(const struct page *page, const char *text);
void head_text(const struct page *page, const char *text);
void cell_number(const struct page *page, uint64_t number);
void cell_duration(const struct page *page, uint64_t ns);
void cell_moment(const struct page *page, uint64_t monotonic_ns);
void cell_json(const struct page *page, struct json_object *value); /* text or number */

/* A section with its heading, and its end. */
void section_begin(const struct page *page, const char *id, const char *heading);
void section_end(const struct page *page);

/* The page's parts, in their order. */
void page_examined(const struct page *page);
void page_cpus(const struct page *page);
void page_violations(const struct page *page);
void page_waits(const struct page *page);
void page_placement(const struct page *page);
void page_drift(const struct page *page);
void page_isolation(const struct page *page);
void page_evidence(const struct page *page);

/* The piece with the verdict. -ENOMEM. The caller frees. */
int page_verdict(struct json_object *report, char **ret_html);

/* page.css and page.js. */
extern const char page_css[], page_js[];
