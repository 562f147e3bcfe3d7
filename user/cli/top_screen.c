// SPDX-License-Identifier: GPL-2.0-or-later
/* The screen from top to bottom: head, map, who intrudes, table, keys. Rows are given to
 * the map first, as many as leave some for each of the others. */
#include "user/cli/top_screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEAD = 3, FOOT = 1 };

static void time_text(const struct sample *sample, bool date, char *buf, size_t size)
{
	time_t when = (time_t)sample->time;
	struct tm local;

	if (!localtime_r(&when, &local) ||
		!strftime(buf, size, date ? "%F %T" : "%T", &local))
		snprintf(buf, size, "?");
}

static void draw_who(
	const struct view *view, const struct top_state *state, struct grid *grid)
{
	char when[32], right[128], replay[48] = "", delay[16] = "";
	unsigned int width;

	time_text(view->now, state->replay, when, sizeof(when));
	if (state->replay)
		snprintf(replay, sizeof(replay), "  %zu of %zu", state->at + 1,
			state->n_samples);
	else
		snprintf(delay, sizeof(delay), "  %.1f s", state->delay_ms / 1e3);
	snprintf(right, sizeof(right), "%s%s%s  by %s%s%s", when, delay, replay,
		view_key_name(state->key), state->reverse ? " reversed" : "",
		state->paused ? "  paused" : "");
	width = (unsigned int)strlen(right);
	width = grid->cols > width + 2 ? grid->cols - width - 2 : 0;
	grid_put(grid, 0, grid_put(grid, 0, 0, width, LOOK_PLAIN, "cpuwarden top  "),
		width > 15 ? width - 15 : 0, LOOK_PLAIN, view->now->host);
	if (width > 15 + strlen(view->now->host) + 2)
		grid_put(grid, 0, 17 + (unsigned int)strlen(view->now->host),
			width - 17 - (unsigned int)strlen(view->now->host), LOOK_PLAIN,
			view->now->kernel);
	grid_put_right(grid, 0, 0, grid->cols, LOOK_PLAIN, right);
}

static void draw_observer(const struct view *view, struct grid *grid)
{
	enum look look = view->observer == OBSERVER_RUNNING ? LOOK_PLAIN : LOOK_ALARM;
	const char *why = view->now->why.text;
	char rate[TOP_TEXT_SIZE];

	if (!*why && view->observer == OBSERVER_BLIND)
		why = "the observer does not count: no switch was seen";
	if (view->observer != OBSERVER_RUNNING) {
		grid_format(grid, 1, 0, look, "observer %s: %s",
			sample_observer_name(view->observer), why);
		return;
	}
	top_rate(view_rate(view, view->switches), rate);
	grid_format(grid, 1, 0, look,
		"observer running: %s switches/s, %" PRIu64 " events lost",
		view->interval_ns ? rate : "-", view->now->lost);
}

/* `user 3.5 off_set 0.5`: those that there were, a second. */
static unsigned int draw_causes(
	const struct view *view, struct grid *grid, unsigned int col, enum look look)
{
	const struct view_counts *counts = &view->total;
	char rate[TOP_TEXT_SIZE];

	col = grid_format(grid, 2, col, look, ":");
	for (int cause = 0; cause < CAUSE_COUNT; cause++) {
		if (!counts->foreign[cause].count && !counts->foreign[cause].ns)
			continue;
		top_rate(view_rate(view, counts->foreign[cause].count), rate);
		col = grid_format(grid, 2, col, look, " %s %s", cause_name(cause), rate);
	}
	if (!counts->off_set.count && !counts->off_set.ns)
		return col;
	top_rate(view_rate(view, counts->off_set.count), rate);
	return grid_format(grid, 2, col, look, " off_set %s", rate);
}

static void draw_totals(const struct view *view, struct grid *grid)
{
	char rate[TOP_TEXT_SIZE], time[TOP_TEXT_SIZE];
	struct tally violations = view_violations(&view->total);
	enum look look = violations.count || violations.ns ? LOOK_ALARM : LOOK_GOOD;
	unsigned int col;

	if (view->observer == OBSERVER_ABSENT || !view->interval_ns) {
		grid_format(grid, 2, 0, LOOK_DIM, "violations -");
		return;
	}
	top_violations(view, &view->total, rate, time);
	if (look == LOOK_GOOD) {
		col = grid_format(grid, 2, 0, look, "violations none");
	} else {
		col = grid_format(grid, 2, 0, look, "violations %s/s %s/s on %u CPU%s",
			rate, time, view->n_intruded, view->n_intruded == 1 ? "" : "s");
		col = draw_causes(view, grid, col, look);
	}
	top_rate(view_rate(view, view->total.settling.count), rate);
	col = grid_format(grid, 2, col, LOOK_PLAIN, "; settling %s/s", rate);
	top_rate(view_rate(view, view->total.interference.count), rate);
	grid_format(grid, 2, col, LOOK_PLAIN, "; interference %s/s", rate);
}

static void draw_foot(const struct top_state *state, struct grid *grid)
{
	grid_format(grid, grid->rows - 1, 0, LOOK_TITLE, "%s",
		state->in_vm
			? "q quit  Esc back  s sort  r reverse  p pause  +- delay  [] map  h help"
			: "q quit  Enter VM  s sort  r reverse  p pause  +- delay  [] map  h help");
	grid_paint(grid, grid->rows - 1, LOOK_TITLE);
}

static unsigned int least(size_t a, size_t b)
{
	return (unsigned int)(a < b ? a : b);
}

struct sections {
	unsigned int map, culprits, table;
};

/* A title and at least one row each. */
static struct sections divide(const struct view *view, const struct top_state *state,
	unsigned int cols, unsigned int rows)
{
	unsigned int culprits = top_culprits(view, state), want, budget;
	size_t items = top_items(view, state) + (state->in_vm ? 2 : 1);
	struct sections sections = {};

	culprits = culprits ? culprits + 1 : 2;
	want = least(items + !items, rows / 3) + least(culprits, rows / 5);
	budget = rows > want ? rows - want : 0;
	sections.map = least(top_map_rows(view, cols, budget), budget);
	rows -= sections.map;
	want = least(items, rows > 4 ? rows - rows / 3 : rows);
	sections.culprits = least(culprits, rows > want ? rows - want : 0);
	sections.table = rows - sections.culprits;
	return sections;
}

/* Where all rows are shown: more than these make the map unreadable. */
enum { PLAIN_MAP = 24 };

static struct sections plain_sections(
	const struct view *view, const struct top_state *state, unsigned int cols)
{
	unsigned int culprits = top_culprits(view, state);

	return (struct sections){.map = top_map_rows(view, cols, PLAIN_MAP),
		.culprits = culprits ? culprits + 1 : 2,
		.table = (unsigned int)top_items(view, state) + 2};
}

unsigned int top_plain_rows(
	const struct view *view, const struct top_state *state, unsigned int cols)
{
	struct sections sections = plain_sections(view, state, cols);

	return HEAD + !!*view->now->note.text + sections.map + sections.culprits +
	       sections.table;
}

void top_draw(const struct view *view, struct top_state *state, struct grid *grid)
{
	unsigned int row = HEAD, foot = state->plain ? 0 : FOOT;
	struct sections sections;

	if (state->in_vm && !top_vm(view, state))
		state->in_vm = false;
	if (state->help) {
		top_draw_help(grid);
		return;
	}
	if (grid->rows < HEAD + FOOT)
		return;
	draw_who(view, state, grid);
	draw_observer(view, grid);
	draw_totals(view, grid);
	if (*view->now->note.text)
		grid_format(grid, row++, 0, LOOK_ALARM, "%s", view->now->note.text);
	if (grid->rows < row + foot)
		return;
	sections = state->plain
			   ? plain_sections(view, state, grid->cols)
			   : divide(view, state, grid->cols, grid->rows - row - foot);
	top_draw_map(view, state, grid, row, sections.map);
	row += sections.map;
	top_draw_culprits(view, state, grid, row, sections.culprits);
	row += sections.culprits;
	top_draw_table(view, state, grid, row, sections.table);
	if (!state->plain)
		draw_foot(state, grid);
}

void top_draw_help(struct grid *grid)
{
	static const char *const lines[] = {
		"q  Ctrl-C         quit",
		"Up Down k j       select a row; PgUp PgDn Home End go further",
		"Enter Right       look at the vCPUs of the selected VM",
		"Esc Left Bksp     back to the VMs",
		"s                 sort by the next of violations, waits, run, name",
		"v w u n           sort by violations, waits, run, name",
		"r                 reverse the order",
		"[ ]               scroll the map",
		"+ -               halve, double the rate of readings",
		"p Space           pause, go on",
		", .               of a recording: the sample before, the next one",
		"c                 colour on, off",
		"h ?               this page, and back",
		"",
		"The map: CPUs by node and core, siblings side by side.",
		". housekeeping  + shared by VMs of a class  = reserved, nobody else there",
		"~ settling  ! a violation in this interval  - offline",
		"a row: node and first core; then number, mark, owner (VM/vCPU) of each CPU,",
		"or its owner's letter; or a mark a CPU, the owner's letter below",
		"",
		"WAIT99: 99 of 100 waits were shorter. TIME/s: length of violations a second.",
		"More is in cpuwarden-top(8).",
	};

	for (unsigned int i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		grid_format(grid, i, 0, LOOK_PLAIN, "%s", lines[i]);
}
