/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Parts of `check --json`, each added to `json` under its own name. */
#include "user/cli/cli.h"
#include "user/model/coverage.h"
#include "user/model/limits.h"
#include "user/model/verdict.h"

void check_json_coverage(struct json_object *json, const struct coverage_input *input,
	const struct verdict_result *result);

/* "worst": the vCPU that waits longest, and the CPU that the kernel takes most of. */
void check_json_worst(struct json_object *json, const struct counters *counters,
	const struct limit_figures *figures);

/* "culprits": who was longest where he should not have been, 20 at most. Each row's pid,
 * tid, cpu and cgroup are of the latest run; null stands for what is no longer known, and
 * a row without a class for all that had no place of its own. */
void check_json_culprits(struct json_object *json, const struct coverage_input *input,
	const struct hierarchy *hierarchy);

/* "interference" on reserved CPUs since the observer's start. `counts` are the kernel's
 * at present, NULL where they cannot be read: then those are null. */
void check_json_interference(struct json_object *json, const struct coverage_input *input,
	const struct interrupt_counts *counts);
