// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The map: CPUs by node, then core, siblings side by side. Of four forms the first one
 * is taken that fits: cells with the owner's name, cells with its letter, a character a
 * CPU with the owner's letter below, a character a CPU. A row is of one node, and begins
 * with it and the first core's number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/top_screen.h"

enum form { FORM_NAMES, FORM_LETTERS, FORM_OWNERS, FORM_STATES, FORMS };

enum { OWNER_MAX = 14, GROUP = 8 /* CPUs between gaps */, ROW = 64 };

struct map {
	const struct view *view;
	enum form form;
	size_t *order; /* indices in view->cpus */
	size_t n;
	unsigned int label, digits, owner; /* widths */
	unsigned int per_row;
	size_t *rows; /* where each begins in `order` */
	size_t n_rows;
};

static unsigned int digits_of(unsigned int number)
{
	unsigned int digits = 1;

	while (number /= 10)
		digits++;
	return digits;
}

static int compare_places(const void *a, const void *b, void *data)
{
	const struct view_cpu *cpus = data;
	const struct sample_cpu *x = cpus[*(const size_t *)a].at,
				*y = cpus[*(const size_t *)b].at;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return x->cpu < y->cpu ? -1 : x->cpu > y->cpu;
}

/* `web1/0`, `web1`; by letter `a/0`, `a`. The number is never cut. */
static void owner_text(
	const struct map *map, const struct sample_cpu *cpu, char text[OWNER_MAX + 1])
{
	bool named = map->form == FORM_NAMES;
	const struct view_vm *vm;
	char number[8] = "";
	size_t room, length;

	*text = '\0';
	if (cpu->owner < 0)
		return;
	vm = &map->view->vms[cpu->owner];
	if (cpu->vcpu >= 0)
		snprintf(number, sizeof(number), "/%d", cpu->vcpu % VCPUS_MAX);
	room = OWNER_MAX - strlen(number);
	length = named ? strlen(vm->at->name) : 1;
	memcpy(text, named ? vm->at->name : &vm->letter, length < room ? length : room);
	if (length > room)
		text[room - 1] = '~';
	strcpy(text + (length < room ? length : room), number);
}

static void measure(struct map *map)
{
	unsigned int cpu = 0, node = 0, core = 0;
	char text[OWNER_MAX + 1];

	map->owner = 1;
	for (size_t i = 0; i < map->n; i++) {
		const struct sample_cpu *at = map->view->cpus[i].at;

		owner_text(map, at, text);
		if (strlen(text) > map->owner)
			map->owner = (unsigned int)strlen(text);
		cpu = at->cpu > cpu ? at->cpu : cpu;
		if (at->node != TOPOLOGY_UNKNOWN && at->node > node)
			node = at->node;
		if (at->core != TOPOLOGY_UNKNOWN && at->core > core)
			core = at->core;
	}
	map->digits = digits_of(cpu);
	map->label = digits_of(node) + digits_of(core) + 4; /* "n0 c0 " */
}

static unsigned int cell_width(const struct map *map)
{
	return 1 + map->digits + 1 + map->owner;
}

static unsigned int fitting(const struct map *map, unsigned int cols)
{
	unsigned int room = cols > map->label ? cols - map->label : 0, n;

	if (map->form == FORM_NAMES || map->form == FORM_LETTERS) {
		n = room / cell_width(map);
		return n ? n : 1;
	}
	n = (room + 1) / (GROUP + 1) * GROUP;
	if (n > ROW)
		n -= n % ROW;
	return n ? n : GROUP;
}

static const struct sample_cpu *cpu_at(const struct map *map, size_t i)
{
	return map->view->cpus[map->order[i]].at;
}

static size_t siblings_at(const struct map *map, size_t i)
{
	const struct sample_cpu *first = cpu_at(map, i);
	size_t n = 1;

	while (i + n < map->n && cpu_at(map, i + n)->core == first->core &&
		cpu_at(map, i + n)->node == first->node &&
		first->core != TOPOLOGY_UNKNOWN)
		n++;
	return n;
}

/* Siblings stay in one row where a row is long enough. */
static void break_rows(struct map *map)
{
	size_t begun = 0;

	map->n_rows = 0;
	for (size_t i = 0, n; i < map->n; i += n) {
		bool other = !i || cpu_at(map, i)->node != cpu_at(map, i - 1)->node;

		n = siblings_at(map, i);
		if (n > map->per_row)
			n = 1;
		if (other || i + n - begun > map->per_row) {
			map->rows[map->n_rows++] = i;
			begun = i;
		}
	}
}

static size_t end_of(const struct map *map, size_t row)
{
	return row + 1 < map->n_rows ? map->rows[row + 1] : map->n;
}

/* Where nobody owns a CPU there are no letters. */
static unsigned int height_of(const struct map *map, size_t row)
{
	for (size_t i = map->rows[row]; i < end_of(map, row); i++)
		if (map->form == FORM_OWNERS && cpu_at(map, i)->owner >= 0)
			return 2;
	return 1;
}

static unsigned int lines_of(const struct map *map)
{
	unsigned int lines = 0;

	for (size_t row = 0; row < map->n_rows; row++)
		lines += height_of(map, row);
	return lines;
}

static void map_deinit(struct map *map)
{
	free(map->order);
	free(map->rows);
}

/* In the first form that needs no more lines than these, or the last one. Without memory
 * it is empty. */
static void map_init(
	const struct view *view, unsigned int cols, unsigned int budget, struct map *map)
{
	*map = (struct map){.view = view, .n = view->now->n_cpus};
	map->order = calloc(map->n + 1, sizeof(*map->order));
	map->rows = calloc(map->n + 1, sizeof(*map->rows));
	if (!map->order || !map->rows)
		map->n = 0;
	for (size_t i = 0; i < map->n; i++)
		map->order[i] = i;
	if (map->n)
		qsort_r(map->order, map->n, sizeof(*map->order), compare_places,
			view->cpus);
	for (int form = 0; form < FORMS; form++) {
		map->form = form;
		measure(map);
		map->per_row = fitting(map, cols);
		break_rows(map);
		if (lines_of(map) <= budget)
			break;
	}
}

unsigned int top_map_rows(const struct view *view, unsigned int cols, unsigned int budget)
{
	struct map map;
	unsigned int rows;

	map_init(view, cols, budget ? budget - 1 : 0, &map);
	rows = lines_of(&map) + 1;
	map_deinit(&map);
	return rows;
}

static const struct {
	char mark;
	enum look look;
} states[] = {[CPU_OFFLINE] = {'-', LOOK_DIM},
	[CPU_HOUSEKEEPING] = {'.', LOOK_PLAIN},
	[CPU_SHARED] = {'+', LOOK_PLAIN},
	[CPU_RESERVED] = {'=', LOOK_GOOD},
	[CPU_SETTLING] = {'~', LOOK_SETTLING},
	[CPU_INTRUDED] = {'!', LOOK_ALARM}};

static void draw_cell(const struct map *map, size_t i, struct grid *grid,
	unsigned int row, unsigned int col)
{
	const struct view_cpu *cpu = &map->view->cpus[map->order[i]];
	bool first = !i || cpu_at(map, i - 1)->core != cpu->at->core ||
		     cpu_at(map, i - 1)->node != cpu->at->node;
	char owner[OWNER_MAX + 1];

	owner_text(map, cpu->at, owner);
	grid_format(grid, row, col, LOOK_DIM, "%c", first ? '|' : ' ');
	grid_format(grid, row, col + 1, states[cpu->state].look, "%*u%c%-*s",
		(int)map->digits, cpu->at->cpu, states[cpu->state].mark, (int)map->owner,
		owner);
}

static void draw_mark(const struct map *map, size_t i, struct grid *grid,
	unsigned int row, unsigned int col)
{
	const struct view_cpu *cpu = &map->view->cpus[map->order[i]];
	enum look look = states[cpu->state].look;

	grid_format(grid, row, col, look, "%c", states[cpu->state].mark);
	if (map->form == FORM_OWNERS && cpu->at->owner >= 0)
		grid_format(grid, row + 1, col, look, "%c",
			map->view->vms[cpu->at->owner].letter);
}

static void draw_row(
	const struct map *map, size_t which, struct grid *grid, unsigned int row)
{
	size_t begin = map->rows[which], end = end_of(map, which);
	const struct sample_cpu *first = cpu_at(map, begin);

	if (first->node == TOPOLOGY_UNKNOWN || first->core == TOPOLOGY_UNKNOWN)
		grid_format(grid, row, 0, LOOK_DIM, "off");
	else
		grid_format(grid, row, 0, LOOK_DIM, "n%u c%u", first->node, first->core);
	for (size_t i = begin; i < end; i++) {
		unsigned int at = (unsigned int)(i - begin);

		if (map->form == FORM_NAMES || map->form == FORM_LETTERS)
			draw_cell(map, i, grid, row, map->label + at * cell_width(map));
		else
			draw_mark(map, i, grid, row, map->label + at + at / GROUP);
	}
}

/* How many rows are in so many lines, from the first one that is not scrolled away. */
static size_t count_shown(const struct map *map, size_t first, unsigned int lines)
{
	size_t row = first;

	for (unsigned int used = 0; row < map->n_rows; row++) {
		used += height_of(map, row);
		if (used > lines)
			break;
	}
	return row - first;
}

static void draw_title(const struct map *map, const struct top_state *state,
	struct grid *grid, unsigned int row, size_t shown)
{
	unsigned int col = grid_format(grid, row, 0, LOOK_TITLE,
		"CPUs . housekeeping + shared = reserved ~ settling ! violation - offline");

	if (shown < map->n_rows)
		grid_format(grid, row, col, LOOK_TITLE, " %zu-%zu/%zu",
			state->map_first + 1, state->map_first + shown, map->n_rows);
	grid_paint(grid, row, LOOK_TITLE);
}

void top_draw_map(const struct view *view, struct top_state *state, struct grid *grid,
	unsigned int row, unsigned int rows)
{
	struct map map;
	size_t shown;

	if (!rows)
		return;
	map_init(view, grid->cols, rows - 1, &map);
	if (state->map_first >= map.n_rows)
		state->map_first = map.n_rows ? map.n_rows - 1 : 0;
	/* No further than to where the last one is seen. */
	while (state->map_first && count_shown(&map, state->map_first - 1, rows - 1) ==
					   map.n_rows - state->map_first + 1)
		state->map_first--;
	shown = count_shown(&map, state->map_first, rows - 1);
	draw_title(&map, state, grid, row, shown);
	row++;
	for (size_t i = state->map_first; i < state->map_first + shown; i++) {
		draw_row(&map, i, grid, row);
		row += height_of(&map, i);
	}
	map_deinit(&map);
}
