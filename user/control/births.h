/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The vCPUs and iothreads of a VM that is being started, and where they are to be born.
 * Private to the launch (launch.h).
 */
#include "user/control/cycle.h"
#include "user/host/newborn.h"

/* A thread that is to come. */
struct birth {
	struct vm_thread thread; /* its class, index and name; without a cgroup */
	char *leaf;		 /* where it is to be born; owned */
	bool done;
};

struct births {
	struct hierarchy hierarchy; /* owned; root -1 where there are none */
	char *emulator; /* the group of the thread that makes the others; owned */
	struct birth *items;
	size_t n_items;
	struct birth *now; /* its maker is in its group until the call returns */
};

/* Those of a VM that is placed already, as far as it is there. `asking` is for
 * cycle_read_asking(). The caller owns: births_deinit(). */
int births_read(const struct folders *folders, const struct asking *asking,
	const char *vm_name, struct births *ret_births, struct problem *problem);
void births_deinit(struct births *births);
bool births_are_done(const struct births *births);

/*
 * To be called with that thread stopped where it enters a system call, and where it
 * leaves it: one that makes a thread that is to come does so in that one's group.
 * births_leave() returns whether one was born.
 */
void births_enter(
	struct births *births, pid_t tid, uint64_t nr, const uint64_t args[SYSCALL_ARGS]);
bool births_leave(struct births *births, pid_t tid, int64_t result);
