/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What this kernel offers, found by looking, never guessed from its version. */
#include <stdbool.h>
#include <stddef.h>

enum { FEATURES_MAX = 8 };

struct feature {
	const char *name;
	bool found;
	const char *without; /* what is done without it: a few words */
};

/* Returns how many were filled in. */
size_t features_find(struct feature ret_features[FEATURES_MAX]);
