// SPDX-License-Identifier: GPL-2.0-or-later
#include "cgroups/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/model/cpulist.h"

enum { LIST_MAX = 64 * 1024 }; /* a list of every second of 8,192 CPUs is 20 KB */

int group_write(const struct hierarchy *hierarchy, const char *path, const char *file,
	const char *text)
{
	char name[PATH_MAX];
	cleanup_close int fd = -1;
	size_t len = strlen(text);
	ssize_t n;

	if (snprintf(name, sizeof(name), "%s%s%s", path, *path ? "/" : "", file) >=
		(int)sizeof(name))
		return -ENAMETOOLONG;
	fd = openat(hierarchy->root, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int group_open(int above, const char *path)
{
	int fd = openat(above, *path ? path : ".",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int cpus_read(int dir, const char *file, struct cpuset *ret_cpus)
{
	cleanup_free char *text = NULL;
	int r = file_read_all_at(dir, file, LIST_MAX, &text);

	return r ? r : cpulist_parse_kernel(text, ret_cpus);
}

/* `root`, `isolated invalid`, `isolated invalid (REASON)`:
 * Documentation/admin-guide/cgroup-v2.rst. */
static int parse_partition(const char *text, struct partition_state *ret_state)
{
	static const enum partition kinds[] = {
		PARTITION_MEMBER, PARTITION_ROOT, PARTITION_ISOLATED};
	struct partition_state state = {};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const char *name = partition_name(kinds[i]), *rest = text + strlen(name);
		const char *open;

		if (strncmp(text, name, strlen(name)))
			continue;
		state.kind = kinds[i];
		state.valid = !*rest;
		if (*rest && strncmp(rest, " invalid", strlen(" invalid")))
			return -EINVAL;
		open = strchr(rest, '(');
		if (open)
			snprintf(state.reason, sizeof(state.reason), "%.*s",
				(int)strcspn(open + 1, ")"), open + 1);
		*ret_state = state;
		return 0;
	}
	return -EINVAL;
}

int partition_read(int dir, struct partition_state *ret_state)
{
	char text[256];
	ssize_t n = file_read_at(dir, "cpuset.cpus.partition", text, sizeof(text));

	return n < 0 ? (int)n : parse_partition(text, ret_state);
}

DIR *children_open(int above, const char *path)
{
	cleanup_close int fd = group_open(above, path);
	DIR *children = fd < 0 ? NULL : fdopendir(fd);

	if (children)
		take_fd(&fd);
	return children;
}

const char *children_next(DIR *children)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(children)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}
