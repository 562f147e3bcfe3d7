// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hostcheck`: what could still disturb reserved CPUs. Exit status: 0 where nothing is
 * left to do, EXIT_CHANGES_PENDING where a row is fixable, needs a boot flag or is a
 * warning, else EXIT_FAILURE where something could not be read.
 */
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/hostcheck_parts.h"
#include "user/control/mend.h"
#include "user/control/reserved.h"
#include "user/model/cpulist.h"
#include "user/store/lock.h"

struct view {
	const struct request *request;
	struct cycle cycle;
	struct reserved reserved;
	struct host_facts facts;
	struct mends mends;
	struct hostcheck check;
	struct json_object *done, *failed;
	bool has_failed;
};

static int read_facts(struct view *view, struct problem *problem)
{
	return hostcheck_facts(
		view->request->folders.run, &view->facts, &view->mends, problem);
}

static void note_done(const char *text, void *data)
{
	struct view *view = data;

	if (view->request->json)
		json_object_array_add(view->done, json_object_new_string(text));
	else
		printf("%s\n", text);
}

static void note_failed(const char *text, void *data)
{
	struct view *view = data;

	view->has_failed = true;
	fflush(stdout);
	fprintf(stderr, "cpuwarden: %s\n", text);
	json_object_array_add(view->failed, json_object_new_string(text));
}

static int fix(struct view *view, struct problem *problem)
{
	const struct mend_report report = {
		.done = note_done, .failed = note_failed, .data = view};
	int r;

	if (view->reserved.would_be) {
		note_failed("no CPU is reserved: there is nothing to mend yet", view);
		return 0;
	}
	r = control_mend("/", view->request->folders.run, &view->facts, &view->reserved,
		&view->cycle.topology.online, &report, problem);
	return r < 0 ? r : read_facts(view, problem);
}

static int view_read(struct view *view, struct problem *problem)
{
	int r;

	r = cycle_read(&view->request->folders, &view->cycle, problem);
	if (r)
		return r;
	r = reserved_read(&view->cycle, &view->reserved, problem);
	if (!r)
		r = read_facts(view, problem);
	if (!r && view->request->fix)
		r = fix(view, problem);
	if (!r && hostcheck_compute(&view->facts, &view->reserved, &view->cycle.topology,
			  &view->check))
		r = problem_nomem(problem);
	return r;
}

static void view_deinit(struct view *view)
{
	hostcheck_deinit(&view->check);
	mends_deinit(&view->mends);
	host_facts_deinit(&view->facts);
	cycle_deinit(&view->cycle);
	json_object_put(view->done);
	json_object_put(view->failed);
}

static void print_json(const struct view *view)
{
	struct json_object *json = cli_json(view->request);
	struct json_object *rows = json_object_new_array();

	json_object_object_add(
		json, "reserved", json_object_new_boolean(!view->reserved.would_be));
	cli_json_cpus(json, "cpus", &view->reserved.cpus);
	for (size_t i = 0; i < view->check.n_rows; i++)
		json_object_array_add(rows, hostcheck_row_json(&view->check.rows[i]));
	json_object_object_add(json, "rows", rows);
	json_object_object_add(json, "done", json_object_get(view->done));
	json_object_object_add(json, "failed", json_object_get(view->failed));
	cli_json_print(json);
}

enum column { SUBJECT, CPUS, STATE, FOUND, COLUMNS };

static void add_line(struct libscols_table *table, const struct check_row *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	cleanup_free char *cpus = cpulist_format(&row->cpus);

	if (!line)
		return;
	scols_line_set_data(line, SUBJECT, row->subject);
	scols_line_set_data(line, CPUS, cpus);
	scols_line_set_data(line, STATE, check_state_name(row->state));
	scols_line_set_data(line, FOUND, row->found);
}

static int print_table(const struct view *view)
{
	static const char *const names[COLUMNS] = {"SUBJECT", "CPUS", "STATE", "FOUND"};
	struct libscols_table *table = scols_new_table();

	if (!table)
		return -ENOMEM;
	for (int i = 0; i < COLUMNS; i++)
		cli_column(table, names[i], i == FOUND ? SCOLS_FL_WRAP : 0);
	for (size_t i = 0; i < view->check.n_rows; i++)
		add_line(table, &view->check.rows[i]);
	scols_print_table(table);
	scols_unref_table(table);
	return 0;
}

static void print_remedies(const struct view *view)
{
	printf("\nTo do:\n");
	for (size_t i = 0; i < view->check.n_rows; i++) {
		const struct check_row *row = &view->check.rows[i];
		cleanup_free char *cpus = cpulist_format(&row->cpus);

		if (row->remedy)
			printf("  %s %s: %s\n      %s\n", row->subject, cpus,
				row->meaning, row->remedy);
	}
}

/* Rows of a subject stand together. */
static void print_sources(const struct view *view)
{
	const char *before = "";

	printf("\nRead from, and documented in:\n");
	for (size_t i = 0; i < view->check.n_rows; i++) {
		const struct check_row *row = &view->check.rows[i];

		if (strcmp(row->subject, before))
			printf("  %-20s  %s\n  %-20s  %s\n", row->subject, row->source,
				"", row->documented);
		before = row->subject;
	}
}

static bool has_things_to_do(const struct hostcheck *check)
{
	return hostcheck_has(check, CHECK_FIXABLE) ||
	       hostcheck_has(check, CHECK_NEEDS_BOOT) ||
	       hostcheck_has(check, CHECK_WARNING);
}

static int print_text(const struct view *view)
{
	cleanup_free char *cpus = cpulist_format(&view->reserved.cpus);

	if (view->reserved.would_be)
		printf("No CPU is reserved; those that policy may reserve: %s\n\n", cpus);
	else
		printf("Reserved CPUs: %s\n\n", cpus);
	if (print_table(view))
		return -ENOMEM;
	if (has_things_to_do(&view->check))
		print_remedies(view);
	print_sources(view);
	if (view->mends.n_items)
		printf("\nSettings that --fix has changed: %zu. "
		       "`cpuwarden release --host` puts them back.\n",
			view->mends.n_items);
	return 0;
}

/* Nothing to do is no success where --fix has failed. */
static int exit_status(const struct hostcheck *check, bool failed)
{
	if (has_things_to_do(check))
		return EXIT_CHANGES_PENDING;
	return failed || hostcheck_has(check, CHECK_UNKNOWN) ? EXIT_FAILURE
							     : EXIT_SUCCESS;
}

int verb_hostcheck(const struct request *request)
{
	CLEANUP(view_deinit)
	struct view view = {.request = request,
		.cycle.hierarchy.root = -1,
		.done = json_object_new_array(),
		.failed = json_object_new_array()};
	cleanup_close int lock = -1;
	struct problem problem = {};
	int r = 0;

	if (request->fix)
		r = lock_take(request->folders.run, LOCK_SECONDS, &lock, &problem);
	if (!r)
		r = view_read(&view, &problem);
	if (r)
		return cli_fail(&problem);
	if (request->json)
		print_json(&view);
	else if (print_text(&view)) {
		problem_nomem(&problem);
		return cli_fail(&problem);
	}
	return exit_status(&view.check, view.has_failed);
}
