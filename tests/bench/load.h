/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A process of two threads that does nothing but switch, on one CPU. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum load_kind {
	LOAD_HOST,     /* two threads wake one another on the CPU; not a VM */
	LOAD_OWN_CPU,  /* tids[1], the vCPU, alternates with idle; tids[0] wakes it from
			  elsewhere */
	LOAD_OWN_COLD, /* as LOAD_OWN_CPU, but idle halts the CPU instead of polling */
	LOAD_VM,       /* as LOAD_HOST, but both are threads of a VM */
	LOADS,
};

static inline bool load_has_own_cpu(enum load_kind kind)
{
	return kind == LOAD_OWN_CPU || kind == LOAD_OWN_COLD;
}

struct load {
	enum load_kind kind;
	unsigned int cpu, other_cpu; /* where the switches are; where the waker is */
	pid_t pid, tids[2];
	int channel;
	unsigned int crowd; /* other VMs that the observer knows; the caller's to set */
};

struct load_result {
	uint64_t ns, switches; /* of the load itself; idle's are not in it */
};

/* Starts one that waits for load_run(). Negative errno. */
int load_start(enum load_kind kind, unsigned int cpu, unsigned int other_cpu,
	struct load *ret_load);

/* Switches for so long. -EPIPE: it died. */
int load_run(const struct load *load, uint64_t ns, struct load_result *ret_result);

void load_stop(struct load *load);
