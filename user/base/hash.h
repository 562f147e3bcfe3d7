/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/. Tells things apart that
 * nobody makes alike on purpose. */
#include <stddef.h>
#include <stdint.h>

#define HASH_NOTHING UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is of, and of these bytes behind it. */
static inline uint64_t hash_add(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}
