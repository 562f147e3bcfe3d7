/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Points in time as people and files write them. In ns since 1970, UTC; what has no
 * offset is local time (TZ). */
#include <stddef.h>
#include <stdint.h>

/* What moment_parse() takes, for a sentence. */
#define MOMENT_FORMS                                                                  \
	"2026-11-21T10:00:00Z (or with an offset such as +01:00), 2026-11-21 10:00, " \
	"2026-11-21, 10:00, 30s, 5m, 2h or 1d (so long ago), today, yesterday, now"

/* `2026-11-21T10:00:00Z`, with or without a fraction, or with an offset. -EINVAL. */
int moment_parse_rfc3339(const char *text, int64_t *ret_ns);

/* Any of MOMENT_FORMS. -EINVAL. */
int moment_parse(const char *text, int64_t now_ns, int64_t *ret_ns);

enum { MOMENT_SIZE = 32 };

/* `2026-11-21 10:00:00.123`, local time. */
void moment_format(int64_t ns, char *buf, size_t size);
