// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/store/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/array.h"
#include "user/base/cleanup.h"

struct recording {
	int fd;
	char *path;
	uint64_t *ends; /* by line: where its newline is */
	size_t n_lines;
};

static int check_file(
	int fd, const char *path, uint64_t *ret_size, struct problem *problem)
{
	struct stat stat;

	if (fstat(fd, &stat))
		return problem_set(
			problem, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return problem_set(problem, -EINVAL, "%s is not a file", path);
	*ret_size = (uint64_t)stat.st_size;
	return 0;
}

int recording_create(const char *path, int *ret_fd, struct problem *problem)
{
	cleanup_close int fd =
		open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	uint64_t size;
	char last;
	int r;

	if (fd < 0)
		return problem_set(
			problem, -errno, "cannot write %s: %s", path, strerror(errno));
	r = check_file(fd, path, &size, problem);
	if (r)
		return r;
	if (size && (pread(fd, &last, 1, (off_t)size - 1) != 1 || last != '\n'))
		return problem_set(problem, -EINVAL,
			"%s does not end with a whole line: give another file", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int recording_append(int fd, const struct sample *sample, struct problem *problem)
{
	cleanup_free char *line = NULL;
	size_t done = 0, size;
	int r = sample_to_line(sample, &line);

	if (r)
		return problem_nomem(problem);
	size = strlen(line);
	while (done < size) {
		ssize_t n = write(fd, line + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return problem_set(problem, n ? -errno : -EIO,
				"cannot record: %s", strerror(n ? errno : EIO));
		done += (size_t)n;
	}
	return 0;
}

static int find_lines(struct recording *recording)
{
	char chunk[65536];
	uint64_t offset = 0;
	ssize_t n;

	while ((n = pread(recording->fd, chunk, sizeof(chunk), (off_t)offset)) > 0) {
		for (char *at = chunk; (at = memchr(at, '\n', (size_t)(chunk + n - at)));
			at++) {
			uint64_t *end = array_push(&recording->ends, &recording->n_lines);

			if (!end)
				return -ENOMEM;
			*end = offset + (uint64_t)(at - chunk);
		}
		offset += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

static int open_lines(
	struct recording *recording, const char *path, struct problem *problem)
{
	uint64_t size;
	int r;

	recording->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (recording->fd < 0)
		return problem_set(
			problem, -errno, "cannot read %s: %s", path, strerror(errno));
	r = check_file(recording->fd, path, &size, problem);
	if (r)
		return r;
	recording->path = strdup(path);
	r = recording->path ? find_lines(recording) : -ENOMEM;
	if (r)
		return problem_set(problem, r, "cannot read %s: %s", path, strerror(-r));
	if (!recording->n_lines)
		return problem_set(problem, -ENODATA, "%s has no sample in it", path);
	return 0;
}

int recording_open(
	const char *path, struct recording **ret_recording, struct problem *problem)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	int r;

	if (!recording)
		return problem_nomem(problem);
	r = open_lines(recording, path, problem);
	if (r)
		recording_close(recording);
	else
		*ret_recording = recording;
	return r;
}

void recording_close(struct recording *recording)
{
	if (!recording)
		return;
	if (recording->fd >= 0)
		close(recording->fd);
	free(recording->ends);
	free(recording->path);
	free(recording);
}

void recording_close_p(struct recording **recording)
{
	recording_close(*recording);
}

size_t recording_length(const struct recording *recording)
{
	return recording->n_lines;
}

int recording_read(const struct recording *recording, size_t index,
	struct sample *ret_sample, struct problem *problem)
{
	uint64_t begin = index ? recording->ends[index - 1] + 1 : 0;
	uint64_t size = recording->ends[index] - begin;
	cleanup_free char *line = NULL;
	int r = -EINVAL;

	if (size <= SAMPLE_LINE_MAX) {
		line = malloc(size + 1);
		if (!line)
			return problem_nomem(problem);
		if (pread(recording->fd, line, size, (off_t)begin) == (ssize_t)size) {
			line[size] = '\0';
			r = strlen(line) == size ? sample_from_line(line, ret_sample)
						 : -EINVAL;
		}
	}
	if (r == -ENOMEM)
		return problem_nomem(problem);
	if (r)
		problem_set(problem, r, "%s:%zu: this is no sample of the form %s",
			recording->path, index + 1, SAMPLE_SCHEMA);
	return r;
}
