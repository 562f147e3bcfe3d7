/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * RUN/hostcheck.json: what `hostcheck --fix` found in the settings that it changes, and
 * what it writes. Made before the first change, dropped by `release --host`.
 */
#include "user/base/problem.h"
#include "user/model/mend.h"

int mended_write(const char *run_dir, const struct mends *mends, struct problem *problem);

/* Nothing when there is no such record. -EINVAL: it is damaged. The caller owns:
 * mends_deinit(). */
int mended_read(const char *run_dir, struct mends *ret_mends, struct problem *problem);

/* 1 when there was none. */
int mended_drop(const char *run_dir, struct problem *problem);
