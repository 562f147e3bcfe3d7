/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Between the files of the sampler. */
#include "user/control/sampler.h"

/* Host, CPUs and VMs as the cycle found them, without counts. -ENOMEM. The caller owns
 * the result: sample_deinit(). */
int sampler_read_standing(const struct cycle *cycle, const struct owners *owners,
	struct sample *ret_standing);
