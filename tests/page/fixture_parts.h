/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the fixture: what its counters and its JSON have in common. */
#include <stddef.h>

#include "tests/page/fixture.h"

#define SECOND UINT64_C(1000000000)
#define NOW (UINT64_C(90000) * SECOND)
#define START (UINT64_C(3600) * SECOND)
#define WALL (UINT64_C(1767225600) * SECOND) /* 2026-01-01 */

/* A number below that one: the same each time. */
unsigned int fixture_chance(unsigned int *seed, unsigned int below);

void fixture_name(
	const struct fixture *fixture, unsigned int vm, char *name, size_t size);
const char *fixture_comm(const struct fixture *fixture, unsigned int n);
