// SPDX-License-Identifier: GPL-2.0-or-later
/* `top`: a live view, of this host or of a recording. */
#include "user/cli/top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/cli/top_curses.h"
#include "user/cli/top_screen.h"
#include "user/control/sampler.h"
#include "user/store/recording.h"

/* The first interval is short: rates are what one came for. */
enum { FIRST_MS = 500 };

struct source {
	struct sampler *sampler;     /* this host, or */
	struct recording *recording; /* what is recorded */
	int record;		     /* where to; -1: nowhere */
	struct sample before, now;
	bool has_before;
	size_t at; /* of the recording */
	struct view view;
};

static void source_deinit(struct source *source)
{
	view_deinit(&source->view);
	sample_deinit(&source->before);
	sample_deinit(&source->now);
	recording_close(source->recording);
	sampler_free(source->sampler);
	if (source->record >= 0)
		close(source->record);
}

static int source_open(
	const struct request *request, struct source *source, struct problem *problem)
{
	int r;

	if (request->replay)
		return recording_open(request->replay, &source->recording, problem);
	r = cli_check_privileges(request, problem);
	if (!r && request->record)
		r = recording_create(request->record, &source->record, problem);
	if (!r)
		r = sampler_new(&request->folders, &source->sampler, problem);
	return r;
}

static int compute(struct source *source, struct problem *problem)
{
	view_deinit(&source->view);
	if (view_compute(source->has_before ? &source->before : NULL, &source->now,
		    &source->view))
		return problem_nomem(problem);
	return 0;
}

/* Another reading of this host. */
static int take(struct source *source, bool first, struct problem *problem)
{
	struct sample sample;
	int r = sampler_take(source->sampler, &sample, problem);

	if (r)
		return r;
	/* Before what it points into goes. */
	view_deinit(&source->view);
	sample_deinit(&source->before);
	source->before = source->now;
	source->has_before = !first;
	source->now = sample;
	if (source->record >= 0)
		r = recording_append(source->record, &source->now, problem);
	return r ? r : compute(source, problem);
}

/* Sample `at` of the recording, after the one before it. */
static int load(struct source *source, size_t at, struct problem *problem)
{
	int r = 0;

	view_deinit(&source->view);
	sample_deinit(&source->before);
	sample_deinit(&source->now);
	source->has_before = at > 0;
	if (at)
		r = recording_read(source->recording, at - 1, &source->before, problem);
	if (!r)
		r = recording_read(source->recording, at, &source->now, problem);
	source->at = at;
	return r ? r : compute(source, problem);
}

/* One interval; of a recording the last one. */
static int read_once(
	struct source *source, unsigned int delay_ms, struct problem *problem)
{
	const struct timespec pause = {
		.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000L};
	int r;

	if (source->recording)
		return load(source, recording_length(source->recording) - 1, problem);
	r = take(source, true, problem);
	if (r)
		return r;
	nanosleep(&pause, NULL);
	return take(source, false, problem);
}

static int print_once(const struct view *view, struct top_state *state)
{
	unsigned int cols = terminal_cols();
	cleanup_free char *text = malloc(cols + 1);
	struct grid grid;

	state->plain = true;
	if (!text || grid_init(top_plain_rows(view, state, cols), cols, &grid))
		return -ENOMEM;
	top_draw(view, state, &grid);
	for (unsigned int row = 0; row < grid.rows; row++) {
		grid_row(&grid, row, text);
		if (*text || row + 1 < grid.rows)
			puts(text);
	}
	grid_deinit(&grid);
	return 0;
}

static int show(
	const struct source *source, struct top_state *state, struct problem *problem)
{
	struct grid grid;

	if (terminal_grid(&grid))
		return problem_nomem(problem);
	top_draw(&source->view, state, &grid);
	terminal_show(&grid, state->colour);
	grid_deinit(&grid);
	return 0;
}

static int advance(
	struct source *source, struct top_state *state, struct problem *problem)
{
	if (!source->recording)
		return take(source, false, problem);
	if (state->at + 1 < state->n_samples)
		state->at++;
	return state->at == source->at ? 0 : load(source, state->at, problem);
}

/* What was typed, until the next reading is due. */
static int attend(struct source *source, struct top_state *state, uint64_t due,
	struct problem *problem)
{
	while (!state->quit) {
		uint64_t now = clock_now_ns();
		int key, r = 0;

		if (now >= due && !state->paused)
			return 0;
		key = terminal_key(
			state->paused ? UINT64_C(3600) * 1000000000 : due - now);
		if (key == TERMINAL_END)
			state->quit = true;
		else if (key >= 0)
			top_press(&source->view, state, key);
		if (source->recording && state->at != source->at)
			r = load(source, state->at, problem);
		if (!r && key != TERMINAL_NOTHING && !state->quit)
			r = show(source, state, problem);
		if (r)
			return r;
	}
	return 0;
}

static int run(struct source *source, struct top_state *state, struct problem *problem)
{
	unsigned int wait_ms = state->delay_ms < FIRST_MS ? state->delay_ms : FIRST_MS;
	int r;

	if (source->recording)
		wait_ms = state->delay_ms;
	r = source->recording ? load(source, state->at, problem)
			      : take(source, true, problem);
	while (!r && !state->quit) {
		uint64_t due = clock_now_ns() + (uint64_t)wait_ms * 1000000;

		r = show(source, state, problem);
		if (!r)
			r = attend(source, state, due, problem);
		if (!r && !state->quit)
			r = advance(source, state, problem);
		wait_ms = state->delay_ms;
	}
	return r;
}

int verb_top(const struct request *request)
{
	struct source source = {.record = -1};
	struct top_state state = {.delay_ms = request->delay_ms, .selected_vcpu = -1};
	struct problem problem = {};
	int r;

	if (request->record && request->replay) {
		problem_set(&problem, 0, "--record and --replay exclude each other");
		return cli_misused(&problem);
	}
	r = source_open(request, &source, &problem);
	if (!r && source.recording) {
		state.replay = true;
		state.n_samples = recording_length(source.recording);
		state.at = state.n_samples > 1;
	}
	if (!r && (request->json || request->once)) {
		r = read_once(&source, state.delay_ms, &problem);
		state.at = source.at;
		if (!r && request->json)
			top_print_json(request, &source.view);
		else if (!r && print_once(&source.view, &state))
			r = problem_nomem(&problem);
	} else if (!r) {
		r = terminal_open(&state.colour, &problem);
		if (!r)
			r = run(&source, &state, &problem);
		terminal_close();
	}
	source_deinit(&source);
	return r ? cli_fail(&problem) : EXIT_SUCCESS;
}
