// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/cli/top_grid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int grid_init(unsigned int rows, unsigned int cols, struct grid *ret_grid)
{
	struct grid grid = {.rows = rows, .cols = cols};

	grid.cells = calloc((size_t)rows * cols + 1, sizeof(*grid.cells));
	if (!grid.cells)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)rows * cols; i++)
		grid.cells[i].text = ' ';
	*ret_grid = grid;
	return 0;
}

void grid_deinit(struct grid *grid)
{
	free(grid->cells);
	*grid = (struct grid){};
}

static void put(
	struct grid *grid, unsigned int row, unsigned int col, enum look look, char text)
{
	if (row < grid->rows && col < grid->cols)
		grid->cells[(size_t)row * grid->cols + col] = (struct cell){
			.text = (char)(text < 0x20 || text > 0x7e ? '?' : text),
			.look = (uint8_t)look};
}

unsigned int grid_put(struct grid *grid, unsigned int row, unsigned int col,
	unsigned int width, enum look look, const char *text)
{
	size_t length = strlen(text);

	for (unsigned int i = 0; i < width && i < length; i++)
		put(grid, row, col + i, look,
			i == width - 1 && length > width ? '~' : text[i]);
	return col + (length < width ? (unsigned int)length : width);
}

void grid_put_right(struct grid *grid, unsigned int row, unsigned int col,
	unsigned int width, enum look look, const char *text)
{
	size_t length = strlen(text);

	if (length < width)
		col += width - (unsigned int)length;
	grid_put(grid, row, col, width, look, text);
}

unsigned int grid_format(struct grid *grid, unsigned int row, unsigned int col,
	enum look look, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (col >= grid->cols)
		return col;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return grid_put(grid, row, col, grid->cols - col, look, text);
}

void grid_paint(struct grid *grid, unsigned int row, enum look look)
{
	for (unsigned int col = 0; row < grid->rows && col < grid->cols; col++)
		grid->cells[(size_t)row * grid->cols + col].look = (uint8_t)look;
}

void grid_row(const struct grid *grid, unsigned int row, char *text)
{
	unsigned int end = 0;

	for (unsigned int col = 0; row < grid->rows && col < grid->cols; col++) {
		text[col] = grid->cells[(size_t)row * grid->cols + col].text;
		if (text[col] != ' ')
			end = col + 1;
	}
	text[end] = '\0';
}

void table_init(struct table *table, const struct column *columns, unsigned int n,
	unsigned int cols)
{
	unsigned int used = 0, spare, at = 0;

	*table = (struct table){.columns = columns, .n_columns = n};
	for (unsigned int i = 0; i < n; i++) {
		if (cols < columns[i].min_cols)
			continue;
		table->width[i] = columns[i].width;
		used += columns[i].width + 1;
	}
	spare = cols + 1 > used ? cols + 1 - used : 0;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int more = columns[i].grows < spare ? columns[i].grows : spare;

		if (!table->width[i])
			continue;
		table->width[i] += more;
		spare -= more;
		table->at[i] = at;
		at += table->width[i] + 1;
	}
}

void table_put(const struct table *table, struct grid *grid, unsigned int row,
	unsigned int column, enum look look, const char *text)
{
	if (table->columns[column].right)
		grid_put_right(
			grid, row, table->at[column], table->width[column], look, text);
	else
		grid_put(grid, row, table->at[column], table->width[column], look, text);
}

void table_title(const struct table *table, struct grid *grid, unsigned int row)
{
	for (unsigned int i = 0; i < table->n_columns; i++)
		table_put(table, grid, row, i, LOOK_TITLE, table->columns[i].title);
	grid_paint(grid, row, LOOK_TITLE);
}

void top_rate(double rate, char buf[TOP_TEXT_SIZE])
{
	if (rate <= 0)
		snprintf(buf, TOP_TEXT_SIZE, "0");
	else if (rate < 0.05)
		snprintf(buf, TOP_TEXT_SIZE, "<0.1");
	else if (rate < 99.95)
		snprintf(buf, TOP_TEXT_SIZE, "%.1f", rate);
	else if (rate < 1e4)
		snprintf(buf, TOP_TEXT_SIZE, "%.0f", rate);
	else if (rate < 1e7)
		snprintf(buf, TOP_TEXT_SIZE, "%.0fk", rate / 1e3);
	else
		snprintf(buf, TOP_TEXT_SIZE, "%.3gM", rate / 1e6);
}

void top_time(uint64_t ns, char buf[TOP_TEXT_SIZE])
{
	static const struct {
		uint64_t below; /* ns */
		double unit;
		const char *name;
	} units[] = {{1000, 1, "ns"}, {1000000, 1e3, "us"}, {1000000000, 1e6, "ms"},
		{UINT64_C(600) * 1000000000, 1e9, "s"},
		{UINT64_C(600) * 60 * 1000000000, 60e9, "m"},
		{UINT64_C(96) * 3600 * 1000000000, 3600e9, "h"},
		{UINT64_MAX, 86400e9, "d"}};
	unsigned int i = 0;
	double value;

	while (i < sizeof(units) / sizeof(*units) - 1 && ns >= units[i].below)
		i++;
	if (!ns) {
		strcpy(buf, "0");
		return;
	}
	value = (double)ns / units[i].unit;
	snprintf(buf, TOP_TEXT_SIZE, i && value < 9.95 ? "%.1f%s" : "%.0f%s", value,
		units[i].name);
}
