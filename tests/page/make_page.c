// SPDX-License-Identifier: GPL-2.0-or-later
/* make_page KIND: the page of a host that is not there, on standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/page/fixture.h"
#include "user/report/report.h"

static const struct {
	const char *name;
	struct fixture fixture;
} kinds[] = {
	/* Each CPU but two belongs to a vCPU, the last VM's rules have no CPU. */
	{"big", {.cpus = 256, .vms = 64, .vcpus = 4, .violations = 2000}},
	{"one", {.cpus = 8, .vms = 1, .vcpus = 2, .clean = true}},
	{"hostile", {.cpus = 8, .vms = 2, .vcpus = 3, .violations = 9, .hostile = true}},
	{"blind", {.cpus = 4, .vms = 1, .vcpus = 2, .absent = true}},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct counters counters;
		struct json_object *report;
		struct problem problem;
		char *page;
		int r;

		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		counters = fixture_counters(&kinds[i].fixture);
		report = fixture_report(&kinds[i].fixture, &counters);
		r = report_seal(report, &problem);
		if (!r)
			r = report_page(report, &page);
		if (!r) {
			fputs(page, stdout);
			free(page);
		}
		counters_deinit(&counters);
		json_object_put(report);
		return r ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	fprintf(stderr, "usage: make_page big|one|hostile|blind\n");
	return 2;
}
