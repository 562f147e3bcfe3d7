// SPDX-License-Identifier: GPL-2.0-or-later
/* A line of a recording that says anything: what is read of it is a host that could be,
 * can be looked at, and comes to the same when it is written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/model/view.h"
#include "user/store/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sample *sample)
{
	for (size_t i = 0; i < sample->n_cpus; i++)
		if (sample->cpus[i].cpu >= CPUSET_CPUS ||
			sample->cpus[i].owner >= (int)sample->n_vms ||
			sample->cpus[i].vcpu >= VCPUS_MAX)
			abort();
	for (size_t i = 0; i < sample->n_culprits; i++)
		if (sample->culprits[i].cpu >= CPUSET_CPUS ||
			!memchr(sample->culprits[i].comm, '\0', COMM_SIZE))
			abort();
}

static void look_at(const struct sample *sample)
{
	struct sample before = *sample;
	struct view view;

	before.now /= 2;
	if (view_compute(&before, sample, &view))
		abort();
	view_deinit(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), *written, *again;
	struct sample sample;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (!sample_from_line(line, &sample)) {
		check(&sample);
		look_at(&sample);
		if (sample_to_line(&sample, &written))
			abort();
		sample_deinit(&sample);
		if (sample_from_line(written, &sample) ||
			sample_to_line(&sample, &again) || strcmp(written, again) != 0)
			abort();
		sample_deinit(&sample);
		free(written);
		free(again);
	}
	free(line);
	return 0;
}
