/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* How a choice came about: lines for people, in the order in which it was made. */
#include <stddef.h>

struct explanation {
	char **lines; /* owned, as is each */
	size_t n_lines;
};

void explanation_deinit(struct explanation *explanation);
