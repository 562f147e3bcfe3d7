/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The cgroup v2 hierarchy and groups in it. This room alone writes to cgroupfs, and alone
 * includes libcgroup, which finds the mount, creates groups, sets values and deletes.
 * What it cannot do on v2 (threads, clearing, reading back, a write's errno) is done on a
 * directory fd beside it.
 *
 * Paths are below the mount, without a leading slash; "" is the root. Files are read
 * bounded.
 */
#include <limits.h>

#include "user/base/problem.h"
#include "user/model/tree.h"

struct hierarchy {
	char mount[PATH_MAX];
	int root; /* directory fd of the mount; -1 when closed */
};

/* Where the cpuset controller is. -EOPNOTSUPP when it is on cgroup v1 or not there at
 * all. */
int hierarchy_open(struct hierarchy *ret_hierarchy, struct problem *problem);
void hierarchy_close(struct hierarchy *hierarchy);
#define cleanup_hierarchy __attribute__((cleanup(hierarchy_close)))

/* Makes a group. 0 when it is there already. */
int group_make(
	const struct hierarchy *hierarchy, const char *path, struct problem *problem);

/* Makes it a threaded group, its parent a threaded domain. */
int group_make_threaded(
	const struct hierarchy *hierarchy, const char *path, struct problem *problem);

/* Removes an empty group. 0 when it is gone already; -EBUSY when something is in it. */
int group_remove(
	const struct hierarchy *hierarchy, const char *path, struct problem *problem);

/* Gives the children of a group the cpuset controller, or takes it from them. */
int group_give_cpuset(const struct hierarchy *hierarchy, const char *path, bool give,
	struct problem *problem);

/* Does any group below the root, but our slice, set CPUs or memory nodes or hand cpuset
 * on? True also when it cannot be told. */
bool hierarchy_uses_cpuset(const struct hierarchy *hierarchy);

/*
 * CPUs that the root has, or a valid partition wherever in the hierarchy it is (their
 * `cpuset.cpus.exclusive.effective`); and those of isolated partitions. A leftover of
 * hierarchy_reclaim() is none.
 */
int hierarchy_accounted(const struct hierarchy *hierarchy, struct cpuset *ret_cpus,
	struct cpuset *ret_isolated, struct problem *problem);

/* Did somebody who was killed leave the group of hierarchy_reclaim()? */
bool hierarchy_has_reclaim(const struct hierarchy *hierarchy);

/*
 * Makes a partition of these CPUs next to the root, and ends it: then they are the root's
 * again. With no CPUs, clears away what was left of it. -EBUSY: somebody uses that group.
 * The root gives cpuset.
 */
int hierarchy_reclaim(const struct hierarchy *hierarchy, const struct cpuset *cpus,
	struct problem *problem);

/* Sets `cpuset.cpus`; the empty set clears it. */
int group_set_cpus(const struct hierarchy *hierarchy, const char *path,
	const struct cpuset *cpus, struct problem *problem);

/* As group_set_cpus(), for `cpuset.cpus.exclusive`. -ENOENT on kernels without it. */
int group_set_exclusive(const struct hierarchy *hierarchy, const char *path,
	const struct cpuset *cpus, struct problem *problem);

/* As group_set_cpus(), for `cpuset.mems`: the kernel moves pages of the tasks there. */
int group_set_mems(const struct hierarchy *hierarchy, const char *path,
	const struct cpuset *mems, struct problem *problem);

/*
 * Sets `cpuset.cpus.partition` and reads it back: the write succeeds even when the result
 * is invalid. -EINVAL with the kernel's reason when it is not valid afterwards.
 */
int group_set_partition(const struct hierarchy *hierarchy, const char *path,
	enum partition partition, struct problem *problem);

/*
 * A group beside this one, next below the same parent, that sets or claims some of these
 * CPUs: what keeps a partition from being exclusive. NULL: none. The caller frees.
 */
char *group_rival(
	const struct hierarchy *hierarchy, const char *path, const struct cpuset *cpus);

/* Reads one group. -ENOENT when there is none. The caller owns: group_deinit(). */
int group_read(const struct hierarchy *hierarchy, const char *path,
	struct group *ret_group, struct problem *problem);

/*
 * Reads the root, the slice and all below; and of the VMs in libvirt's groups the top
 * groups, their leaves and what is above them. The caller owns: tree_deinit().
 */
int tree_read(const struct hierarchy *hierarchy, char *const *tops, size_t n_tops,
	struct tree *ret_tree, struct problem *problem);

/*
 * Reads the root, that group with all below it, and those above it again; what else the
 * tree knows stays. A group that is gone is there no more. On failure only
 * tree_deinit() is left to do.
 */
int tree_read_again(const struct hierarchy *hierarchy, const char *top, struct tree *tree,
	struct problem *problem);

/* The number of a group, as BPF reports it. -ENOENT: there is none. */
int group_id(const struct hierarchy *hierarchy, const char *path, uint64_t *ret_id);

/* The path of a group from that number. -ENOENT: gone. The caller frees. */
int group_path_of_id(const struct hierarchy *hierarchy, uint64_t id, char **ret_path);
