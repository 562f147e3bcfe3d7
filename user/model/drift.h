/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Who changed where a VM's threads may run, as the observer saw it. Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/model/cpuset.h"
#include "user/model/vm.h"

enum drift_change {
	CHANGED_AFFINITY,  /* sched_setaffinity() of a thread */
	CHANGED_CPUS,	   /* a group's cpuset.cpus */
	CHANGED_EXCLUSIVE, /* its cpuset.cpus.exclusive */
	CHANGED_MEMS,	   /* its cpuset.mems */
	CHANGED_PARTITION, /* its cpuset.cpus.partition */
	CHANGED_GROUP,	   /* a thread's or process's group */
	DRIFT_CHANGES
};

enum {
	DRIFT_TEXT_SIZE = 64,
	DRIFT_LIST_SIZE = 256,
	DRIFT_CPUS = 1024, /* that a note has a place for */
};

/* Who a task was then. */
struct drift_task {
	pid_t tid, tgid;
	char comm[COMM_SIZE];
	uint64_t cgroup; /* id */
};

struct drift_note {
	uint64_t number; /* ascending */
	uint64_t time;	 /* CLOCK_MONOTONIC ns */
	enum drift_change change;
	int result;	       /* 0, or the -errno of the guard's refusal */
	char vm[VM_NAME_SIZE]; /* "": of no single one, or of one that is gone */
	bool shared;	       /* of no single one */
	bool beside;	       /* of a group that no VM is in, next to the VMs' */
	struct drift_task by;
	struct drift_task target;   /* AFFINITY, GROUP; tid 0 otherwise */
	uint64_t group, group_to;   /* ids: whose file; GROUP: from and to */
	char text[DRIFT_TEXT_SIZE]; /* what was written to a file, without its end */
	/* AFFINITY; what the file of CPUS, … says; PARTITION: CPUs of the group, and
	 * those that it claims */
	struct cpuset before, after;
	int state_before, state_after; /* PARTITION: as the kernel numbers them */
};

/* `affinity`, `cpuset`, `partition` or `move`. */
const char *drift_kind(enum drift_change change);

/* The file that was written, `cpuset.cpus` and so on; NULL where it was none. */
const char *drift_file(enum drift_change change);

/* A state of a partition as the kernel shows it, without a reason. */
const char *drift_state(int state);

/* What is to be explained: the state of a VM or, with a time, a violation. */
struct drift_question {
	const char *vm;
	pid_t tid, tgid; /* who ran where he should not have; 0: nobody in particular */
	/* CLOCK_MONOTONIC ns: when he was last seen there, and when he came; 0: now. */
	uint64_t time, began;
	const struct cpuset *where; /* he ran there; NULL: not known */
	/* Of the VM's rules: its own CPUs (NULL: not known), and since when they hold:
	 * what was before explains nothing. */
	const struct cpuset *cpus;
	uint64_t since; /* CLOCK_MONOTONIC ns */
};

/*
 * Who has brought it about: the latest change of the VM's threads or groups, of what it
 * shares with others, or of a group next to it that has to do with its CPUs, that has not
 * been mended since. Of changes of single threads only those of the one who ran, of
 * changes of CPUs only those that have to do with where he ran. Notes are newest first.
 * NULL: nobody known.
 */
const struct drift_note *drift_find(const struct drift_note *notes, size_t n_notes,
	const struct drift_question *question);

/*
 * `affinity changed by taskset (pid 123, in /user.slice)`. The group as a path without
 * its leading slash; NULL: it is gone, and not said.
 */
void drift_sentence(
	const struct drift_note *note, const char *by_group, char *buf, size_t size);
