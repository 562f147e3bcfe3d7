// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

void group_deinit(struct group *group)
{
	free(group->path);
	memset(group, 0, sizeof(*group));
}

static void group_free(struct group *group)
{
	group_deinit(group);
	free(group);
}

void tree_deinit(struct tree *tree)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		group_free(tree->groups[i]);
	free(tree->groups);
	for (size_t i = 0; i < tree->n_beside; i++)
		free(tree->beside[i].path);
	free(tree->beside);
	free(tree->holders);
	memset(tree, 0, sizeof(*tree));
}

static int compare_paths(const void *a, const void *b)
{
	const struct group *group_a = *(const struct group *const *)a;
	const struct group *group_b = *(const struct group *const *)b;

	return strcmp(group_a->path, group_b->path);
}

void tree_sort(struct tree *tree)
{
	if (tree->n_groups)
		qsort(tree->groups, tree->n_groups, sizeof(*tree->groups), compare_paths);
}

static int compare_to(const void *path, const void *group)
{
	return strcmp(path, (*(const struct group *const *)group)->path);
}

struct group *tree_find_within(
	const struct tree *tree, struct group_range range, const char *path)
{
	struct group **found = NULL;

	if (range.first != range.end)
		found = bsearch(path, tree->groups + range.first, range.end - range.first,
			sizeof(*tree->groups), compare_to);
	return found ? *found : NULL;
}

struct group *tree_find(const struct tree *tree, const char *path)
{
	return tree_find_within(tree, (struct group_range){0, tree->n_groups}, path);
}

/* The first group whose path is not before `path` with that character behind it. */
static size_t lower_bound(const struct tree *tree, const char *path, unsigned char next)
{
	size_t first = 0, end = tree->n_groups, len = strlen(path);

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		const char *at = tree->groups[middle]->path;
		int order = strncmp(at, path, len);

		if (order < 0 || (!order && (unsigned char)at[len] < next))
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

struct group_range tree_below(const struct tree *tree, const char *path)
{
	if (!*path)
		return (struct group_range){0, tree->n_groups};
	return (struct group_range){
		lower_bound(tree, path, '/'), lower_bound(tree, path, '/' + 1)};
}

int tree_take(struct tree *tree, struct group *group)
{
	struct group *copy = malloc(sizeof(*copy));
	struct group **slot = copy ? array_push(&tree->groups, &tree->n_groups) : NULL;

	if (!slot) {
		free(copy);
		return -ENOMEM;
	}
	*copy = *group;
	*slot = copy;
	return 0;
}

struct group *tree_add(struct tree *tree, const char *path)
{
	struct group group = {.path = strdup(path)};

	if (!group.path || tree_take(tree, &group)) {
		free(group.path);
		return NULL;
	}
	return tree->groups[tree->n_groups - 1];
}

int tree_merge(struct tree *tree, size_t n_sorted)
{
	size_t n_new = tree->n_groups - n_sorted, to = tree->n_groups, from = n_sorted;
	size_t size = sizeof(*tree->groups);
	struct group **new;

	if (!n_new)
		return 0;
	new = malloc(n_new * size);
	if (!new)
		return -ENOMEM;
	memcpy(new, tree->groups + n_sorted, n_new * size);
	qsort(new, n_new, size, compare_paths);
	while (n_new) {
		bool old = from &&
			   compare_paths(&tree->groups[from - 1], &new[n_new - 1]) > 0;

		tree->groups[--to] = old ? tree->groups[--from] : new[--n_new];
	}
	free(new);
	return 0;
}

static void remove_range(struct tree *tree, struct group_range range)
{
	if (range.first == range.end)
		return;
	for (size_t i = range.first; i < range.end; i++)
		group_free(tree->groups[i]);
	memmove(&tree->groups[range.first], &tree->groups[range.end],
		(tree->n_groups - range.end) * sizeof(*tree->groups));
	tree->n_groups -= range.end - range.first;
}

void tree_remove(struct tree *tree, const char *path)
{
	size_t i = lower_bound(tree, path, '\0');

	if (i < tree->n_groups && !strcmp(tree->groups[i]->path, path))
		remove_range(tree, (struct group_range){i, i + 1});
}

void tree_remove_inside(struct tree *tree, const char *path)
{
	remove_range(tree, tree_below(tree, path));
	tree_remove(tree, path);
}

bool path_is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return len ? !strncmp(path, above, len) && path[len] == '/' : *path != '\0';
}

bool path_is_inside(const char *path, const char *top)
{
	return !strcmp(path, top) || path_is_below(path, top);
}

bool path_to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	return slash;
}

bool partition_holds(const struct partition_state *state)
{
	return state->valid && state->kind != PARTITION_MEMBER;
}

const struct group *tree_partition_of(const struct tree *tree, unsigned int cpu)
{
	const struct group *found = NULL;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *group = tree->groups[i];

		if (group->partition.kind == PARTITION_MEMBER ||
			!cpuset_has(&group->cpus, cpu))
			continue;
		if (!found || path_is_below(group->path, found->path) ||
			(group->partition.valid && !found->partition.valid))
			found = group;
	}
	return found;
}

void partition_state_format(const struct partition_state *state, char *buf, size_t size)
{
	if (state->valid)
		snprintf(buf, size, "%s", partition_name(state->kind));
	else if (*state->reason)
		snprintf(buf, size, "%s invalid (%s)", partition_name(state->kind),
			state->reason);
	else
		snprintf(buf, size, "%s invalid", partition_name(state->kind));
}
