// SPDX-License-Identifier: GPL-2.0-or-later
/* Violations over time with their culprits: what the daemon has kept, and without one
 * what the counters know. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "user/report/page.h"

#define SECOND UINT64_C(1000000000)

enum { BINS = 48, NAMES = 3, KEPT_SHOWN = 200, TALLIES_SHOWN = 200 };

struct bin {
	uint64_t n, longest;
	const char *comms[NAMES]; /* of the first ones that differ */
	bool more;
};

struct history {
	struct rows rows;
	int time, vm, class, cause, cpu, vcpu, pid, comm, ns;
	uint64_t from, to; /* seconds */
	struct bin bins[BINS];
	uint64_t highest;
};

/* 0: it is no time. */
static uint64_t seconds_of(const char *text)
{
	struct tm tm = {};
	time_t seconds;

	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	seconds = timegm(&tm);
	return seconds > 0 ? (uint64_t)seconds : 0;
}

static void add_name(struct bin *bin, const char *comm)
{
	for (int i = 0; i < NAMES; i++) {
		if (!bin->comms[i])
			bin->comms[i] = comm;
		if (!strcmp(bin->comms[i], comm))
			return;
	}
	bin->more = true;
}

static void fill_bins(struct history *history)
{
	for (size_t i = 0; i < history->rows.n; i++) {
		uint64_t at = seconds_of(rows_text(&history->rows, i, history->time)),
			 ns = rows_number(&history->rows, i, history->ns);
		struct bin *bin;

		if (at < history->from || at > history->to)
			continue;
		bin = &history->bins[(at - history->from) * BINS /
				     (history->to - history->from + 1)];
		bin->n++;
		if (ns > bin->longest)
			bin->longest = ns;
		add_name(bin, rows_text(&history->rows, i, history->comm));
		if (bin->n > history->highest)
			history->highest = bin->n;
	}
}

static void history_init(struct history *history, const struct page *page)
{
	struct rows rows = rows_at(page->report, "violations");

	*history = (struct history){.rows = rows,
		.time = rows_column(&rows, "time"),
		.vm = rows_column(&rows, "vm"),
		.class = rows_column(&rows, "class"),
		.cause = rows_column(&rows, "cause"),
		.cpu = rows_column(&rows, "cpu"),
		.vcpu = rows_column(&rows, "vcpu"),
		.pid = rows_column(&rows, "pid"),
		.comm = rows_column(&rows, "comm"),
		.ns = rows_column(&rows, "ns"),
		.to = page->realtime / SECOND};
	if (!rows.n)
		return;
	history->from = seconds_of(rows_text(&rows, 0, history->time));
	/* A clock may have been set back. */
	if (!history->from || history->from > history->to)
		history->to = history->from;
	/* Nobody needs shorter steps than seconds. */
	if (history->to - history->from < BINS)
		history->to = history->from + BINS - 1;
	fill_bins(history);
}

static uint64_t start_of(const struct history *history, int bin)
{
	return history->from + (uint64_t)bin * (history->to - history->from + 1) / BINS;
}

static void put_chart(const struct page *page, const struct history *history)
{
	const unsigned int width = 960, height = 160, step = width / BINS;
	char from[64], to[64];

	format_time(history->from * SECOND, from, sizeof(from));
	format_time(history->to * SECOND, to, sizeof(to));
	fprintf(page->to,
		"<figure>\n<svg viewBox=\"0 0 %u %u\" role=\"img\" "
		"aria-labelledby=\"chart-title chart-desc\" preserveAspectRatio=\"none\">\n"
		"<title id=\"chart-title\">Violations over time</title>\n"
		"<desc id=\"chart-desc\">%d equal spans from %s to %s; the highest has "
		"%" PRIu64 " violations. The table below has the numbers.</desc>\n",
		width, height, BINS, from, to, history->highest);
	fprintf(page->to,
		"<line class=\"grid\" x1=\"0\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/>\n"
		"<line class=\"grid\" x1=\"0\" x2=\"%u\" y1=\"1\" y2=\"1\"/>\n",
		width, height - 1, height - 1, width);
	for (unsigned int i = 0; i < BINS; i++) {
		uint64_t n = history->bins[i].n;
		unsigned int high =
			history->highest
				? (unsigned int)(n * (height - 4) / history->highest)
				: 0;

		if (!n)
			continue;
		high = high < 2 ? 2 : high;
		fprintf(page->to,
			"<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>\n",
			i * step + 1, height - 1 - high, step - 2, high);
	}
	fprintf(page->to,
		"</svg>\n<figcaption><span>%s</span><span>highest: %" PRIu64
		" in %" PRIu64 " s</span><span>%s</span></figcaption>\n</figure>\n",
		from, history->highest, (history->to - history->from + 1) / BINS, to);
}

static void put_bins(const struct page *page, const struct history *history)
{
	table_begin(page, "over-time",
		"Violations by span of time; spans without any are left out",
		"From|#Violations|#Longest|By");
	for (int i = 0; i < BINS; i++) {
		const struct bin *bin = &history->bins[i];
		char from[64];

		if (!bin->n)
			continue;
		format_time(start_of(history, i) * SECOND, from, sizeof(from));
		row_begin(page);
		head_text(page, from);
		cell_number(page, bin->n);
		cell_duration(page, bin->longest);
		put(page, "<td>");
		for (int j = 0; j < NAMES && bin->comms[j]; j++) {
			put(page, j ? ", " : "");
			put_text(page, *bin->comms[j] ? bin->comms[j] : "a task");
		}
		put(page, bin->more ? " and others\n" : "\n");
	}
	table_end(page);
}

/* The latest of them, newest first. */
static void put_kept(const struct page *page, const struct history *history)
{
	const struct rows *rows = &history->rows;

	table_begin(page, "kept", "The latest violations that the daemon has kept",
		"Time|Class|Cause|By|#pid|#CPU|Owner|#Length");
	for (size_t n = 0, i = rows->n; i-- > 0 && n < KEPT_SHOWN; n++) {
		struct json_object *vcpu = rows_cell(rows, i, history->vcpu);

		row_begin(page);
		head_text(page, rows_text(rows, i, history->time));
		cell_text(page, rows_text(rows, i, history->class));
		cell_text(page, rows_text(rows, i, history->cause));
		cell_text(page, rows_text(rows, i, history->comm));
		cell_json(page, rows_cell(rows, i, history->pid));
		cell_json(page, rows_cell(rows, i, history->cpu));
		cell_text(page, rows_text(rows, i, history->vm));
		if (json_object_is_type(vcpu, json_type_int))
			put_format(page, "/vcpu%" PRId64, json_object_get_int64(vcpu));
		cell_duration(page, rows_number(rows, i, history->ns));
		put(page, "\n");
	}
	table_end(page);
}

static void put_history(const struct page *page)
{
	struct json_object *json = value_at(page->report, "violations");
	struct history history;

	if (*text_at(json, "problem")) {
		put(page, "<p>When each of them was is not known: ");
		put_text(page, text_at(json, "problem"));
		put(page, ".</p>\n");
		return;
	}
	history_init(&history, page);
	put(page, "<p>");
	put_format(page, "%zu violations", history.rows.n);
	put(page, " are kept in <code>");
	put_text(page, text_at(json, "file"));
	put(page, "</code>, of this observer or an earlier one.");
	if (true_at(json, "cut"))
		put(page, " There are older ones, which were left out.");
	if (number_at(json, "unheard"))
		put_format(page, " Of %" PRIu64 " more the daemon knew the number only.",
			number_at(json, "unheard"));
	if (number_at(json, "damaged_lines"))
		put_format(page, " %" PRIu64 " lines of the file make no sense.",
			number_at(json, "damaged_lines"));
	put(page, "</p>\n");
	if (!history.rows.n)
		return;
	put_chart(page, &history);
	put_bins(page, &history);
	put_kept(page, &history);
}

static void put_culprits(const struct page *page)
{
	struct rows rows = rows_at(page->report, "observer.culprits");
	int vm = rows_column(&rows, "vm"), class = rows_column(&rows, "class"),
	    cause = rows_column(&rows, "cause"), comm = rows_column(&rows, "comm"),
	    count = rows_column(&rows, "count"), ns = rows_column(&rows, "ns"),
	    time = rows_column(&rows, "time_ns"), pid = rows_column(&rows, "pid"),
	    cpu = rows_column(&rows, "cpu");

	if (!rows.n)
		return;
	table_begin(page, "culprits", "Who was longest where he should not have been",
		"By|Class|Cause|On CPUs, or of|#Runs|#Their time|Latest|#Its pid|#Its CPU");
	for (size_t i = 0; i < rows.n && i < TALLIES_SHOWN; i++) {
		const char *name = rows_text(&rows, i, comm);

		row_begin(page);
		head_text(page, *name ? name : "others, who had no place of their own");
		cell_text(page, rows_text(&rows, i, class));
		cell_text(page, rows_text(&rows, i, cause));
		cell_text(page, rows_text(&rows, i, vm));
		cell_number(page, rows_number(&rows, i, count));
		cell_duration(page, rows_number(&rows, i, ns));
		cell_moment(page, rows_number(&rows, i, time));
		cell_json(page, rows_cell(&rows, i, pid));
		cell_json(page, rows_cell(&rows, i, cpu));
		put(page, "\n");
	}
	table_end(page);
	put(page,
		"<p>Class bound_kthread is no violation: such a kernel thread cannot run elsewhere.</p>\n");
}

static void put_latest(const struct page *page)
{
	struct rows rows = rows_at(page->report, "observer.latest");
	int vm = rows_column(&rows, "vm"), cause = rows_column(&rows, "cause"),
	    comm = rows_column(&rows, "comm"), ns = rows_column(&rows, "ns"),
	    time = rows_column(&rows, "time_ns"), pid = rows_column(&rows, "pid"),
	    cpu = rows_column(&rows, "cpu"), off = rows_column(&rows, "off_set"),
	    running = rows_column(&rows, "running");

	if (!rows.n)
		return;
	table_begin(page, "latest", "The latest violation on each CPU",
		"#CPU|Owner|Class|Cause|By|#pid|Until|#Length");
	for (size_t i = 0; i < rows.n; i++) {
		bool off_set = json_object_get_boolean(rows_cell(&rows, i, off));

		row_begin(page);
		fprintf(page->to, "<th scope=\"row\" class=n>%" PRIu64,
			rows_number(&rows, i, cpu));
		cell_text(page, rows_text(&rows, i, vm));
		cell_text(page, off_set ? "off_set" : "foreign");
		cell_text(page, off_set ? "" : rows_text(&rows, i, cause));
		cell_text(page, rows_text(&rows, i, comm));
		cell_json(page, rows_cell(&rows, i, pid));
		if (json_object_get_boolean(rows_cell(&rows, i, running)))
			cell_text(page, "still on");
		else
			cell_moment(page, rows_number(&rows, i, time));
		cell_duration(page, rows_number(&rows, i, ns));
		put(page, "\n");
	}
	table_end(page);
}

void page_violations(const struct page *page)
{
	section_begin(page, "violations", "Violations over time");
	if (*text_at(page->report, "evidence.culprit")) {
		put(page, "<p>The latest: ");
		put_text(page, text_at(page->report, "evidence.culprit"));
		put(page, ".</p>\n");
	} else {
		put(page, "<p>The observer knows of none.</p>\n");
	}
	put_history(page);
	put_culprits(page);
	put_latest(page);
	section_end(page);
}
