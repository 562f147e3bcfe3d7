// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/array.h"

void group_deinit(struct group *group)
{
	free(group->path);
	memset(group, 0, sizeof(*group));
}

void tree_deinit(struct tree *tree)
{
	for (size_t i = 0; i < tree->n_groups; i++)
		group_deinit(&tree->groups[i]);
	free(tree->groups);
	for (size_t i = 0; i < tree->n_beside; i++)
		free(tree->beside[i].path);
	free(tree->beside);
	memset(tree, 0, sizeof(*tree));
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->path, ((const struct group *)b)->path);
}

void tree_sort(struct tree *tree)
{
	if (tree->n_groups)
		qsort(tree->groups, tree->n_groups, sizeof(*tree->groups), compare_paths);
}

struct group *tree_find(const struct tree *tree, const char *path)
{
	struct group key = {.path = (char *)path};

	if (!tree->n_groups)
		return NULL;
	return bsearch(&key, tree->groups, tree->n_groups, sizeof(key), compare_paths);
}

struct group *tree_add(struct tree *tree, const char *path)
{
	char *copy = strdup(path);
	struct group *group = copy ? array_push(&tree->groups, &tree->n_groups) : NULL;

	if (!group) {
		free(copy);
		return NULL;
	}
	group->path = copy;
	return group;
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
		const struct group *group = &tree->groups[i];

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
