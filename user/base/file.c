// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/cleanup.h"

ssize_t file_read_raw_at(int dirfd, const char *path, char *buf, size_t size)
{
	cleanup_close int fd = -1;
	size_t len = 0;

	fd = openat(
		dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		/* The last byte is for the terminator: a file that reaches it is too
		 * long. */
		if (len == size)
			return -EFBIG;
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

static ssize_t make_string(char *buf, ssize_t len)
{
	if (memchr(buf, '\0', (size_t)len))
		return -EINVAL;
	if (len > 0 && buf[len - 1] == '\n')
		buf[--len] = '\0';
	return len;
}

ssize_t file_read_at(int dirfd, const char *path, char *buf, size_t size)
{
	ssize_t len = file_read_raw_at(dirfd, path, buf, size);

	return len < 0 ? len : make_string(buf, len);
}

int file_read_all_at(int dirfd, const char *path, size_t max, char **ret_text)
{
	cleanup_free char *buf = NULL;
	ssize_t len = -EFBIG;

	/* Files of /proc and cgroupfs do not tell their size: try with more room until it
	 * fits. */
	for (size_t size = 4096; len == -EFBIG; size *= 2) {
		size_t room = size < max + 1 ? size : max + 1;
		char *grown = realloc(buf, room);

		if (!grown)
			return -ENOMEM;
		buf = grown;
		len = file_read_raw_at(dirfd, path, buf, room);
		if (room == max + 1)
			break;
	}
	if (len >= 0)
		len = make_string(buf, len);
	if (len < 0)
		return (int)len;
	*ret_text = take_ptr(buf);
	return 0;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

int file_replace_at(int dirfd, const char *path, const char *text)
{
	char beside[PATH_MAX];
	cleanup_close int fd = -1;
	int r;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	/* A file of that name is what an earlier run left when it was killed: take its
	 * place. */
	if (unlinkat(dirfd, beside, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && renameat(dirfd, beside, dirfd, path) < 0)
		r = -errno;
	if (r)
		unlinkat(dirfd, beside, 0);
	return r;
}

int file_make_dirs(const char *path, unsigned int mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (!len || len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}
