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

static int cannot_list(const char *path, struct problem *problem)
{
	return problem_set(problem, -errno, "cannot list the cgroups below /%s: %s", path,
		strerror(errno));
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
		return is_gone(r) ? 0 : r;
	if (tree_take(tree, &group)) {
		group_deinit(&group);
		return problem_nomem(problem);
	}
	if (depth == DEPTH_MAX || tree->n_groups >= GROUPS_MAX)
		return 0;
	children = children_open(hierarchy->root, path);
	if (!children)
		return is_gone(-errno) ? 0 : cannot_list(path, problem);
	while (!r && (name = children_next(children))) {
		char below[PATH_MAX];

		if (snprintf(below, sizeof(below), "%s/%s", path, name) <
			(int)sizeof(below))
			r = read_below(hierarchy, below, depth + 1, tree, problem);
	}
	if (!r && errno && !is_gone(-errno))
		r = cannot_list(path, problem);
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

/* What cannot be read is taken for a use. */
static bool group_uses_cpuset(const struct hierarchy *hierarchy, const char *path)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	cleanup_close int dir = group_open(hierarchy->root, path);
	char text[1024];
	ssize_t n;

	if (dir < 0)
		return !is_gone(dir);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		n = file_read_at(dir, files[i], text, sizeof(text));
		if (n && !is_gone((int)n))
			return true;
	}
	n = file_read_at(dir, "cgroup.subtree_control", text, sizeof(text));
	return n < 0 ? !is_gone((int)n) : has_word(text, "cpuset");
}

bool hierarchy_uses_cpuset(const struct hierarchy *hierarchy)
{
	DIR *children = children_open(hierarchy->root, "");
	const char *name;
	bool used = false;

	if (!children)
		return true;
	while (!used && (name = children_next(children)))
		used = strcmp(name, SLICE) && group_uses_cpuset(hierarchy, name);
	used |= !name && errno;
	closedir(children);
	return used;
}

/* The file is in every group but the root; its companion of the same age is in the root.
 */
static int has_remote(const struct hierarchy *hierarchy)
{
	static const char *const files[] = {
		SLICE "/cpuset.cpus.exclusive", "cpuset.cpus.isolated"};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (!faccessat(hierarchy->root, files[i], F_OK, 0))
			return 1;
		if (errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* What the root says of all groups. */
static int read_root(
	const struct hierarchy *hierarchy, struct tree *tree, struct problem *problem)
{
	char text[1024];
	ssize_t n;
	int r;

	n = file_read_at(hierarchy->root, "cgroup.subtree_control", text, sizeof(text));
	r = n < 0 ? (int)n : has_remote(hierarchy);
	if (r < 0)
		return problem_set(problem, r, "cannot read the cgroups in %s: %s",
			hierarchy->mount, strerror(-r));
	tree->root_gives_cpuset = has_word(text, "cpuset");
	tree->remote = r;
	return 0;
}

/* One that vanishes meanwhile has nothing. */
static int read_beside(const struct hierarchy *hierarchy, struct tree *tree)
{
	DIR *children = children_open(hierarchy->root, "");
	const char *name;
	int r = 0;

	if (!children)
		return -errno;
	while (!r && (name = children_next(children))) {
		cleanup_close int dir =
			strcmp(name, SLICE) ? group_open(hierarchy->root, name) : -1;
		struct beside *beside;
		struct cpuset cpus;

		if (!strcmp(name, SLICE))
			continue;
		r = dir < 0 ? dir : cpus_read(dir, "cpuset.cpus", &cpus);
		if (r || cpuset_empty(&cpus)) {
			r = is_gone(r) ? 0 : r;
			continue;
		}
		beside = array_push(&tree->beside, &tree->n_beside);
		if (beside)
			beside->path = strdup(name);
		if (!beside || !beside->path)
			r = -ENOMEM;
		else
			beside->cpus = cpus;
	}
	if (!r)
		r = -errno;
	closedir(children);
	return r;
}

/* Among those that were read from the one of that place on. */
static bool tree_has(const struct tree *tree, size_t first, const char *path)
{
	for (size_t i = first; i < tree->n_groups; i++)
		if (!strcmp(tree->groups[i]->path, path))
			return true;
	return false;
}

/* How deep below the slice a group is; somebody else's is read with its leaves only. */
static unsigned int depth_of(const char *path)
{
	unsigned int depth = 0;

	if (!path_is_inside(path, SLICE))
		return DEPTH_MAX - 1;
	while ((path = strchr(path, '/'))) {
		path++;
		depth++;
	}
	return depth;
}

/* A group with what is below it, and those above it, but those that are there from
 * `first` on. One that is gone is left out. */
static int read_around(const struct hierarchy *hierarchy, const char *top, size_t first,
	struct tree *tree, struct problem *problem)
{
	cleanup_free char *path = strdup(top);
	int r = 0;

	if (!path)
		return problem_nomem(problem);
	if (!tree_has(tree, first, top))
		r = read_below(hierarchy, top, depth_of(top), tree, problem);
	while (!r && path_to_parent(path))
		if (!tree_has(tree, first, path))
			r = read_below(hierarchy, path, DEPTH_MAX, tree, problem);
	return r;
}

/* The groups are there and sorted. */
static int read_root_cpus(
	const struct hierarchy *hierarchy, struct tree *tree, struct problem *problem)
{
	int r = cpus_read(
		hierarchy->root, "cpuset.cpus.effective", &tree->root_effective);

	if (!r) {
		r = cpus_read(hierarchy->root, "cpuset.cpus.isolated", &tree->isolated);
		if (r == -ENOENT) {
			tree->isolated = (struct cpuset){};
			isolated_of_groups(tree);
			return 0;
		}
	}
	return r ? problem_set(problem, r,
			   "cannot read the CPUs of the cgroups in %s: %s",
			   hierarchy->mount, strerror(-r))
		 : 0;
}

int tree_read(const struct hierarchy *hierarchy, char *const *tops, size_t n_tops,
	struct tree *ret_tree, struct problem *problem)
{
	struct tree tree = {};
	int r = read_root(hierarchy, &tree, problem);

	if (!r && !tree.remote) {
		r = read_beside(hierarchy, &tree);
		if (r)
			problem_set(problem, r, "cannot read the cgroups in %s: %s",
				hierarchy->mount, strerror(-r));
	}
	if (!r)
		r = read_below(hierarchy, SLICE, 0, &tree, problem);
	for (size_t i = 0; !r && i < n_tops; i++)
		r = read_around(hierarchy, tops[i], 0, &tree, problem);
	tree_sort(&tree);
	if (!r)
		r = read_root_cpus(hierarchy, &tree, problem);
	if (r) {
		tree_deinit(&tree);
		return r;
	}
	*ret_tree = tree;
	return 0;
}

int tree_read_again(const struct hierarchy *hierarchy, const char *top, struct tree *tree,
	struct problem *problem)
{
	cleanup_free char *path = strdup(top);
	size_t n_sorted;
	int r;

	if (!path)
		return problem_nomem(problem);
	tree_remove_inside(tree, top);
	while (path_to_parent(path))
		tree_remove(tree, path);
	n_sorted = tree->n_groups;
	r = read_around(hierarchy, top, n_sorted, tree, problem);
	if (!r && tree_merge(tree, n_sorted))
		r = problem_nomem(problem);
	return r ? r : read_root_cpus(hierarchy, tree, problem);
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
