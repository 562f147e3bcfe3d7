/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which CPUs the groups of a tree hold: those directly below the slice what they claim,
 * with a class's group as one; and valid partitions, wherever they are.
 *
 * To ask all groups for each of many VMs would take long. So they can be counted once;
 * who changes a group then takes it out before and puts it back after.
 */
#include "user/model/tree.h"

/* Counts a tree's holders, again if they were before. -ENOMEM. */
int holders_count(struct tree *tree);

/* Of a tree that is not counted, these do nothing. */
void holders_take_out(struct tree *tree, const struct group *group);
void holders_put_back(struct tree *tree, const struct group *group);

/* What groups below the slice hold, but that group and those below it; "" is none. */
struct cpuset holders_other(const struct tree *tree, const char *except);

/* The same with partitions in groups of others. */
struct cpuset holders_all_other(const struct tree *tree, const char *except);
