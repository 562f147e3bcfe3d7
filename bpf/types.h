/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The few kernel types that are read, cut down to the fields in use. libbpf finds the
 * fields' true offsets in the running kernel's BTF (CO-RE), so no generated header of one
 * kernel is needed. Source: include/linux/sched.h, include/linux/cgroup-defs.h,
 * include/linux/kernfs.h.
 */
#define CORE __attribute__((preserve_access_index))

struct kernfs_node {
	u64 id;
} CORE;

struct cgroup {
	struct kernfs_node *kn;
} CORE;

struct css_set {
	struct cgroup *dfl_cgrp;
} CORE;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
} CORE;

struct sched_entity {
	u64 sum_exec_runtime;
} CORE;

struct sched_info {
	unsigned long long run_delay;
} CORE;

struct task_struct {
	unsigned int flags;
	int nr_cpus_allowed;
	int pid;
	int tgid;
	u64 start_boottime;
	unsigned long nvcsw, nivcsw;
	char comm[ABI_COMM];
	struct sched_entity se;
	struct sched_info sched_info;
	struct css_set *cgroups;
	struct signal_struct *signal;
} CORE;

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_WQ_WORKER 0x00000020
#define PF_KTHREAD 0x00200000
#define PF_NO_SETAFFINITY 0x04000000
