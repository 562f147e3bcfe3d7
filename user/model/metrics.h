/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Metrics as Prometheus reads them: its text format, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Pure, but for the stream, which
 * is the caller's; who writes to memory looks at ferror() when all is written.
 *
 * Two halves: what anybody can tell who sees the observer's counters, and what only who
 * places VMs knows.
 */
#include <stdbool.h>
#include <stdio.h>

#include "user/model/counters.h"
#include "user/model/policy.h"

/* What was counted; NULL: there is no observer. `up`: it was seen to count just now.
 * `blind_ns`: for how long something was not watched, which only ever grows. */
void metrics_write_counters(
	FILE *stream, const struct counters *counters, uint64_t blind_ns, bool up);

/* A VM's group that is to be a partition. */
struct partition_metric {
	const char *vm, *group; /* the path's last component */
	bool valid;
};

struct vm_metric {
	const char *vm;
	bool degraded;
};

/* Since the daemon's start, of one VM ("": the host) and for one reason. */
struct repair_metric {
	char vm[VM_NAME_SIZE];
	const char *reason; /* static */
	uint64_t count;
};

enum { RECONCILE_BUCKETS = 8 };

struct reconcile_metric {
	uint64_t buckets[RECONCILE_BUCKETS]; /* by length: see reconcile_bound() */
	uint64_t ns;			     /* of all */
};

struct placement_metrics {
	const struct partition_metric *partitions;
	const struct vm_metric *vms;
	size_t n_partitions, n_vms;
	bool failed;	    /* the last look at everything */
	bool config_broken; /* the last good one is in force */
	const char *version, *kernel, *libbpf;
};

void metrics_write_placement(FILE *stream, const struct placement_metrics *metrics);

/* What each look may change. */
void metrics_write_work(FILE *stream, const struct repair_metric *repairs,
	size_t n_repairs, const struct reconcile_metric *reconcile);

/* Bucket i has what took no longer: ns; the last one has no bound: 0. */
uint64_t reconcile_bound(unsigned int bucket);
void reconcile_add(struct reconcile_metric *metric, uint64_t ns);
