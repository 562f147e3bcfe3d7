// SPDX-License-Identifier: GPL-2.0-or-later
/* What does not go into the verdict: placement, drift, isolation; and what is needed to
 * come to the verdict again. */
#include <inttypes.h>
#include <string.h>

#include "user/report/page.h"

enum { THREADS_SHOWN = 8192 };

static struct json_object *item(struct json_object *list, size_t i)
{
	return json_object_array_get_idx(list, i);
}

static void put_vm(const struct page *page, struct json_object *vm)
{
	struct json_object *rules = value_at(vm, "rules");

	row_begin(page);
	head_text(page, text_at(vm, "name"));
	cell_json(page, value_at(vm, "pid"));
	cell_text(page, text_at(vm, "state"));
	cell_text(page, text_at(vm, "reason"));
	cell_text(page, text_at(vm, "policy"));
	cell_text(page, text_at(vm, "layout"));
	cell_text(page, text_at(vm, "guard"));
	cell_text(page, text_at(rules, "owned"));
	if (rules)
		cell_moment(page, number_at(rules, "since_ns"));
	else
		cell_text(page, "not known to the observer");
	put(page, "\n");
}

static void put_degraded(const struct page *page, struct json_object *vms)
{
	const char *repaired = text_at(page->report, "evidence.repaired");
	size_t n = 0;

	put(page, "<h3>Degradations</h3>\n");
	for (size_t i = 0; i < list_length(vms); i++) {
		const char *state = text_at(item(vms, i), "state");

		if (strcmp(state, "degraded") != 0 && strcmp(state, "pending") != 0)
			continue;
		put(page, n++ ? "<li>" : "<ul>\n<li>");
		put_text(page, text_at(item(vms, i), "name"));
		put(page, " is ");
		put_text(page, state);
		put(page, ": ");
		put_text(page, text_at(item(vms, i), "reason"));
		put(page, "</li>\n");
	}
	put(page, n ? "</ul>\n" : "<p>None.</p>\n");
	if (*repaired) {
		put(page, "<p>");
		put_text(page, repaired);
		put(page, ".</p>\n");
	}
}

static void put_threads(const struct page *page, struct json_object *vm, size_t *n)
{
	struct rows rows = rows_at(vm, "threads");
	static const char *const columns[] = {"tid", "comm", "declared", "effective",
		"last_cpu", "partition", "cgroup"};
	int class = rows_column(&rows, "class"), index = rows_column(&rows, "index");

	for (size_t i = 0; i < rows.n && *n < THREADS_SHOWN; i++, ++*n) {
		const char *name = rows_text(&rows, i, class);

		row_begin(page);
		head_text(page, text_at(vm, "name"));
		put(page, "/");
		put_text(page, name);
		if (!strcmp(name, "vcpu") || !strcmp(name, "iothread"))
			put_format(page, "%" PRIu64, rows_number(&rows, i, index));
		for (size_t j = 0; j < sizeof(columns) / sizeof(*columns); j++)
			cell_json(page,
				rows_cell(&rows, i, rows_column(&rows, columns[j])));
		put(page, "\n");
	}
}

static void put_partitions(const struct page *page)
{
	struct json_object *list = value_at(page->report, "partitions");

	if (!list_length(list)) {
		put(page, "<p>There is no partition.</p>\n");
		return;
	}
	table_begin(page, "partitions", "Partitions, with the kernel's own reasons",
		"Group|Partition|CPUs|Effective|Exclusive");
	for (size_t i = 0; i < list_length(list); i++) {
		row_begin(page);
		head_text(page, text_at(item(list, i), "cgroup"));
		cell_text(page, text_at(item(list, i), "partition"));
		cell_text(page, text_at(item(list, i), "cpus"));
		cell_text(page, text_at(item(list, i), "effective"));
		cell_text(page, text_at(item(list, i), "exclusive"));
		put(page, "\n");
	}
	table_end(page);
}

void page_placement(const struct page *page)
{
	struct json_object *vms = value_at(page->report, "vms");
	size_t n = 0;

	section_begin(page, "placement", "Placement");
	if (*text_at(page->report, "host.groups_problem")) {
		put(page, "<p>VMs can only be watched here: ");
		put_text(page, text_at(page->report, "host.groups_problem"));
		put(page, ".</p>\n");
	}
	put_degraded(page, vms);
	if (!list_length(vms)) {
		put(page, "<p>No VM is running.</p>\n");
		section_end(page);
		return;
	}
	put(page, "<h3>VMs</h3>\n");
	table_begin(page, "vms", "VMs and the rules in force for them",
		"VM|#pid|State|Reason|Policy|Layout|Guard|Own CPUs|Rules since");
	for (size_t i = 0; i < list_length(vms); i++)
		put_vm(page, item(vms, i));
	table_end(page);
	put_partitions(page);
	table_begin(page, "threads",
		"Threads: where they are declared and allowed to run",
		"Thread|#tid|Name|Declared|Allowed|#Last CPU|Partition|Group");
	for (size_t i = 0; i < list_length(vms); i++)
		put_threads(page, item(vms, i), &n);
	table_end(page);
	section_end(page);
}

static void put_target(const struct page *page, struct json_object *note)
{
	put(page, "<td>");
	if (number_at(note, "target.tid")) {
		put_text(page, text_at(note, "target.comm"));
		put_format(page, " (thread %" PRIu64 ")", number_at(note, "target.tid"));
		return;
	}
	put_text(page, text_at(note, "target.group"));
	put(page, " ");
	put_text(page, text_at(note, "target.file"));
}

void page_drift(const struct page *page)
{
	struct json_object *notes = value_at(page->report, "drift.notes");

	section_begin(page, "drift", "Drift, and by whom");
	put(page,
		"<p>Affinities, groups and partitions that somebody else changed, and what "
		"the guard refused. ");
	put_format(page, "%" PRIu64 " since the observer's start",
		number_at(page->report, "drift.total"));
	put(page, "; the latest are kept.</p>\n");
	if (!list_length(notes)) {
		put(page, "<p>None is known.</p>\n");
		section_end(page);
		return;
	}
	table_begin(page, "drifts", "Changes by others, newest first",
		"Time|VM|What|Of|Before|After|By|#pid|Its group|Result");
	for (size_t i = 0; i < list_length(notes); i++) {
		struct json_object *note = item(notes, i);

		row_begin(page);
		put(page, "<th scope=\"row\">");
		put_moment(page, number_at(note, "time_ns"));
		cell_text(page, text_at(note, "vm"));
		cell_text(page, text_at(note, "kind"));
		put_target(page, note);
		cell_text(page, text_at(note, "before"));
		cell_text(page, text_at(note, "after"));
		cell_text(page, text_at(note, "by.comm"));
		cell_number(page, number_at(note, "by.pid"));
		cell_text(page, text_at(note, "by.cgroup"));
		cell_text(page, json_object_get_int(value_at(note, "result")) ? "refused"
									      : "done");
		put(page, "\n");
	}
	table_end(page);
	section_end(page);
}

void page_isolation(const struct page *page)
{
	struct json_object *rows = value_at(page->report, "isolation.rows");

	section_begin(page, "isolation", "Isolation depth");
	put(page, "<p>What could still disturb CPUs ");
	put_text(page, text_at(page->report, "isolation.cpus"));
	put(page, true_at(page->report, "isolation.reserved")
			  ? ", which are reserved.</p>\n"
			  : ", which policy may reserve: none is reserved now.</p>\n");
	if (*text_at(page->report, "isolation.problem")) {
		put(page, "<p>It could not be read: ");
		put_text(page, text_at(page->report, "isolation.problem"));
		put(page, ".</p>\n");
	}
	if (!list_length(rows)) {
		section_end(page);
		return;
	}
	table_begin(page, "depth", "Each thing that could disturb them",
		"Subject|CPUs|State|Found|Meaning|Remedy|Read from|Documented in");
	for (size_t i = 0; i < list_length(rows); i++) {
		static const char *const columns[] = {"cpus", "state", "found", "meaning",
			"remedy", "source", "documented"};

		row_begin(page);
		head_text(page, text_at(item(rows, i), "subject"));
		for (size_t j = 0; j < sizeof(columns) / sizeof(*columns); j++)
			cell_text(page, text_at(item(rows, i), columns[j]));
		put(page, "\n");
	}
	table_end(page);
	section_end(page);
}

static void put_term(const struct page *page, const char *name, const char *value)
{
	put(page, "<dt>");
	put_text(page, name);
	put(page, "</dt><dd>");
	put_text(page, *value ? value : "-");
	put(page, "</dd>\n");
}

void page_evidence(const struct page *page)
{
	section_begin(page, "evidence", "Evidence");
	put(page,
		"<p>This page carries all of it as JSON. On any machine, without root,</p>\n"
		"<pre tabindex=\"0\"><code>cpuwarden report --verify FILE</code></pre>\n"
		"<p>computes sums, verdict and digest again, and this page from the data. "
		"The digest is no signature: whoever changes the data can make a new one, so "
		"keep it elsewhere. Counters of VMs that have ended are gone; lengths of waits "
		"and runs stand alone and are covered by the digest only.</p>\n<dl>\n");
	put_term(page, "Digest (SHA-256)", text_at(page->report, "digest"));
	put_term(page, "Observer's program (hash)",
		text_at(page->report, "observer.program_hash"));
	put(page, "<dt>Generation of the rules</dt><dd>");
	put_format(page, "%" PRIu64, number_at(page->report, "observer.generation"));
	put(page, "</dd>\n");
	put_term(page, "Kernel", text_at(page->report, "host.kernel"));
	put_term(page, "Kernel's build", text_at(page->report, "host.kernel_build"));
	put_term(page, "cpuwarden", text_at(page->report, "made.program"));
	put_term(page, "Form of this page", text_at(page->report, "made.page_form"));
	put_term(page, "CPUs online", text_at(page->report, "evidence.online"));
	put_term(page, "Seen to count while it was read",
		true_at(page->report, "evidence.alive") ? "yes" : "no");
	put(page,
		"</dl>\n<p>Rules in force and when they changed, and what was examined on "
		"each CPU: see the <a href=\"#cpu-table\">table of CPUs</a>.</p>\n");
	section_end(page);
}
