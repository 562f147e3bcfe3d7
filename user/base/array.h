/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Growing arrays of the form `T *items; size_t n_items;`. array_push() appends one zeroed
 * element and gives its address, or NULL when memory ran out (the array is then
 * unchanged). Capacity is the next power of two and therefore needs no field of its own.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void *array_push_size(void **items, size_t *n_items, size_t size)
{
	size_t n = *n_items;
	void *slot;

	if (!(n & (n - 1))) {
		size_t capacity = n ? 2 * n : 1;
		void *grown;

		if (capacity > SIZE_MAX / 2 / size)
			return NULL;
		grown = realloc(*items, capacity * size);
		if (!grown)
			return NULL;
		*items = grown;
	}
	slot = (char *)*items + n * size;
	memset(slot, 0, size);
	(*n_items)++;
	return slot;
}

#define array_push(items, n_items)              \
	((__typeof__(*(items)))array_push_size( \
		(void **)(items), (n_items), sizeof(**(items))))
