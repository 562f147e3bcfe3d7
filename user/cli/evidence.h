/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a verdict about the host, or about one VM of it, is made of: read once, and then
 * judged as often as need be. `check` and `report` share it, so that they cannot differ.
 */
#include "user/cli/cli.h"
#include "user/cli/drift.h"
#include "user/model/interrupts.h"
#include "user/model/verdict.h"

struct evidence {
	struct cycle cycle;
	struct counters counters;
	struct interrupt_counts interrupts;    /* none where they cannot be read */
	char *degraded, *unwatched, *repaired; /* owned */
	struct problem culprit;		       /* "" for none */
	struct cli_drift drift;
	/* What the daemon's history has of before the window: the latest, and the latest
	 * in full. Nothing in them where `start` is 0. */
	struct past before, before_full;
	struct limit_figures figures;
	struct problem exceeded; /* "": no limit is */
	bool alive;
};

/* What an evidence has to be before it is gathered. */
#define EVIDENCE_NONE ((struct evidence){.cycle.hierarchy.root = -1})

/* The VM that is asked about, or NULL for the host. */
const char *evidence_only(const struct request *request);

/* Reads all of it. Negative errno with a sentence; what was read by then is in
 * `evidence`, which is to be given to evidence_deinit() in either case. */
int evidence_gather(const struct request *request, struct evidence *evidence,
	struct problem *problem);

/* What verdict_decide() asks for. It points into `request` and `evidence`. */
struct verdict_input evidence_input(
	const struct request *request, const struct evidence *evidence);

void evidence_deinit(struct evidence *evidence);
