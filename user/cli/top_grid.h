/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A screen as rows of cells, each a character and what it is to look like. ASCII only:
 * whatever else a text holds becomes '?'. What lies outside is left out. */
#include <stdbool.h>
#include <stdint.h>

enum look {
	LOOK_PLAIN,
	LOOK_TITLE,    /* of a table */
	LOOK_SELECTED, /* the row that Enter means */
	LOOK_DIM,
	LOOK_GOOD,
	LOOK_SETTLING,
	LOOK_ALARM,
	LOOKS
};

struct cell {
	char text;
	uint8_t look; /* enum look */
};

struct grid {
	unsigned int rows, cols;
	struct cell *cells; /* row by row */
};

/* All blank. -ENOMEM. The caller owns it: grid_deinit(). */
int grid_init(unsigned int rows, unsigned int cols, struct grid *ret_grid);
void grid_deinit(struct grid *grid);

/* In that many columns, the last one a '~' where it is cut. Returns the column after the
 * text. */
unsigned int grid_put(struct grid *grid, unsigned int row, unsigned int col,
	unsigned int width, enum look look, const char *text);

/* As grid_put(), at the right end of these columns. */
void grid_put_right(struct grid *grid, unsigned int row, unsigned int col,
	unsigned int width, enum look look, const char *text);

/* To the end of the row. Returns the column after the text. */
unsigned int grid_format(struct grid *grid, unsigned int row, unsigned int col,
	enum look look, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Gives the whole row that look. */
void grid_paint(struct grid *grid, unsigned int row, enum look look);

/* A row as text, without blanks at its end; `text` has room for cols + 1. */
void grid_row(const struct grid *grid, unsigned int row, char *text);

/* What columns of a table are like. */
struct column {
	const char *title;
	unsigned int width;
	unsigned int grows;    /* up to so much more, where there is room */
	unsigned int min_cols; /* of the screen; on a narrower one it is left out */
	bool right;	       /* at the right end of its width */
};

enum { COLUMNS_MAX = 20 };

/* Where they are on a screen: widths of 0 are left out. */
struct table {
	const struct column *columns;
	unsigned int n_columns;
	unsigned int at[COLUMNS_MAX], width[COLUMNS_MAX];
};

void table_init(struct table *table, const struct column *columns, unsigned int n,
	unsigned int cols);
void table_title(const struct table *table, struct grid *grid, unsigned int row);
void table_put(const struct table *table, struct grid *grid, unsigned int row,
	unsigned int column, enum look look, const char *text);

/* `0`, `0.5`, `1234`, `56k`: so many a second. */
enum { TOP_TEXT_SIZE = 24 };
void top_rate(double rate, char buf[TOP_TEXT_SIZE]);

/* `0`, `250ns`, `1.5ms`, `12s` */
void top_time(uint64_t ns, char buf[TOP_TEXT_SIZE]);
