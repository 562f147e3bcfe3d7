// SPDX-License-Identifier: GPL-2.0-or-later
/* How long vCPUs waited to run, as a heat map: a row a vCPU, a column a length, and in
 * each cell how many of a hundred waits. */
#include <inttypes.h>
#include <string.h>

#include "user/base/text.h"
#include "user/model/counters.h"
#include "user/report/page.h"

enum { VCPUS_SHOWN = 4096 };

struct waits {
	struct rows rows, vms;
	int class, index, vm, name, switches, wait_ns, first;
	unsigned int used; /* buckets that anybody has anything in */
};

static bool is_shown(const struct waits *waits, size_t row)
{
	return !strcmp(rows_text(&waits->rows, row, waits->class), "vcpu");
}

static uint64_t bucket_of(const struct waits *waits, size_t row, unsigned int bucket)
{
	return rows_number(&waits->rows, row, waits->first + (int)bucket);
}

static void waits_init(struct waits *waits, const struct page *page)
{
	waits->rows = rows_at(page->report, "observer.threads");
	waits->vms = rows_at(page->report, "observer.vms");
	waits->class = rows_column(&waits->rows, "class");
	waits->index = rows_column(&waits->rows, "index");
	waits->vm = rows_column(&waits->rows, "vm");
	waits->name = rows_column(&waits->vms, "name");
	waits->switches = rows_column(&waits->rows, "switches");
	waits->wait_ns = rows_column(&waits->rows, "wait_ns");
	waits->first = rows_column(&waits->rows, "wait_0");
	waits->used = 1;
	for (size_t i = 0; waits->first >= 0 && i < waits->rows.n; i++)
		for (unsigned int j = waits->used; j < WAIT_BUCKETS; j++)
			if (is_shown(waits, i) && bucket_of(waits, i, j))
				waits->used = j + 1;
}

/* Colours are by powers, since what matters is rare. */
static void put_share(const struct page *page, uint64_t n, uint64_t all)
{
	/* In thousandths of a percent. */
	uint64_t share = all ? (uint64_t)(100000.0L * n / all) : 0;
	unsigned int heat = !n		    ? 0
			    : share < 10    ? 1
			    : share < 100   ? 2
			    : share < 1000  ? 3
			    : share < 10000 ? 4
			    : share < 50000 ? 5
					    : 6;

	if (!n)
		put(page, "<td class=h0>0");
	else if (share < 10)
		put(page, "<td class=h1>&lt;.01");
	else if (share < 10000)
		fprintf(page->to, "<td class=h%u>%.2f", heat, (double)share / 1000);
	else
		fprintf(page->to, "<td class=h%u>%.0f", heat, (double)share / 1000);
}

static void put_row(const struct page *page, const struct waits *waits, size_t row)
{
	uint64_t all = 0, switches = rows_number(&waits->rows, row, waits->switches);
	struct json_object *vm = rows_cell(&waits->rows, row, waits->vm);

	for (unsigned int i = 0; i < WAIT_BUCKETS; i++)
		all += bucket_of(waits, row, i);
	row_begin(page);
	head_text(page, json_object_is_type(vm, json_type_int)
				? rows_text(&waits->vms,
					  (size_t)json_object_get_uint64(vm), waits->name)
				: "gone");
	put_format(page, "/vcpu%" PRIu64, rows_number(&waits->rows, row, waits->index));
	cell_number(page, switches);
	cell_duration(page,
		switches ? rows_number(&waits->rows, row, waits->wait_ns) / switches : 0);
	for (unsigned int i = 0; i < waits->used; i++)
		put_share(page, bucket_of(waits, row, i), all);
	put(page, "\n");
}

static void put_heads(const struct waits *waits, char *columns, size_t size)
{
	size_t n = (size_t)snprintf(columns, size, "vCPU|#Runs|#Mean wait");

	for (unsigned int i = 0; i < waits->used; i++) {
		uint64_t bound = wait_bound(i);
		char text[32];

		duration_format(bound ? bound : wait_bound(i - 1), text, sizeof(text));
		n += (size_t)snprintf(
			columns + n, size - n, "|#%s %s", bound ? "below" : "from", text);
	}
}

void page_waits(const struct page *page)
{
	struct waits waits;
	char columns[1024];
	size_t shown = 0;

	waits_init(&waits, page);
	section_begin(page, "waits", "Waits by vCPU");
	for (size_t i = 0; i < waits.rows.n; i++)
		shown += is_shown(&waits, i);
	if (!shown || waits.first < 0) {
		put(page, "<p>No vCPU is known to the observer.</p>\n");
		section_end(page);
		return;
	}
	put(page,
		"<p>From runnable to running. Each number is the percentage of the vCPU's "
		"waits that were so long and not shorter; the stronger the colour, the more.</p>\n");
	put_heads(&waits, columns, sizeof(columns));
	table_begin(page, "heat", "Waits of each vCPU by length, in percent", columns);
	shown = 0;
	for (size_t i = 0; i < waits.rows.n && shown < VCPUS_SHOWN; i++)
		if (is_shown(&waits, i)) {
			put_row(page, &waits, i);
			shown++;
		}
	table_end(page);
	section_end(page);
}
