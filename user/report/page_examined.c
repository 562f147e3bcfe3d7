// SPDX-License-Identifier: GPL-2.0-or-later
/* Directly below the verdict: what it stands on, and what it could not see. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "user/report/page.h"

#define SECOND UINT64_C(1000000000)

static void put_counts(const struct page *page)
{
	static const struct {
		const char *path, *name, *means;
	} rows[] = {
		{"verdict.off_set", "off_set", "a VM's thread outside its declared set"},
		{"verdict.foreign.user", "foreign, user",
			"a host process on a reserved CPU"},
		{"verdict.foreign.other_vm", "foreign, other_vm",
			"another VM's thread on a reserved CPU"},
		{"verdict.foreign.own_vm", "foreign, own_vm",
			"a thread of the same VM that does not belong on that CPU"},
		{"verdict.foreign.kthread", "foreign, kthread",
			"a kernel thread that could run elsewhere"},
		{"verdict.settling", "settling",
			"no violation: on old CPUs while a change was made"},
	};

	table_begin(
		page, "counts", "Runs that were counted", "Class|What it is|#Runs|#Time");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct json_object *tally = value_at(page->report, rows[i].path);

		row_begin(page);
		head_text(page, rows[i].name);
		cell_text(page, rows[i].means);
		cell_number(page, number_at(tally, "count"));
		cell_duration(page, number_at(tally, "ns"));
	}
	table_end(page);
}

static void put_fact(const struct page *page, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void put_fact(const struct page *page, const char *name, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put(page, "<dt>");
	put_text(page, name);
	put(page, "</dt><dd>");
	put_text(page, text);
	put(page, "</dd>\n");
}

/* `1 d 2 h 3 s` */
static void put_span(const struct page *page, uint64_t seconds)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	const char *space = "";

	if (!seconds)
		put(page, "less than a second");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		uint64_t n = seconds / units[i].seconds;

		if (n) {
			put_format(page, "%s%" PRIu64 " %s", space, n, units[i].name);
			space = " ";
		}
		seconds %= units[i].seconds;
	}
}

static void put_examined(const struct page *page)
{
	struct json_object *observer = value_at(page->report, "observer");
	struct rows reserved = rows_at(observer, "reserved"),
		    vms = rows_at(observer, "vms"), cpus = rows_at(observer, "cpus");

	put(page, "<h3>What was examined</h3>\n<dl>\n");
	put_fact(page, "Context switches", "%" PRIu64 ", each of them, on %zu CPUs",
		number_at(observer, "total.switches"), cpus.n);
	put(page, "<dt>Time</dt><dd>");
	put_span(page, number_at(page->report, "verdict.window_ns") / SECOND);
	put(page, "; observed since ");
	put_moment(page, number_at(observer, "start_ns"));
	put(page, "</dd>\n");
	put_fact(page, "Observed", "%zu VM%s, %zu CPU%s with an owner", vms.n,
		vms.n == 1 ? "" : "s", reserved.n, reserved.n == 1 ? "" : "s");
	put(page, "<dt>Rules</dt><dd>");
	put_format(page, "generation %" PRIu64 ", last changed ",
		number_at(observer, "generation"));
	put_moment(page, number_at(observer, "rules_changed_ns"));
	put(page, "</dd>\n</dl>\n");
}

/* True: it is so, and a line was written. */
static bool put_gap(const struct page *page, uint64_t n, const char *text)
{
	if (!n)
		return false;
	put_format(page, "%" PRIu64 " %s", n, text);
	return true;
}

static void put_missed(const struct page *page)
{
	static const struct {
		const char *path, *text;
	} gaps[] = {
		{"recursion_misses",
			"switches at which the kernel skipped the observer's program"},
		{"unwritten", "runs of threads that had no place among the counters"},
		{"lost_events",
			"events lost: the runs are counted, who they were is not known"},
		{"culprits_full",
			"runs by somebody who had no place of his own among the culprits"},
		{"groups_full", "times that there was no room for all groups of VMs: who "
				"changed one may not be known"},
	};
	struct json_object *observer = value_at(page->report, "observer");

	put(page, "<h3>What could have been missed</h3>\n<ul>\n<li>");
	if (number_at(page->report, "verdict.blind_ns")) {
		put(page, "Blind for ");
		put_duration(page, number_at(page->report, "verdict.blind_ns"));
		put(page, " of the time asked about: what ran then is not known.</li>\n");
	} else {
		put(page, "No moment of the time asked about.</li>\n");
	}
	put(page, "<li>All before ");
	put_moment(page, number_at(observer, "start_ns"));
	put(page,
		", when the observer was started; and on a CPU, as its owner's, all before its rule (see the <a href=\"#cpu-table\">table of CPUs</a>).</li>\n");
	for (size_t i = 0; i < sizeof(gaps) / sizeof(*gaps); i++)
		if (number_at(observer, gaps[i].path)) {
			put(page, "<li>");
			put_gap(page, number_at(observer, gaps[i].path), gaps[i].text);
			put(page, ".</li>\n");
		}
	put(page,
		"<li>Interrupts and softirqs: counted apart, they are no violation.</li>\n");
	if (*text_at(page->report, "evidence.unwatched")) {
		put(page, "<li>");
		put_text(page, text_at(page->report, "evidence.unwatched"));
		put(page, ".</li>\n");
	}
	put(page, "</ul>\n");
}

void page_examined(const struct page *page)
{
	if (value_at(page->report, "observer")) {
		put_examined(page);
		put_missed(page);
	} else {
		put(page, "<h3>What was examined</h3>\n<p>Nothing: ");
		put_text(page, text_at(page->report, "evidence.absent"));
		put(page, ".</p>\n<h3>What could have been missed</h3>\n"
			  "<p>Everything.</p>\n");
	}
	put_counts(page);
}
