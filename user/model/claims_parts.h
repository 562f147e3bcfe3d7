/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the claims (claims.h): what one VM asks for, before others are looked at. */
#include "user/model/claims.h"

/* Refuses the claim unless it is refused already. -ENOMEM. */
__attribute__((format(printf, 2, 3))) int claim_refuse(
	struct claim *claim, const char *format, ...);

/* "vCPU 3". */
void claim_set_describe(const struct claim_set *set, char *buf, size_t size);

/* The group of a set as it is, or with a NULL set the VM's; NULL: there is none. */
const struct group *claim_group(const struct desired_input *input,
	const struct claim *claim, const struct claim_set *set);

/* Do its vCPU groups become partitions? */
bool claim_partitions(const struct claim *claim);

/* Fills in layout, top and sets, and refuses what cannot be by itself. -ENOMEM. */
int claim_init(struct claim *claim, const struct desired_input *input);

/* When all vCPUs have CPUs: `all`, and what is left to the threads that share. -ENOMEM.
 */
int claim_sum_up(struct claim *claim, const struct desired_input *input);
