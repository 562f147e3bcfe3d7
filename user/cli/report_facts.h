/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Parts of a report that no verdict depends on, each added under its own name. Negative
 * errno with a sentence. */
#include "user/cli/evidence.h"

/* "made": when and by what; the same moment by both clocks. */
void report_add_made(struct json_object *report);

/* "host": name, kernel, CPUs by role, and "map": a row a CPU. */
int report_add_host(struct json_object *report, const struct evidence *evidence,
	struct problem *problem);

/* "vms": each with its threads and the rules in force for it; "partitions". */
int report_add_vms(struct json_object *report, const struct evidence *evidence,
	struct problem *problem);

/* "drift": who changed what. */
void report_add_drift(struct json_object *report, const struct evidence *evidence);

/* "isolation": the rows of `hostcheck`; what keeps them from being read is said there. */
void report_add_isolation(struct json_object *report, const struct request *request,
	const struct evidence *evidence);

/* "violations": what the daemon has kept; that it has kept none is said there. */
void report_add_violations(struct json_object *report, const char *path);
