/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What happened between two readings: counts of the interval by CPU, VM and vCPU. Pure.
 */
#include "user/model/sample.h"

enum cpu_state {
	CPU_OFFLINE,
	CPU_HOUSEKEEPING,
	CPU_SHARED,   /* by the VMs of a class */
	CPU_RESERVED, /* and nobody else was there */
	CPU_SETTLING,
	CPU_INTRUDED, /* a violation in the interval, or one that is still on */
};

struct view_counts {
	struct tally foreign[CAUSE_COUNT], off_set, settling;
	struct tally
		interference; /* bound kernel threads; where measured interrupts, too */
};

struct view_cpu {
	const struct sample_cpu *at;
	enum cpu_state state;
	struct view_counts counts;
};

struct view_vcpu {
	const struct sample_vcpu *at;
	bool known;		   /* it was there before, too: else no rates */
	unsigned int run_permille; /* of the interval on a CPU */
	uint64_t waits;
	uint64_t mean_ns, p50_ns, p99_ns; /* bounds of quantiles; 0: there is none */
	struct tally off_set;
	struct tally foreign, interference; /* on the CPUs that are its own */
};

struct view_vm {
	const struct sample_vm *at;
	char letter;	    /* in the map; '*' where letters are used up */
	struct cpuset cpus; /* its own, its vCPUs' among them */
	struct view_counts counts;
	bool intruded; /* somebody is on one of its CPUs, or it off its sets, now */
	unsigned int run_permille; /* of all vCPUs together */
	uint64_t waits, p99_ns;	   /* of all vCPUs together */
	struct view_vcpu *vcpus;   /* by index */
};

struct view {
	const struct sample *now;
	enum sample_observer observer; /* also blind when nothing was counted meanwhile */
	uint64_t interval_ns; /* 0: there is no earlier reading to compare with */
	uint64_t switches, lost;
	struct view_counts total;
	unsigned int n_intruded; /* CPUs */
	struct view_cpu *cpus;	 /* as now->cpus */
	struct view_vm *vms;	 /* as now->vms */
};

/*
 * `before` may be NULL. What began in the interval (another observer, a VM that has just
 * been observed) counts from zero; of what was there and is new to us nothing is known,
 * and nothing is told. No count is negative, and no CPU's time is longer than the
 * interval. The view points into `now`, which is to outlive it. -ENOMEM. The caller owns
 * the result: view_deinit().
 */
int view_compute(
	const struct sample *before, const struct sample *now, struct view *ret_view);
void view_deinit(struct view *view);

/* Violations of all classes and causes. */
struct tally view_violations(const struct view_counts *counts);

/* So many a second. */
double view_rate(const struct view *view, uint64_t count);

enum view_key {
	VIEW_BY_VIOLATIONS,
	VIEW_BY_WAITS,
	VIEW_BY_RUN,
	VIEW_BY_NAME, /* of vCPUs: by index */
	VIEW_KEYS
};
const char *view_key_name(enum view_key key);

/* Indices of VMs, or of a VM's vCPUs, in that order: the greatest first, names from a on.
 * Of equals the first name or index. *ret_order has room for all. */
void view_order_vms(
	const struct view *view, enum view_key key, bool reverse, size_t *ret_order);
void view_order_vcpus(
	const struct view_vm *vm, enum view_key key, bool reverse, size_t *ret_order);
