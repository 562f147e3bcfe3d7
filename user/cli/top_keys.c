// SPDX-License-Identifier: GPL-2.0-or-later
/* What keys do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/top_screen.h"

/* Selects the row that is so many further down. */
static void move(const struct view *view, struct top_state *state, long by)
{
	const struct view_vm *vm = top_vm(view, state);
	size_t n = top_items(view, state), at = 0;
	cleanup_free size_t *order = calloc(n + 1, sizeof(*order));

	if (!order || !n)
		return;
	if (vm)
		view_order_vcpus(vm, state->key, state->reverse, order);
	else
		view_order_vms(view, state->key, state->reverse, order);
	for (size_t i = 0; i < n; i++)
		if (vm ? vm->at->vcpus[order[i]].tally.index == state->selected_vcpu
		       : !strcmp(view->now->vms[order[i]].name, state->selected))
			at = i;
	if (by < 0 && (size_t)-by > at)
		at = 0;
	else if (by > 0 && (size_t)by >= n - at)
		at = n - 1;
	else
		at += (size_t)by;
	if (vm)
		state->selected_vcpu = vm->at->vcpus[order[at]].tally.index;
	else
		snprintf(state->selected, sizeof(state->selected), "%s",
			view->now->vms[order[at]].name);
}

static bool press_move(const struct view *view, struct top_state *state, int key)
{
	long page = state->page > 1 ? (long)state->page - 1 : 1;

	if (key == TOP_UP || key == 'k')
		move(view, state, -1);
	else if (key == TOP_DOWN || key == 'j')
		move(view, state, 1);
	else if (key == TOP_PAGE_UP)
		move(view, state, -page);
	else if (key == TOP_PAGE_DOWN)
		move(view, state, page);
	else if (key == TOP_HOME)
		move(view, state, -INT32_MAX);
	else if (key == TOP_END)
		move(view, state, INT32_MAX);
	else if (key == '[' && state->map_first)
		state->map_first--;
	else if (key == ']')
		state->map_first++;
	else
		return false;
	return true;
}

static bool press_enter(const struct view *view, struct top_state *state, int key)
{
	if (key == TOP_ENTER && !state->in_vm && view->now->n_vms) {
		move(view, state, 0);
		state->in_vm = true;
		state->selected_vcpu = -1;
	} else if (key == TOP_BACK && state->in_vm) {
		state->in_vm = false;
	} else {
		return false;
	}
	state->table_first = 0;
	return true;
}

static bool press_sort(struct top_state *state, int key)
{
	static const char keys[VIEW_KEYS] = {[VIEW_BY_VIOLATIONS] = 'v',
		[VIEW_BY_WAITS] = 'w',
		[VIEW_BY_RUN] = 'u',
		[VIEW_BY_NAME] = 'n'};

	if (key == 's') {
		state->key = (state->key + 1) % VIEW_KEYS;
		return true;
	}
	if (key == 'r') {
		state->reverse = !state->reverse;
		return true;
	}
	for (int i = 0; i < VIEW_KEYS; i++)
		if (key == keys[i]) {
			state->key = i;
			return true;
		}
	return false;
}

static bool press_time(struct top_state *state, int key)
{
	if (key == 'p' || key == ' ')
		state->paused = !state->paused;
	else if (key == '+' && state->delay_ms / 2 >= TOP_DELAY_MIN)
		state->delay_ms /= 2;
	else if (key == '-' && state->delay_ms * 2 <= TOP_DELAY_MAX)
		state->delay_ms *= 2;
	else if (key == '.' && state->replay && state->at + 1 < state->n_samples)
		state->at++;
	else if (key == ',' && state->replay && state->at)
		state->at--;
	else
		return false;
	if (key == '.' || key == ',')
		state->paused = true;
	return true;
}

bool top_press(const struct view *view, struct top_state *state, int key)
{
	if (key == 'q') {
		state->quit = true;
		return true;
	}
	if (state->help) {
		state->help = false;
		return true;
	}
	if (key == 'h' || key == '?')
		state->help = true;
	else if (key == 'c')
		state->colour = !state->colour;
	else
		return press_move(view, state, key) || press_enter(view, state, key) ||
		       press_sort(state, key) || press_time(state, key);
	return true;
}
