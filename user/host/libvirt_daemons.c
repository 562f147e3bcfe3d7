// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * btrfs and overlayfs answer stat() with device numbers of their own making. The true one
 * is that of the mount (proc(5), mountinfo), and the true inode is in fdinfo
 * (since 5.14).
 */
#include "user/host/libvirt_daemons.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

enum { MOUNTS_MAX = 16 * 1024 * 1024 /* bytes of mountinfo */ };

/* `mounts`: the mountinfo file of who has opened it. */
static int find_mount(const char *mounts, unsigned int id, struct program_file *file)
{
	cleanup_free char *text = NULL;
	unsigned int this, major, minor;
	int r = file_read_all_at(AT_FDCWD, mounts, MOUNTS_MAX, &text);

	if (r)
		return r;
	for (const char *line = text; line && *line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (sscanf(line, "%u %*u %u:%u", &this, &major, &minor) != 3 ||
			this != id)
			continue;
		file->major = major;
		file->minor = minor;
		return 0;
	}
	return -ENOENT;
}

static int read_fd(int fd, const char *mounts, struct program_file *ret_file)
{
	struct program_file file = {};
	char path[64], text[512];
	const char *inode, *mount;
	unsigned int id;
	ssize_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	len = file_read_at(AT_FDCWD, path, text, sizeof(text));
	if (len < 0)
		return (int)len;
	inode = strstr(text, "ino:");
	mount = strstr(text, "mnt_id:");
	if (!inode || !mount || sscanf(inode, "ino: %" SCNu64, &file.inode) != 1 ||
		sscanf(mount, "mnt_id: %u", &id) != 1)
		return -ENODATA;
	r = find_mount(mounts, id, &file);
	if (!r)
		*ret_file = file;
	return r;
}

static int read_path(const char *path, const char *mounts, struct program_file *ret_file)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return read_fd(fd, mounts, ret_file);
}

int program_file_read(const char *path, struct program_file *ret_file)
{
	return read_path(path, "/proc/self/mountinfo", ret_file);
}

/* A path means what it says only where the host's own mounts are. We may have others: the
 * service is shut off from most of them. */
static bool sees_the_hosts_files(long pid)
{
	struct stat host, process;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/ns/mnt", pid);
	return !stat("/proc/1/ns/mnt", &host) && !stat(path, &process) &&
	       host.st_dev == process.st_dev && host.st_ino == process.st_ino;
}

/* The file that the daemon of that path runs, by its pid file. Is it that path's at all?
 * The kernel adds " (deleted)" where the file was replaced. */
static int read_running(const char *path, struct program_file *ret_file)
{
	char pid_file[64], exe[64], mounts[64], text[32], target[PATH_MAX];
	size_t len = strlen(path);
	ssize_t n;
	long pid;

	snprintf(pid_file, sizeof(pid_file), "/run/%s.pid", strrchr(path, '/') + 1);
	n = file_read_at(AT_FDCWD, pid_file, text, sizeof(text));
	if (n < 0)
		return (int)n;
	pid = strtol(text, NULL, 10);
	if (pid <= 0 || !sees_the_hosts_files(pid))
		return -ESRCH;
	snprintf(exe, sizeof(exe), "/proc/%ld/exe", pid);
	n = readlink(exe, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (strncmp(target, path, len) != 0 ||
		(target[len] && strcmp(target + len, " (deleted)") != 0))
		return -ESRCH;
	snprintf(mounts, sizeof(mounts), "/proc/%ld/mountinfo", pid);
	return read_path(exe, mounts, ret_file);
}

static bool is_among(
	const struct program_file *files, size_t n, const struct program_file *file)
{
	for (size_t i = 0; i < n; i++)
		if (files[i].inode == file->inode && files[i].major == file->major &&
			files[i].minor == file->minor)
			return true;
	return false;
}

size_t libvirt_daemons(struct program_file ret_files[LIBVIRT_DAEMONS])
{
	static const char *const paths[] = {"/usr/sbin/libvirtd", "/usr/sbin/virtqemud",
		"/usr/local/sbin/libvirtd", "/usr/local/sbin/virtqemud"};
	enum { PATHS = sizeof(paths) / sizeof(*paths) };
	struct program_file file;
	size_t n = 0;

	_Static_assert(2 * PATHS <= LIBVIRT_DAEMONS, "installed and running");
	for (size_t i = 0; i < 2 * PATHS; i++) {
		int r = i < PATHS ? program_file_read(paths[i], &file)
				  : read_running(paths[i - PATHS], &file);

		if (!r && !is_among(ret_files, n, &file))
			ret_files[n++] = file;
	}
	return n;
}
