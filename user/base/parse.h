/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Numbers from text, strictly: digits only, the whole text, no sign, no space, no
 * overflow. */
#include <stdint.h>

/* -EINVAL when text is not a decimal number, -ERANGE when it is above max. */
int parse_u64(const char *text, uint64_t max, uint64_t *ret_value);

/* As parse_u64(), for a number at the start of text; *ret_end is where it stops. */
int parse_u64_prefix(
	const char *text, uint64_t max, const char **ret_end, uint64_t *ret_value);

/* A number and s, m, h or d, or the number alone for seconds. Never 0. -EINVAL. */
int parse_duration(const char *text, uint64_t *ret_ns);

/* A number and ns, us, ms or s. Never 0. -EINVAL. */
int parse_short_duration(const char *text, uint64_t *ret_ns);

/* `1`, `0.5`, `0.05%`: from 0.0001 to 100, in millionths. -EINVAL. */
int parse_percent(const char *text, uint64_t *ret_ppm);

/* Seconds and, behind a point, tenths, from 0.1 to 3600: in ms. -EINVAL. */
int parse_delay(const char *text, unsigned int *ret_ms);
