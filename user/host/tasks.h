/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Every thread of the host, and the CPU on which it runs or ran last. */
#include <stdbool.h>

#include "user/base/problem.h"
#include "user/model/vm.h"

struct task {
	pid_t pid, tid;
	char comm[COMM_SIZE]; /* chosen by the thread: shown, never trusted */
	char state;	      /* proc(5): R, S, D, Z … */
	bool kernel;
	bool bound; /* a kernel thread that can run on no other CPU */
	int last_cpu;
	bool allowed; /* it may still run there; one that sleeps keeps its last CPU */
};

/*
 * Ascending by CPU, then by tid. Threads that vanish meanwhile are left out. -E2BIG: more
 * than a host can sensibly have; -ENOMEM. The caller frees *ret_tasks.
 */
int tasks_read(struct task **ret_tasks, size_t *ret_n, struct problem *problem);

/* The first of them on that CPU, or where it would be. Pure. */
size_t tasks_first_on(const struct task *tasks, size_t n, int cpu);
