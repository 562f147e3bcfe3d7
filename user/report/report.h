/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What an auditor files: facts, the verdict, and what is needed to come to it again. A
 * report is JSON; a page carries it whole. Pure: nothing here reads the host.
 *
 * Its digest is the SHA-256 of its text without "digest", in the form that report_text()
 * gives. That tells a report that was changed from one that was not, to somebody who has
 * the digest from elsewhere. It is no signature: whoever changes a report can make a new
 * one.
 */
#include <json-c/json.h>
#include <stdbool.h>

#include "user/base/problem.h"
#include "user/model/verdict.h"

#define REPORT_SCHEMA "cpuwarden.report/1"
#define REPORT_DATA_ID "cpuwarden-report"

enum { REPORT_MAX = 16 << 20 /* bytes of a file that is verified */ };

/* A new one, without any facts. "verdict" and "digest" are made by report_seal(). NULL:
 * no memory. */
struct json_object *report_new(void);

/*
 * Decides from what basis_add() has put into it, exactly as one who reads it later, and
 * adds "verdict" and "digest". -EINVAL with a sentence, -ENOMEM.
 */
int report_seal(struct json_object *report, struct problem *problem);

/* "verdict", as it follows from that input. NULL: no memory. */
struct json_object *report_verdict(const struct verdict_input *input);

/* Its digest as it ought to be. `report` is changed meanwhile, and then as before. */
int report_digest(struct json_object *report, char *ret_hex);

/* The text that the digest is of, when "digest" is not in it. Belongs to `report`. NULL:
 * no memory. */
const char *report_text(struct json_object *report);

/* The page. A report that was not sealed, or is not one of ours, makes a poor page and no
 * harm. -ENOMEM. The caller frees *ret_page. */
int report_page(struct json_object *report, char **ret_page);

/* Which pages this program makes: those of another form may look otherwise. */
const char *report_page_form(void);

/* What verifying came to. */
struct verified {
	bool is_page;
	bool page_compared; /* with the one that this program makes of the data */
	size_t n_sums;	    /* comparisons of counters that were made */
	/* Sentences, worst first; none: the report is as it was made. */
	struct json_object *faults;
	struct json_object *report; /* NULL: there was none to be read */
};

/* Takes the text of a page or of JSON. -ENOMEM; what is wrong with the text is a fault.
 * The caller: verified_deinit(). */
int report_verify(const char *text, size_t size, struct verified *ret_verified);
void verified_deinit(struct verified *verified);
