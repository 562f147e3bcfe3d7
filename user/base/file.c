// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
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
		return -EBADMSG;
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

/* `.NAME.16 hex digits.new` */
static bool is_left(const char *name)
{
	const size_t digits = 16, suffix = strlen(".new"), len = strlen(name);

	if (*name != '.' || len < digits + suffix + 3)
		return false;
	name += len - digits - suffix;
	return name[-1] == '.' && strspn(name, "0123456789abcdef") == digits &&
	       !strcmp(name + digits, ".new");
}

void file_tidy_at(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir)))
		if (is_left(entry->d_name))
			unlinkat(dirfd, entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static int write_like(int dirfd, const char *name, int fd, const char *text, mode_t mode)
{
	struct stat st;
	int r = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			r = -errno;
	} else if (S_ISREG(st.st_mode)) {
		if (fchown(fd, st.st_uid, st.st_gid) < 0)
			r = -errno;
		mode = st.st_mode & 07777;
	}
	if (!r && fchmod(fd, mode) < 0)
		r = -errno;
	if (!r)
		r = write_all(fd, text);
	if (!r && fsync(fd) < 0)
		r = -errno;
	return r;
}

int file_save_at(int dirfd, const char *name, const char *text, unsigned int mode)
{
	char beside[NAME_MAX + 1];
	cleanup_close int fd = -1;
	uint64_t number;
	int r;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -errno;
	if (snprintf(beside, sizeof(beside), ".%s.%016" PRIx64 ".new", name, number) >=
		(int)sizeof(beside))
		return -ENAMETOOLONG;
	fd = openat(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		0600);
	if (fd < 0)
		return -errno;
	r = write_like(dirfd, name, fd, text, mode);
	if (!r && renameat(dirfd, beside, dirfd, name) < 0)
		r = -errno;
	if (r)
		unlinkat(dirfd, beside, 0);
	if (!r && fsync(dirfd) < 0)
		r = -errno;
	return r;
}

int file_remove_at(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) < 0)
		return errno == ENOENT ? 1 : -errno;
	return fsync(dirfd) < 0 ? -errno : 0;
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
		/* Whatever umask says. */
		if (mkdir(part, mode) == 0 ? chmod(part, mode) < 0 : errno != EEXIST)
			return -errno;
	}
	return 0;
}
