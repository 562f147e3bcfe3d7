// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/model/holders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct count {
	struct cpuset any; /* those with at least one holder */
	uint16_t n[CPUSET_CPUS];
};

struct holders {
	struct count ours, others; /* below the slice, and elsewhere */
};

static bool is_ours(const struct group *group)
{
	return path_is_below(group->path, SLICE);
}

/*
 * A claim counts although a killed change has made no partition of it yet. Where claims
 * are written down, cpuset.cpus of a group that is no partition are no claim: a member
 * may run where the host does. False: it holds nothing.
 */
static bool held(
	const struct tree *tree, const struct group *group, struct cpuset *ret_cpus)
{
	bool top = is_ours(group) && !strchr(group->path + strlen(SLICE "/"), '/');

	if (!top) {
		/* Without remote partitions, what is below has only what the top has. */
		if (!partition_holds(&group->partition) ||
			(is_ours(group) && !tree->remote) || !strcmp(group->path, SLICE))
			return false;
		*ret_cpus = group->effective;
		/* A damaged one may say that it has another's. */
		if (is_ours(group))
			cpuset_and(ret_cpus, &group->cpus);
		return true;
	}
	*ret_cpus = group->exclusive;
	if (!tree->remote || group->partition.kind != PARTITION_MEMBER)
		cpuset_or(ret_cpus, &group->cpus);
	return true;
}

static void add(struct count *count, const struct cpuset *cpus)
{
	cpuset_for_each (cpu, cpus)
		if (!count->n[cpu]++)
			cpuset_add(&count->any, (unsigned int)cpu);
}

static void drop(struct count *count, const struct cpuset *cpus)
{
	cpuset_for_each (cpu, cpus)
		if (!--count->n[cpu])
			cpuset_drop(&count->any, (unsigned int)cpu);
}

void holders_put_back(struct tree *tree, const struct group *group)
{
	struct cpuset cpus;

	if (tree->holders && held(tree, group, &cpus))
		add(is_ours(group) ? &tree->holders->ours : &tree->holders->others,
			&cpus);
}

void holders_take_out(struct tree *tree, const struct group *group)
{
	struct cpuset cpus;

	if (tree->holders && held(tree, group, &cpus))
		drop(is_ours(group) ? &tree->holders->ours : &tree->holders->others,
			&cpus);
}

int holders_count(struct tree *tree)
{
	struct holders *holders = calloc(1, sizeof(*holders));

	if (!holders)
		return -ENOMEM;
	free(tree->holders);
	tree->holders = holders;
	for (size_t i = 0; i < tree->n_groups; i++)
		holders_put_back(tree, tree->groups[i]);
	return 0;
}

/* Of all groups, one by one. */
static struct cpuset ask_all(const struct tree *tree, const char *except, bool ours)
{
	struct cpuset cpus = {}, one;

	for (size_t i = 0; i < tree->n_groups; i++) {
		const struct group *group = tree->groups[i];

		if (is_ours(group) == ours && held(tree, group, &one) &&
			(!*except || !path_is_inside(group->path, except)))
			cpuset_or(&cpus, &one);
	}
	return cpus;
}

static void take_out_one(const struct tree *tree, const struct group *group,
	struct count *count, struct cpuset *cpus, bool out)
{
	struct cpuset own;

	if (!group || !held(tree, group, &own))
		return;
	cpuset_for_each (cpu, &own) {
		if (out && !--count->n[cpu])
			cpuset_drop(cpus, (unsigned int)cpu);
		if (!out)
			count->n[cpu]++;
	}
}

/* What is left when those of one group and below it are taken out; then they are put
 * back. */
static struct cpuset ask_counts(
	const struct tree *tree, const char *except, struct count *count)
{
	struct group_range below = tree_below(tree, *except ? except : SLICE);
	const struct group *top = *except ? tree_find(tree, except) : NULL;
	struct cpuset cpus = count->any;

	if (!*except)
		return cpus;
	for (int out = 1; out >= 0; out--) {
		take_out_one(tree, top, count, &cpus, out);
		for (size_t i = below.first; i < below.end; i++)
			take_out_one(tree, tree->groups[i], count, &cpus, out);
	}
	return cpus;
}

static struct cpuset ask(const struct tree *tree, const char *except, bool ours)
{
	/* A group of ours is in no count of others', and the other way round. */
	if (*except && path_is_below(except, SLICE) != ours)
		except = "";
	if (!tree->holders)
		return ask_all(tree, except, ours);
	return ask_counts(
		tree, except, ours ? &tree->holders->ours : &tree->holders->others);
}

struct cpuset holders_other(const struct tree *tree, const char *except)
{
	return ask(tree, except, true);
}

struct cpuset holders_all_other(const struct tree *tree, const char *except)
{
	struct cpuset cpus = ask(tree, except, true), others = ask(tree, except, false);

	cpuset_or(&cpus, &others);
	return cpus;
}
