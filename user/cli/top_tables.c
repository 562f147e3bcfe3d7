// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables: who intrudes, VMs, vCPUs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/top_screen.h"
#include "user/model/cpulist.h"

#define N_COLUMNS(columns) (sizeof(columns) / sizeof(*(columns)))

enum { WIDE = 120 }; /* columns from which on there is room for more */

void top_violations(const struct view *view, const struct view_counts *counts,
	char rate[TOP_TEXT_SIZE], char time[TOP_TEXT_SIZE])
{
	struct tally violations = view_violations(counts);

	top_rate(view_rate(view, violations.count), rate);
	top_time((uint64_t)view_rate(view, violations.ns), time);
}

/* Who intrudes ------------------------------------------------------------------------
 */

enum { C_TASK, C_PID, C_TID, C_CPU, C_VM, C_VCPU, C_CAUSE, C_AGO, C_LENGTH };
static const struct column culprit_columns[] = {
	[C_TASK] = {"WHO INTRUDES", 15, 0, 0, false},
	[C_PID] = {"PID", 7, 0, WIDE, true},
	[C_TID] = {"TID", 7, 0, 0, true},
	[C_CPU] = {"CPU", 4, 0, 0, true},
	[C_VM] = {"VM", 14, 40, 0, false},
	[C_VCPU] = {"VCPU", 4, 0, 0, true},
	[C_CAUSE] = {"CAUSE", 8, 0, 0, false},
	[C_AGO] = {"AGO", 7, 0, 0, true},
	[C_LENGTH] = {"LENGTH", 7, 0, 0, true},
};

static bool is_shown(const struct view *view, const struct top_state *state,
	const struct culprit *culprit)
{
	const struct view_vm *vm = top_vm(view, state);

	return !vm || !strcmp(vm->at->name, culprit->vm);
}

unsigned int top_culprits(const struct view *view, const struct top_state *state)
{
	unsigned int n = 0;

	for (size_t i = 0; i < view->now->n_culprits; i++)
		n += is_shown(view, state, &view->now->culprits[i]);
	return n;
}

static void draw_culprit(const struct view *view, const struct culprit *culprit,
	const struct table *table, struct grid *grid, unsigned int row)
{
	enum look look = culprit->running ? LOOK_ALARM : LOOK_PLAIN;
	char text[TOP_TEXT_SIZE + 4];
	uint64_t ago;

	table_put(table, grid, row, C_TASK, look, *culprit->comm ? culprit->comm : "-");
	snprintf(text, sizeof(text), "%d", culprit->tgid);
	table_put(table, grid, row, C_PID, look, culprit->tgid ? text : "-");
	snprintf(text, sizeof(text), "%d", culprit->tid);
	table_put(table, grid, row, C_TID, look, text);
	snprintf(text, sizeof(text), "%u", culprit->cpu);
	table_put(table, grid, row, C_CPU, look, text);
	table_put(table, grid, row, C_VM, look, *culprit->vm ? culprit->vm : "-");
	snprintf(text, sizeof(text), "%d", culprit->vcpu);
	table_put(table, grid, row, C_VCPU, look, culprit->vcpu < 0 ? "-" : text);
	table_put(table, grid, row, C_CAUSE, look,
		culprit->off_set ? "off_set" : cause_name(culprit->cause));
	ago = view->now->now > culprit->time ? view->now->now - culprit->time : 0;
	top_time(ago, text);
	table_put(table, grid, row, C_AGO, look, culprit->running ? "now" : text);
	top_time(culprit->ns, text);
	table_put(table, grid, row, C_LENGTH, look, text);
}

void top_draw_culprits(const struct view *view, const struct top_state *state,
	struct grid *grid, unsigned int row, unsigned int rows)
{
	unsigned int end = row + rows;
	struct table table;

	if (!rows)
		return;
	table_init(&table, culprit_columns, N_COLUMNS(culprit_columns), grid->cols);
	table_title(&table, grid, row++);
	if (!top_culprits(view, state) && row < end)
		grid_format(grid, row, 0, LOOK_DIM, "%s",
			view->observer == OBSERVER_RUNNING ? "nobody so far"
							   : "not known");
	for (size_t i = 0; i < view->now->n_culprits && row < end; i++)
		if (is_shown(view, state, &view->now->culprits[i]))
			draw_culprit(view, &view->now->culprits[i], &table, grid, row++);
}

/* VMs ---------------------------------------------------------------------------------
 */

enum {
	V_MARK,
	V_NAME,
	V_STATE,
	V_CPUS,
	V_RUN,
	V_WAIT,
	V_FOREIGN,
	V_OFF_SET,
	V_TIME,
	V_USER,
	V_OTHER_VM,
	V_OWN_VM,
	V_KTHREAD,
	V_SETTLING,
	V_INTERFERENCE,
	V_PID,
};
static const struct column vm_columns[] = {
	[V_MARK] = {"", 2, 0, 0, false},
	[V_NAME] = {"VM", 11, 40, 0, false},
	[V_STATE] = {"STATE", 8, 0, 0, false},
	[V_CPUS] = {"CPUS", 12, 20, 0, false},
	[V_RUN] = {"RUN%", 6, 0, 0, true},
	[V_WAIT] = {"WAIT99", 8, 0, 0, true},
	[V_FOREIGN] = {"FOREIGN/s", 9, 0, 0, true},
	[V_OFF_SET] = {"OFFSET/s", 8, 0, 0, true},
	[V_TIME] = {"TIME/s", 8, 0, 0, true},
	[V_USER] = {"USER/s", 6, 0, WIDE, true},
	[V_OTHER_VM] = {"OTHER/s", 7, 0, WIDE, true},
	[V_OWN_VM] = {"OWN/s", 6, 0, WIDE, true},
	[V_KTHREAD] = {"KTHR/s", 6, 0, WIDE, true},
	[V_SETTLING] = {"SETTL/s", 7, 0, WIDE + 20, true},
	[V_INTERFERENCE] = {"INTERF/s", 8, 0, WIDE + 20, true},
	[V_PID] = {"PID", 7, 0, WIDE + 20, true},
};

const struct view_vm *top_vm(const struct view *view, const struct top_state *state)
{
	for (size_t i = 0; state->in_vm && i < view->now->n_vms; i++)
		if (!strcmp(view->vms[i].at->name, state->selected))
			return &view->vms[i];
	return NULL;
}

size_t top_items(const struct view *view, const struct top_state *state)
{
	const struct view_vm *vm = top_vm(view, state);

	return vm ? vm->at->n_vcpus : view->now->n_vms;
}

/* `<33us`: so many percent of the waits were shorter. */
static void wait_text(uint64_t waits, uint64_t bound_ns, char text[TOP_TEXT_SIZE + 4])
{
	*text = '<';
	if (!waits)
		strcpy(text, "-");
	else if (!bound_ns)
		strcpy(text, "long");
	else
		top_time(bound_ns, text + 1);
}

/* Counts are known of it. */
static bool is_counted(const struct view *view)
{
	return view->interval_ns && view->observer != OBSERVER_ABSENT;
}

static void put_rate(const struct view *view, const struct table *table,
	struct grid *grid, unsigned int row, unsigned int column, enum look look,
	uint64_t count)
{
	char text[TOP_TEXT_SIZE];

	top_rate(view_rate(view, count), text);
	table_put(table, grid, row, column, look, is_counted(view) ? text : "-");
}

static enum look look_of(bool intruded, const struct tally *violations)
{
	return intruded || violations->count || violations->ns ? LOOK_ALARM : LOOK_PLAIN;
}

static void draw_vm_rates(const struct view *view, const struct view_vm *vm,
	const struct table *table, struct grid *grid, unsigned int row, enum look look)
{
	const struct view_counts *counts = &vm->counts;
	char rate[TOP_TEXT_SIZE], time[TOP_TEXT_SIZE];

	put_rate(view, table, grid, row, V_FOREIGN, look, tally_foreign(counts->foreign));
	put_rate(view, table, grid, row, V_OFF_SET, look, counts->off_set.count);
	top_violations(view, counts, rate, time);
	table_put(table, grid, row, V_TIME, look, is_counted(view) ? time : "-");
	for (unsigned int cause = 0; cause < CAUSE_COUNT; cause++)
		put_rate(view, table, grid, row, V_USER + cause, look,
			counts->foreign[cause].count);
	put_rate(view, table, grid, row, V_SETTLING, look, counts->settling.count);
	put_rate(
		view, table, grid, row, V_INTERFERENCE, look, counts->interference.count);
}

static void draw_vm(const struct view *view, const struct view_vm *vm,
	const struct table *table, struct grid *grid, unsigned int row, bool selected)
{
	struct tally violations = view_violations(&vm->counts);
	enum look look = selected ? LOOK_SELECTED : look_of(vm->intruded, &violations);
	cleanup_free char *cpus = cpulist_format(&vm->cpus);
	char text[TOP_TEXT_SIZE + 4];

	snprintf(text, sizeof(text), "%c%c", selected ? '>' : ' ', vm->letter);
	table_put(table, grid, row, V_MARK, look, text);
	table_put(table, grid, row, V_NAME, look, vm->at->name);
	table_put(table, grid, row, V_STATE, look, vm->at->state);
	table_put(table, grid, row, V_CPUS, look, cpus && *cpus ? cpus : "-");
	snprintf(text, sizeof(text), "%.1f", (double)vm->run_permille / 10);
	table_put(table, grid, row, V_RUN, look, view->interval_ns ? text : "-");
	wait_text(vm->waits, vm->p99_ns, text);
	table_put(table, grid, row, V_WAIT, look, text);
	draw_vm_rates(view, vm, table, grid, row, look);
	snprintf(text, sizeof(text), "%d", vm->at->pid);
	table_put(table, grid, row, V_PID, look, vm->at->pid ? text : "-");
	if (selected)
		grid_paint(grid, row, LOOK_SELECTED);
}

/* vCPUs -------------------------------------------------------------------------------
 */

enum {
	U_INDEX,
	U_TID,
	U_CPU,
	U_SET,
	U_RUN,
	U_MEAN,
	U_P50,
	U_P99,
	U_FOREIGN,
	U_OFF_SET,
	U_WAITS,
	U_INTERFERENCE,
};
static const struct column vcpu_columns[] = {
	[U_INDEX] = {"  VCPU", 6, 0, 0, false},
	[U_TID] = {"TID", 7, 0, 0, true},
	[U_CPU] = {"CPU", 4, 0, 0, true},
	[U_SET] = {"SET", 8, 40, 0, false},
	[U_RUN] = {"RUN%", 5, 0, 0, true},
	[U_MEAN] = {"WAIT", 6, 0, 0, true},
	[U_P50] = {"WAIT50", 7, 0, 0, true},
	[U_P99] = {"WAIT99", 7, 0, 0, true},
	[U_FOREIGN] = {"FOREIGN/s", 9, 0, 0, true},
	[U_OFF_SET] = {"OFFSET/s", 8, 0, 0, true},
	[U_WAITS] = {"WAITS/s", 7, 0, WIDE, true},
	[U_INTERFERENCE] = {"INTERF/s", 8, 0, WIDE, true},
};

static void draw_vcpu(const struct view *view, const struct view_vcpu *vcpu,
	const struct table *table, struct grid *grid, unsigned int row, bool selected)
{
	struct tally violations = {vcpu->foreign.count + vcpu->off_set.count,
		vcpu->foreign.ns + vcpu->off_set.ns};
	enum look look = selected ? LOOK_SELECTED : look_of(false, &violations);
	char text[TOP_TEXT_SIZE + 4];

	snprintf(
		text, sizeof(text), "%c %d", selected ? '>' : ' ', vcpu->at->tally.index);
	table_put(table, grid, row, U_INDEX, look, text);
	snprintf(text, sizeof(text), "%d", vcpu->at->tally.tid);
	table_put(table, grid, row, U_TID, look, text);
	snprintf(text, sizeof(text), "%d", vcpu->at->last_cpu);
	table_put(table, grid, row, U_CPU, look, text);
	table_put(table, grid, row, U_SET, look, vcpu->at->set);
	snprintf(text, sizeof(text), "%.1f", (double)vcpu->run_permille / 10);
	table_put(table, grid, row, U_RUN, look, vcpu->known ? text : "-");
	top_time(vcpu->mean_ns, text);
	table_put(table, grid, row, U_MEAN, look, vcpu->waits ? text : "-");
	wait_text(vcpu->waits, vcpu->p50_ns, text);
	table_put(table, grid, row, U_P50, look, text);
	wait_text(vcpu->waits, vcpu->p99_ns, text);
	table_put(table, grid, row, U_P99, look, text);
	put_rate(view, table, grid, row, U_FOREIGN, look, vcpu->foreign.count);
	put_rate(view, table, grid, row, U_OFF_SET, look, vcpu->off_set.count);
	put_rate(view, table, grid, row, U_WAITS, look, vcpu->waits);
	put_rate(view, table, grid, row, U_INTERFERENCE, look, vcpu->interference.count);
	if (selected)
		grid_paint(grid, row, LOOK_SELECTED);
}

/* Of what is shown ---------------------------------------------------------------------
 */

static void draw_heading(const struct view *view, const struct view_vm *vm,
	struct grid *grid, unsigned int row)
{
	cleanup_free char *cpus = cpulist_format(&vm->cpus);
	char rate[TOP_TEXT_SIZE], time[TOP_TEXT_SIZE];
	unsigned int col;

	top_violations(view, &vm->counts, rate, time);
	col = grid_put(grid, row, 0, 40, LOOK_PLAIN, vm->at->name);
	grid_format(grid, row, col, LOOK_PLAIN,
		": %s, pid %d, CPUs %s, violations %s/s %s/s%s%s", vm->at->state,
		vm->at->pid, cpus && *cpus ? cpus : "-", rate, time,
		vm->at->reason ? ": " : "", vm->at->reason ? vm->at->reason : "");
}

/* Where the selected one is in that order; the first one where it is gone. */
static size_t find_selected(const struct view *view, const struct top_state *state,
	const struct view_vm *vm, const size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (vm ? vm->at->vcpus[order[i]].tally.index == state->selected_vcpu
		       : !strcmp(view->now->vms[order[i]].name, state->selected))
			return i;
	return 0;
}

static void scroll_to(struct top_state *state, size_t selected, size_t n)
{
	if (selected < state->table_first)
		state->table_first = selected;
	if (selected >= state->table_first + state->page)
		state->table_first = selected - state->page + 1;
	if (state->table_first + state->page > n)
		state->table_first = n > state->page ? n - state->page : 0;
}

void top_draw_table(const struct view *view, struct top_state *state, struct grid *grid,
	unsigned int row, unsigned int rows)
{
	const struct view_vm *vm = top_vm(view, state);
	const struct column *columns = vm ? vcpu_columns : vm_columns;
	size_t n = top_items(view, state), selected;
	cleanup_free size_t *order = calloc(n + 1, sizeof(*order));
	unsigned int above = vm ? 2 : 1;
	struct table table;

	if (!order || rows < above)
		return;
	if (vm)
		view_order_vcpus(vm, state->key, state->reverse, order);
	else
		view_order_vms(view, state->key, state->reverse, order);
	state->page = rows > above ? rows - above : 1;
	selected = find_selected(view, state, vm, order, n);
	if (!state->plain)
		scroll_to(state, selected, n);
	if (vm)
		draw_heading(view, vm, grid, row++);
	table_init(&table, columns, vm ? N_COLUMNS(vcpu_columns) : N_COLUMNS(vm_columns),
		grid->cols);
	table_title(&table, grid, row++);
	if (!n)
		grid_format(grid, row, 0, LOOK_DIM, "%s",
			vm ? "it has no vCPUs" : "no VM is running");
	for (size_t i = state->table_first; i < n && i < state->table_first + state->page;
		i++, row++) {
		bool is_it = !state->plain && i == selected;

		if (vm)
			draw_vcpu(view, &vm->vcpus[order[i]], &table, grid, row, is_it);
		else
			draw_vm(view, &view->vms[order[i]], &table, grid, row, is_it);
	}
}
