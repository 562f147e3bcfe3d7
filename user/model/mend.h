/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Settings that `hostcheck --fix` changes and `release --host` gives back: affinities of
 * interrupts, where the lockup detector runs, governors. Pure; store/mended.h keeps them,
 * control/mend.h writes them.
 */
#include "user/model/hostcheck.h"

/* What the file takes and gives. Values here are lists or words. */
enum mend_format { MEND_LIST, MEND_MASK, MEND_WORD };

struct mend {
	char path[MEND_PATH_SIZE]; /* absolute */
	enum mend_format format;
	/* All owned. Written is what is, or is about to be, in the file; if that was not
	 * to be, what was written earlier is (NULL: what was found). */
	char *found, *written, *earlier;
	bool refused; /* the kernel lets nobody change this one */
};

struct mends {
	struct mend *items;
	size_t n_items;
};

void mend_deinit(struct mend *mend);
void mends_deinit(struct mends *mends);

/* NULL: there is none. */
struct mend *mends_find(const struct mends *mends, const char *path);

/* Is that value one that we have written? */
bool mend_wrote(const struct mend *mend, const char *value);

/*
 * Brings the record up to what the facts and the reserved CPUs ask for: what was found,
 * and what is to be written. A value of our own is never taken for one that was found;
 * what somebody else has set since is, where it has to be changed. 1: the record was as
 * it should be. -ENOMEM.
 */
int mends_update(struct mends *mends, const struct host_facts *facts,
	const struct reserved *reserved, const struct cpuset *online);

/* Marks interrupts that the kernel has refused to move. */
void mends_mark_fixed(const struct mends *mends, struct host_facts *facts);

/* The value of a file of that format, in its canonical form. -EINVAL, -ENOMEM. */
int mend_parse(enum mend_format format, const char *text, char **ret_value);

/* As the file takes it. The caller frees; NULL: no memory. */
char *mend_format_value(enum mend_format format, const char *value);

/* May a record name this file? */
bool mend_path_valid(const char *path);

const char *mend_format_name(enum mend_format format);
