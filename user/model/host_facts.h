/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the kernel's files say of all that bears on a reserved CPU beside its partition.
 * Facts only: model/hostcheck.h judges them, host/isolation.h reads them. Each file has
 * its name here, once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/model/cpuset.h"

#define FILE_CMDLINE "/proc/cmdline"
#define FILE_ISOLATED "/sys/devices/system/cpu/isolated"
#define FILE_NOHZ_FULL "/sys/devices/system/cpu/nohz_full"
#define FILE_SCHEDSTAT "/proc/schedstat"
#define FILE_WORKQUEUES "/sys/devices/virtual/workqueue/cpumask"
#define FILE_WQ_ISOLATED "/sys/devices/virtual/workqueue/cpumask_isolated"
#define FILE_TRACE_EVENTS "/sys/kernel/tracing/events"
#define FILE_TIMER_SYSCTL "/proc/sys/kernel/timer_migration"
#define FILE_IRQS "/proc/irq"
#define FILE_IRQ_DEFAULT "/proc/irq/default_smp_affinity"
#define FILE_WATCHDOG "/proc/sys/kernel/watchdog"
#define FILE_NMI_WATCHDOG "/proc/sys/kernel/nmi_watchdog"
#define FILE_WATCHDOG_CPUS "/proc/sys/kernel/watchdog_cpumask"
#define FILE_NUMA_BALANCE "/proc/sys/kernel/numa_balancing"
#define FILE_THP "/sys/kernel/mm/transparent_hugepage/enabled"
#define FILE_KSM "/sys/kernel/mm/ksm/run"
#define FILE_SCHED_EXT "/sys/kernel/sched_ext/state"
#define FILE_SCHED_EXT_OPS "/sys/kernel/sched_ext/root/ops"
#define FILE_CPUS "/sys/devices/system/cpu"
#define FILE_NODES "/sys/devices/system/node"

enum { FACT_SIZE = 64, MEND_PATH_SIZE = 96 };

/* Has a file told? ABSENT: the kernel has no such file. UNREAD: it has, but it could not
 * be read, or not be understood. */
enum fact_state { FACT_UNREAD, FACT_ABSENT, FACT_KNOWN };

struct fact_cpus {
	enum fact_state state;
	struct cpuset cpus;
};

struct fact_text {
	enum fact_state state;
	char text[FACT_SIZE];
};

struct irq {
	unsigned int number;
	char actions[FACT_SIZE]; /* whose it is; never "" */
	bool fixed; /* nobody may move it: its file says so, or the kernel has said it */
	struct cpuset allowed, effective;
};

/* What may draw other CPUs' timers to a CPU that is busy while they are idle. */
enum timer_pull {
	PULL_UNKNOWN,
	PULL_IN_DOMAIN,	   /* before 6.9: only from CPUs that it is balanced with */
	PULL_ALL,	   /* from any CPU */
	PULL_NOT_ISOLATED, /* so, but never to one in an isolated partition */
};

struct cpu_power {
	char governor[FACT_SIZE];  /* "" without cpufreq */
	bool offers_performance;   /* among the governors that its driver has */
	char idle_name[FACT_SIZE]; /* deepest idle state that may be used; "" without
				    * cpuidle
				    */
	uint64_t idle_latency_us;  /* to leave it */
};

struct node_memory {
	unsigned int node;
	uint64_t total_kib, free_kib, huge_total, huge_free;
};

struct irqbalance {
	bool running;
	struct fact_cpus banned;     /* of the process; ABSENT: it takes its default */
	struct fact_cpus configured; /* in its file, for its next start */
};

struct host_facts {
	/* As booted. The last two are from the command line, ABSENT without such a flag.
	 */
	struct fact_cpus isolated, nohz_full, rcu_nocbs, managed_irq;
	enum fact_state domains;
	struct cpuset *spans; /* by CPU: the widest sched domain it is in; empty: none */
	size_t n_spans;
	struct fact_cpus workqueues, workqueues_isolated, kernel_threads;
	enum timer_pull timer_pull;
	struct fact_text timer_migration;
	enum fact_state irqs_state;
	struct irq *irqs; /* ascending by number */
	size_t n_irqs;
	struct fact_cpus irq_default;
	struct irqbalance irqbalance;
	struct fact_text watchdog, nmi_watchdog;
	struct fact_cpus watchdog_cpus;
	struct fact_text numa_balancing, thp, ksm, sched_ext, sched_ext_ops;
	struct cpu_power *power; /* by CPU */
	size_t n_power;
	struct node_memory *nodes;
	size_t n_nodes;
};

void host_facts_deinit(struct host_facts *facts);
