/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What `top` shows of a view and what keys do to it. Pure: draws to a grid. */
#include "user/cli/top_grid.h"
#include "user/model/view.h"

enum top_key {
	TOP_UP = 256,
	TOP_DOWN,
	TOP_PAGE_UP,
	TOP_PAGE_DOWN,
	TOP_HOME,
	TOP_END,
	TOP_ENTER,
	TOP_BACK,
};

/* Where who looks on is. */
struct top_state {
	enum view_key key;
	bool reverse;
	bool in_vm;		       /* looks at the vCPUs of the selected VM */
	char selected[VM_NAME_SIZE];   /* a VM; "": the first one of the table */
	int selected_vcpu;	       /* its index; -1: the first one of the table */
	size_t table_first, map_first; /* rows that are scrolled away */
	size_t page;		       /* rows of the table on the screen */
	bool help, paused, colour;
	bool plain; /* one screen as text: all rows, and no keys */
	bool quit;
	unsigned int delay_ms;
	bool replay; /* of a recording: sample `at`, from 0, of so many */
	size_t at, n_samples;
};

enum { TOP_DELAY_MIN = 100, TOP_DELAY_MAX = 3600 * 1000 }; /* ms */

/* The rows that a plain screen of that width takes. */
unsigned int top_plain_rows(
	const struct view *view, const struct top_state *state, unsigned int cols);

/* On a blank grid. What was scrolled or selected is held to what there is. */
void top_draw(const struct view *view, struct top_state *state, struct grid *grid);

/* `key` is a character or an enum top_key. False: it means nothing. */
bool top_press(const struct view *view, struct top_state *state, int key);

/* Parts of the screen. Rows that the map takes where so many are there for it, itself
 * with its title. */
unsigned int top_map_rows(
	const struct view *view, unsigned int cols, unsigned int budget);
void top_draw_map(const struct view *view, struct top_state *state, struct grid *grid,
	unsigned int row, unsigned int rows);

unsigned int top_culprits(const struct view *view, const struct top_state *state);
void top_draw_culprits(const struct view *view, const struct top_state *state,
	struct grid *grid, unsigned int row, unsigned int rows);

/* NULL: the table is that of VMs. */
const struct view_vm *top_vm(const struct view *view, const struct top_state *state);
size_t top_items(const struct view *view, const struct top_state *state);
void top_draw_table(const struct view *view, struct top_state *state, struct grid *grid,
	unsigned int row, unsigned int rows);

void top_draw_help(struct grid *grid);

/* Violations of a second: how often, how long. */
void top_violations(const struct view *view, const struct view_counts *counts,
	char rate[TOP_TEXT_SIZE], char time[TOP_TEXT_SIZE]);
