// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading groups back: only what the kernel's files say counts, never what was written to
 * them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/hierarchy.h"
#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/model/cpulist.h"
#include "user/model/layout.h"

enum {
	LIST_MAX = 64 * 1024, /* a list of every second of 8,192 CPUs is 20 KB */
	DEPTH_MAX = 4,	      /* slice, VM, leaf, and whatever somebody put below */
	GROUPS_MAX = 65536,
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static int read_cpus(int dir, const char *file, struct cpuset *ret_set)
{
	cleanup_free char *text = NULL;
	int r = file_read_all_at(dir, file, LIST_MAX, &text);

	return r ? r : cpulist_parse_kernel(text, ret_set);
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

static enum group_type parse_type(const char *text)
{
	if (!strcmp(text, "threaded"))
		return GROUP_THREADED;
	if (!strcmp(text, "domain threaded"))
		return GROUP_DOMAIN_THREADED;
	return !strcmp(text, "domain") ? GROUP_DOMAIN : GROUP_DOMAIN_INVALID;
}

static int read_cpuset(int dir, struct group *group)
{
	char text[256];
	int r;

	r = read_cpus(dir, "cpuset.cpus", &group->cpus);
	if (r == -ENOENT)
		return 0;
	group->has_cpuset = true;
	if (!r)
		r = read_cpus(dir, "cpuset.cpus.effective", &group->effective);
	if (!r) {
		r = read_cpus(dir, "cpuset.cpus.exclusive", &group->exclusive);
		r = r == -ENOENT ? 0 : r;
	}
	if (!r && file_read_at(dir, "cpuset.cpus.partition", text, sizeof(text)) < 0)
		r = -EIO;
	return r ? r : parse_partition(text, &group->partition);
}

static int read_group_at(int dir, struct group *group)
{
	char text[1024];
	ssize_t n;

	n = file_read_at(dir, "cgroup.type", text, sizeof(text));
	if (n < 0)
		return (int)n;
	group->type = parse_type(text);
	n = file_read_at(dir, "cgroup.subtree_control", text, sizeof(text));
	if (n < 0)
		return (int)n;
	group->gives_cpuset = has_word(text, "cpuset");
	n = file_read_at(dir, "cgroup.events", text, sizeof(text));
	if (n < 0)
		return (int)n;
	group->populated = strstr(text, "populated 1");
	return read_cpuset(dir, group);
}

static int open_group(const struct hierarchy *hierarchy, const char *path)
{
	int fd = openat(hierarchy->root, *path ? path : ".",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int group_read(const struct hierarchy *hierarchy, const char *path,
	struct group *ret_group, struct problem *problem)
{
	cleanup_close int dir = open_group(hierarchy, path);
	struct group group = {};
	int r = dir < 0 ? dir : 0;

	if (!r) {
		group.path = strdup(path);
		r = group.path ? read_group_at(dir, &group) : -ENOMEM;
	}
	if (r) {
		group_deinit(&group);
		return problem_set(
			problem, r, "cannot read the cgroup /%s: %s", path, strerror(-r));
	}
	*ret_group = group;
	return 0;
}

char *group_rival(
	const struct hierarchy *hierarchy, const char *path, const struct cpuset *cpus)
{
	const char *slash = strrchr(path, '/'), *own = slash ? slash + 1 : path;
	cleanup_free char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	int fd = parent ? open_group(hierarchy, parent) : -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char *rival = NULL;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while (!rival && (entry = readdir(dir))) {
		cleanup_free char *beside = NULL;
		struct group group = {};

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
			!strcmp(entry->d_name, own) ||
			asprintf(&beside, "%s%s%s", parent, *parent ? "/" : "",
				entry->d_name) < 0 ||
			group_read(hierarchy, beside, &group, NULL))
			continue;
		if (cpuset_intersects(&group.cpus, cpus) ||
			cpuset_intersects(&group.exclusive, cpus))
			rival = take_ptr(beside);
		group_deinit(&group);
	}
	closedir(dir);
	return rival;
}

/* Adds the group and all below. One that vanishes meanwhile is left out. */
static int read_below(const struct hierarchy *hierarchy, const char *path,
	unsigned int depth, struct tree *tree, struct problem *problem)
{
	struct group group = {}, *added;
	struct dirent *entry;
	int fd, r;
	DIR *dir;

	r = group_read(hierarchy, path, &group, problem);
	if (r)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	added = array_push(&tree->groups, &tree->n_groups);
	if (!added) {
		group_deinit(&group);
		return problem_nomem(problem);
	}
	*added = group;
	if (depth == DEPTH_MAX || tree->n_groups >= GROUPS_MAX)
		return 0;
	fd = open_group(hierarchy, path);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return problem_nomem(problem);
	}
	while (!r && (entry = readdir(dir))) {
		char below[PATH_MAX];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
			snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >=
				(int)sizeof(below))
			continue;
		r = read_below(hierarchy, below, depth + 1, tree, problem);
	}
	closedir(dir);
	return r;
}

/* 6.1 has no list of its own: what valid isolated groups hold is what is isolated. */
static void isolated_of_groups(struct tree *tree)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (tree->groups[i].partition.valid &&
			tree->groups[i].partition.kind == PARTITION_ISOLATED)
			cpuset_or(&tree->isolated, &tree->groups[i].effective);
}

static bool group_uses_cpuset(const struct hierarchy *hierarchy, const char *path)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	cleanup_close int dir = open_group(hierarchy, path);
	char text[1024];

	for (size_t i = 0; dir >= 0 && i < sizeof(files) / sizeof(*files); i++) {
		ssize_t n = file_read_at(dir, files[i], text, sizeof(text));

		if (n > 0 || n == -EFBIG)
			return true;
	}
	return dir >= 0 &&
	       file_read_at(dir, "cgroup.subtree_control", text, sizeof(text)) > 0 &&
	       has_word(text, "cpuset");
}

bool hierarchy_uses_cpuset(const struct hierarchy *hierarchy)
{
	int fd = open_group(hierarchy, "");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool used = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!used && (entry = readdir(dir)))
		used = entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		       strcmp(entry->d_name, SLICE) &&
		       group_uses_cpuset(hierarchy, entry->d_name);
	closedir(dir);
	return used;
}

/* The file is in every group but the root; its companion of the same age is in the root.
 */
static bool has_remote(const struct hierarchy *hierarchy)
{
	return !faccessat(hierarchy->root, SLICE "/cpuset.cpus.exclusive", F_OK, 0) ||
	       !faccessat(hierarchy->root, "cpuset.cpus.isolated", F_OK, 0);
}

static bool tree_has(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (!strcmp(tree->groups[i].path, path))
			return true;
	return false;
}

/* A group of somebody else's with its leaves, and those above it. One that is gone is
 * left out. */
static int read_foreign(const struct hierarchy *hierarchy, const char *top,
	struct tree *tree, struct problem *problem)
{
	cleanup_free char *path = strdup(top);
	int r = 0;

	if (!path)
		return problem_nomem(problem);
	if (!tree_has(tree, top))
		r = read_below(hierarchy, top, DEPTH_MAX - 1, tree, problem);
	while (!r && path_to_parent(path))
		if (!tree_has(tree, path))
			r = read_below(hierarchy, path, DEPTH_MAX, tree, problem);
	return r;
}

int tree_read(const struct hierarchy *hierarchy, char *const *tops, size_t n_tops,
	struct tree *ret_tree, struct problem *problem)
{
	struct tree tree = {};
	char text[1024];
	int r;

	if (file_read_at(hierarchy->root, "cgroup.subtree_control", text, sizeof(text)) <
		0)
		return problem_set(problem, -EIO, "cannot read %s/cgroup.subtree_control",
			hierarchy->mount);
	tree.root_gives_cpuset = has_word(text, "cpuset");
	r = read_below(hierarchy, SLICE, 0, &tree, problem);
	for (size_t i = 0; !r && i < n_tops; i++)
		r = read_foreign(hierarchy, tops[i], &tree, problem);
	if (!r) {
		r = read_cpus(
			hierarchy->root, "cpuset.cpus.effective", &tree.root_effective);
		if (r)
			problem_set(problem, r,
				"cannot read %s/cpuset.cpus.effective: %s",
				hierarchy->mount, strerror(-r));
	}
	if (r) {
		tree_deinit(&tree);
		return r;
	}
	tree_sort(&tree);
	tree.remote = has_remote(hierarchy);
	if (read_cpus(hierarchy->root, "cpuset.cpus.isolated", &tree.isolated))
		isolated_of_groups(&tree);
	*ret_tree = tree;
	return 0;
}

/*
 * A cgroup id is the inode number that kernfs puts into file handles: FILEID_KERNFS,
 * eight bytes (include/linux/exportfs.h, fs/kernfs/mount.c).
 */
int group_path_of_id(const struct hierarchy *hierarchy, uint64_t id, char **ret_path)
{
	enum { FILEID_KERNFS = 0xfe };
	union {
		struct file_handle head;
		char bytes[sizeof(struct file_handle) + sizeof(uint64_t)];
	} handle = {.head = {.handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS}};
	size_t mount_len = strlen(hierarchy->mount);
	char link[64], path[PATH_MAX];
	cleanup_close int fd = -1;
	ssize_t len;

	memcpy(handle.bytes + sizeof(struct file_handle), &id, sizeof(id));
	fd = open_by_handle_at(hierarchy->root, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE ? -ENOENT : -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	if ((size_t)len < mount_len || strncmp(path, hierarchy->mount, mount_len))
		return -ENOENT;
	*ret_path = strdup(path + mount_len + (path[mount_len] == '/'));
	return *ret_path ? 0 : -ENOMEM;
}
