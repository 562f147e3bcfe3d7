/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A plan: named steps in the order in which they are safe. Data; control/ carries them
 * out. */
#include <stdbool.h>
#include <stddef.h>

#include "user/model/cpuset.h"
#include "user/model/policy.h"
#include "user/model/vm.h"

enum step_kind {
	STEP_START_OBSERVER,
	STEP_STOP_OBSERVER,
	STEP_RECORD_HOST, /* what the host was like, before its first change */
	STEP_RECORD,	  /* what the VM was like */
	STEP_GIVE_CPUSET, /* cpuset into path's cgroup.subtree_control */
	STEP_TAKE_CPUSET,
	STEP_MAKE_GROUP,
	STEP_MAKE_THREADED,
	STEP_SET_CPUS,
	STEP_SET_EXCLUSIVE, /* cpuset.cpus.exclusive */
	STEP_SET_MEMS,	    /* memory nodes, in `cpus` */
	STEP_SET_PARTITION,
	STEP_BEGIN_RULES,  /* old and new: settling */
	STEP_COMMIT_RULES, /* only the new */
	STEP_FORGET_RULES,
	STEP_MOVE_PROCESS, /* with all threads, into path */
	STEP_MOVE_THREAD,  /* into path, where it may run on all of `cpus` */
	STEP_SET_AFFINITY,
	STEP_KEEP_OFF,	      /* kernel threads that can run elsewhere off `cpus` */
	STEP_RETURN_VM,	      /* threads to the groups found */
	STEP_RETURN_AFFINITY, /* and to the affinities found */
	STEP_RETURN_HOST,     /* bindings of host threads found */
	STEP_RECLAIM, /* `cpus` that the kernel counts as some partition's, and are none's
		       */
	STEP_REMOVE_GROUP,
	STEP_LEAVE, /* what is not given back, and why; changes nothing */
	STEP_DROP_RECORD,
	STEP_DROP_HOST_RECORD,
};

struct step {
	enum step_kind kind;
	char *path; /* the group; owned; NULL where there is none */
	struct cpuset cpus;
	enum partition partition;
	pid_t tid;
	uint64_t start_time; /* of tid */
	const char *why;     /* a few words, or NULL; static */
};

/* All steps of one VM, or of the host (vm is ""). Carried out as a whole, or undone as a
 * whole. */
struct unit {
	char vm[VM_NAME_SIZE];
	pid_t pid;
	uint64_t start_time;
	struct step *steps;
	size_t n_steps;
};

struct plan {
	struct unit *units;
	size_t n_units;
};

void unit_deinit(struct unit *unit);
void plan_deinit(struct plan *plan);

/* Appends a step; path is copied, may be NULL. NULL: out of memory. */
struct step *unit_add(
	struct unit *unit, enum step_kind kind, const char *path, const char *why);

/* `make-group`, `set-cpus`, …: the step's name for scripts. */
const char *step_name(enum step_kind kind);

/* One line for people: what is done to what. The caller frees; NULL: out of memory. */
char *step_describe(const struct step *step, const struct unit *unit);
