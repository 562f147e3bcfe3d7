/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Violations that a daemon has kept in events.jsonl and in the files that it has rotated
 * away. The files are untrusted: lines that are none of ours are counted and left out.
 */
#include "user/base/problem.h"
#include "user/model/counters.h"

enum { KEPT_TIME_SIZE = 32 };

struct kept_violation {
	char time[KEPT_TIME_SIZE]; /* RFC 3339, UTC */
	char vm[VM_NAME_SIZE];
	char class[16], cause[16]; /* cause "": off_set has none */
	int cpu, vcpu;		   /* vcpu -1: the VM as a whole */
	pid_t pid, tid;
	char comm[COMM_SIZE];
	uint64_t ns;
};

struct kept_violations {
	struct kept_violation *items; /* oldest first; owned */
	size_t n_items;
	bool cut;	    /* there are older ones, which were left out */
	uint64_t unheard;   /* violations of which only a number was kept */
	uint64_t n_damaged; /* lines that make no sense */
};

/* The latest `max`. -ENOENT: there is no such file. The caller owns:
 * kept_violations_deinit(). */
int kept_violations_read(const char *path, size_t max, struct kept_violations *ret_kept,
	struct problem *problem);
void kept_violations_deinit(struct kept_violations *history);
