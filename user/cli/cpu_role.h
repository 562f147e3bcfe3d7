/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is said of a host CPU, by verbs that show them. */
#include "user/cli/cli.h"

/* `offline`, `reserved`, `shared` or `housekeeping`. */
const char *cpu_role(
	const struct cycle *cycle, const struct owners *owners, unsigned int cpu);

/* What is known of a CPU's partition; "" where it is in none but the root. */
struct cpu_membership {
	char partition[REASON_SIZE + 32];
	const char *cgroup; /* NULL: it is nobody's that we know; the cycle's */
};
struct cpu_membership cpu_membership(const struct cycle *cycle, unsigned int cpu);
