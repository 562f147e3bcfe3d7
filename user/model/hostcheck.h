/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How deeply reserved CPUs are isolated: facts in, one row out for each thing that could
 * still disturb them and each group of CPUs that stand alike. Pure.
 */
#include "user/model/host_facts.h"
#include "user/model/topology.h"

enum check_state {
	CHECK_OK,
	CHECK_FIXABLE,	      /* `hostcheck --fix` mends it, now */
	CHECK_NEEDS_BOOT,     /* only another kernel command line mends it */
	CHECK_WARNING,	      /* nothing that --fix does: the remedy says who could */
	CHECK_UNKNOWN,	      /* could not be read */
	CHECK_NOT_APPLICABLE, /* this kernel or machine has no such thing, or not yet */
};

struct check_row {
	const char *subject; /* for scripts: stable */
	struct cpuset cpus;  /* of those that were judged */
	enum check_state state;
	char *found;	     /* owned */
	const char *meaning; /* a sentence */
	char *remedy;	     /* owned; NULL where there is nothing to do */
	const char *source;  /* what it was read from */
	const char *documented;
};

struct hostcheck {
	struct check_row *rows;
	size_t n_rows;
};

/* Which CPUs are judged. */
struct reserved {
	struct cpuset cpus;
	struct cpuset isolated, root; /* of them, by kind of the partition they are in */
	bool would_be; /* none is reserved: these are the ones that policy may reserve */
};

/* -ENOMEM. The caller owns: hostcheck_deinit(). */
int hostcheck_compute(const struct host_facts *facts, const struct reserved *reserved,
	const struct topology *topology, struct hostcheck *ret_check);
void hostcheck_deinit(struct hostcheck *check);

const char *check_state_name(enum check_state state);

/* Is there a row in that state? */
bool hostcheck_has(const struct hostcheck *check, enum check_state state);
