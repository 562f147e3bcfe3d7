// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading groups back: only what the kernel's files say counts, never what was written to
 * them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/files.h"
#include "user/base/array.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/text.h"
#include "user/model/cpulist.h"

enum {
	DEPTH_MAX = 4, /* slice, class, VM, leaf, and whatever somebody put below */
	GROUPS_MAX = 65536,
};

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
	int r;

	r = cpus_read(dir, "cpuset.cpus", &group->cpus);
	if (r == -ENOENT)
		return 0;
	group->has_cpuset = true;
	if (!r)
		r = cpus_read(dir, "cpuset.cpus.effective", &group->effective);
	if (!r)
		r = cpus_read(dir, "cpuset.mems", &group->mems);
	if (!r) {
		r = cpus_read(dir, "cpuset.cpus.exclusive", &group->exclusive);
		r = r == -ENOENT ? 0 : r;
	}
	return r ? r : partition_read(dir, &group->partition);
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

int group_read(const struct hierarchy *hierarchy, const char *path,
	struct group *ret_group, struct problem *problem)
{
	cleanup_close int dir = group_open(hierarchy->root, path);
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
	DIR *children = parent ? children_open(hierarchy->root, parent) : NULL;
	const char *name;
	char *rival = NULL;

	if (!children)
		return NULL;
	while (!rival && (name = children_next(children))) {
		cleanup_free char *beside = NULL;
		struct group group = {};

		if (!strcmp(name, own) ||
			asprintf(&beside, "%s%s%s", parent, *parent ? "/" : "", name) <
				0 ||
			group_read(hierarchy, beside, &group, NULL))
			continue;
		if (cpuset_intersects(&group.cpus, cpus) ||
			cpuset_intersects(&group.exclusive, cpus))
			rival = take_ptr(beside);
		group_deinit(&group);
	}
	closedir(children);
	return rival;
}

/* Adds the group and all below. One that vanishes meanwhile is left out. */
static int read_below(const struct hierarchy *hierarchy, const char *path,
	unsigned int depth, struct tree *tree, struct problem *problem)
{
	struct group group = {};
	const char *name;
	DIR *children;
	int r;

	r = group_read(hierarchy, path, &group, problem);
	if (r)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	if (tree_take(tree, &group)) {
		group_deinit(&group);
		return problem_nomem(problem);
	}
	if (depth == DEPTH_MAX || tree->n_groups >= GROUPS_MAX)
		return 0;
	children = children_open(hierarchy->root, path);
	if (!children)
		return errno == ENOMEM ? problem_nomem(problem) : 0;
	while (!r && (name = children_next(children))) {
		char below[PATH_MAX];

		if (snprintf(below, sizeof(below), "%s/%s", path, name) <
			(int)sizeof(below))
			r = read_below(hierarchy, below, depth + 1, tree, problem);
	}
	closedir(children);
	return r;
}

/* 6.1 has no list of its own: what valid isolated groups hold is what is isolated. */
static void isolated_of_groups(struct tree *tree)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (tree->groups[i]->partition.valid &&
			tree->groups[i]->partition.kind == PARTITION_ISOLATED)
			cpuset_or(&tree->isolated, &tree->groups[i]->effective);
}

static bool group_uses_cpuset(const struct hierarchy *hierarchy, const char *path)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	cleanup_close int dir = group_open(hierarchy->root, path);
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
	DIR *children = children_open(hierarchy->root, "");
	const char *name;
	bool used = false;

	if (!children)
		return false;
	while (!used && (name = children_next(children)))
		used = strcmp(name, SLICE) && group_uses_cpuset(hierarchy, name);
	closedir(children);
	return used;
}

/* The file is in every group but the root; its companion of the same age is in the root.
 */
static bool has_remote(const struct hierarchy *hierarchy)
{
	return !faccessat(hierarchy->root, SLICE "/cpuset.cpus.exclusive", F_OK, 0) ||
	       !faccessat(hierarchy->root, "cpuset.cpus.isolated", F_OK, 0);
}

/* One that vanishes meanwhile has nothing. */
static int read_beside(const struct hierarchy *hierarchy, struct tree *tree)
{
	DIR *children = children_open(hierarchy->root, "");
	const char *name;
	int r = 0;

	while (!r && children && (name = children_next(children))) {
		cleanup_close int dir =
			strcmp(name, SLICE) ? group_open(hierarchy->root, name) : -1;
		struct beside *beside;
		struct cpuset cpus;

		if (dir < 0 || cpus_read(dir, "cpuset.cpus", &cpus) ||
			cpuset_empty(&cpus))
			continue;
		beside = array_push(&tree->beside, &tree->n_beside);
		if (beside)
			beside->path = strdup(name);
		if (!beside || !beside->path)
			r = -ENOMEM;
		else
			beside->cpus = cpus;
	}
	if (children)
		closedir(children);
	return r;
}

static bool tree_has(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		if (!strcmp(tree->groups[i]->path, path))
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
	tree.remote = has_remote(hierarchy);
	r = !tree.remote && read_beside(hierarchy, &tree) ? problem_nomem(problem) : 0;
	if (!r)
		r = read_below(hierarchy, SLICE, 0, &tree, problem);
	for (size_t i = 0; !r && i < n_tops; i++)
		r = read_foreign(hierarchy, tops[i], &tree, problem);
	if (!r) {
		r = cpus_read(
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
	if (cpus_read(hierarchy->root, "cpuset.cpus.isolated", &tree.isolated))
		isolated_of_groups(&tree);
	*ret_tree = tree;
	return 0;
}

/*
 * A cgroup id is the inode number that kernfs puts into file handles: FILEID_KERNFS,
 * eight bytes (include/linux/exportfs.h, fs/kernfs/mount.c).
 */
enum { FILEID_KERNFS = 0xfe }; /* include/linux/exportfs.h */

union group_handle {
	struct file_handle head;
	char bytes[sizeof(struct file_handle) + sizeof(uint64_t)];
};

int group_id(const struct hierarchy *hierarchy, const char *path, uint64_t *ret_id)
{
	union group_handle handle = {.head.handle_bytes = sizeof(uint64_t)};
	int mount;

	if (name_to_handle_at(hierarchy->root, path, &handle.head, &mount, AT_EMPTY_PATH))
		return -errno;
	if (handle.head.handle_type != FILEID_KERNFS ||
		handle.head.handle_bytes != sizeof(uint64_t))
		return -EOPNOTSUPP;
	memcpy(ret_id, handle.bytes + sizeof(struct file_handle), sizeof(*ret_id));
	return 0;
}

int group_path_of_id(const struct hierarchy *hierarchy, uint64_t id, char **ret_path)
{
	union group_handle handle = {
		.head = {.handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS}};
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
