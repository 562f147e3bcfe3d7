/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Samples (model/sample.h) in a file, a line of JSON each, in the order of time: written
 * by who watches, and read anywhere. What is read is nobody's word: sizes and numbers are
 * held to what a host can have.
 */
#include <stddef.h>

#include "user/model/sample.h"

#define SAMPLE_SCHEMA "cpuwarden.sample/1"

/* A line is never longer. A host of 8192 CPUs takes a tenth of it. */
enum { SAMPLE_LINE_MAX = 16 * 1024 * 1024 };

/* The caller frees *ret_line, which ends with a newline. -ENOMEM. */
int sample_to_line(const struct sample *sample, char **ret_line);

/* -EINVAL: it is no sample. The caller owns: sample_deinit(). */
int sample_from_line(const char *line, struct sample *ret_sample);

/* Opens a file to append to, and makes it where there is none, for its owner's eyes. The
 * caller closes. */
int recording_create(const char *path, int *ret_fd, struct problem *problem);
int recording_append(int fd, const struct sample *sample, struct problem *problem);

struct recording;

/* A last line that is not whole is left out. -ENODATA: there is none. */
int recording_open(
	const char *path, struct recording **ret_recording, struct problem *problem);
void recording_close(struct recording *recording); /* NULL is fine */
void recording_close_p(struct recording **recording);
#define cleanup_recording __attribute__((cleanup(recording_close_p)))

size_t recording_length(const struct recording *recording);
int recording_read(const struct recording *recording, size_t index,
	struct sample *ret_sample, struct problem *problem);
