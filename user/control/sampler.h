/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Reads samples (model/sample.h) one after another. The observer and the kernel's times
 * of vCPUs are read each time; which VMs there are, how they stand and whose the CPUs are
 * costs more, and is read again when rules have changed or it is 10 seconds old.
 */
#include "user/control/cycle.h"
#include "user/model/sample.h"

struct sampler;

int sampler_new(const struct folders *folders, struct sampler **ret_sampler,
	struct problem *problem);
void sampler_free(struct sampler *sampler); /* NULL is fine */
void sampler_free_p(struct sampler **sampler);
#define cleanup_sampler __attribute__((cleanup(sampler_free_p)))

/* What cannot be read anew is told in ret_sample->note, and what was read before holds.
 * -ENOMEM only. The caller owns: sample_deinit(). */
int sampler_take(
	struct sampler *sampler, struct sample *ret_sample, struct problem *problem);
