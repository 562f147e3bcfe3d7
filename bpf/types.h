/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The few kernel types that are read, cut down to the fields in use. libbpf finds the
 * fields' true offsets in the running kernel's BTF (CO-RE), so no generated header of one
 * kernel is needed. Source: include/linux/sched.h, include/linux/cgroup-defs.h,
 * include/linux/kernfs.h, include/linux/cpumask.h, include/linux/fs.h,
 * include/linux/mm_types.h.
 */
#define CORE __attribute__((preserve_access_index))

struct kernfs_node {
	u64 id;
	const char *name;
	void *priv;
	struct kernfs_node *parent;
} CORE;

struct kernfs_node___rcu { /* since 6.15 */
	struct kernfs_node *__parent;
} CORE;

struct kernfs_open_file {
	struct kernfs_node *kn;
} CORE;

struct cgroup_root;
struct cgroup_subsys_state;

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup_subsys_state *subsys[1];
} CORE;

enum cgroup_subsys_id { cpuset_cgrp_id = 0 };

struct cpumask {
	unsigned long bits[1];
} CORE;

typedef struct {
	unsigned long bits[1];
} nodemask_t;

/* kernel/cgroup/cpuset.c, since 6.13 cpuset-internal.h. With CONFIG_CPUMASK_OFFSTACK
 * masks are pointers, else arrays. */
struct cpuset {
	struct cpumask *cpus_allowed;
	struct cpumask *exclusive_cpus; /* since 6.7 */
	nodemask_t mems_allowed;
	int partition_root_state;
} CORE;

struct cpuset___inside {
	struct cpumask cpus_allowed[1];
	struct cpumask exclusive_cpus[1];
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

struct super_block {
	unsigned int s_dev;
} CORE;

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
} CORE;

struct file {
	struct inode *f_inode;
} CORE;

struct mm_struct {
	struct file *exe_file;
} CORE;

/* arch/ARCH/include/asm/ptrace.h, and the numbers of system calls there. */
#ifdef __TARGET_ARCH_arm64
struct pt_regs {
	s32 syscallno;
} CORE;
#define SYSCALL_OF(regs) ((u32)(regs)->syscallno)
enum { SETPARAM = 118, SETSCHEDULER = 119, SETAFFINITY = 122, SETATTR = 274 };
#else
struct pt_regs {
	unsigned long orig_ax;
} CORE;
#define SYSCALL_OF(regs) ((u32)(regs)->orig_ax)
enum { SETPARAM = 142, SETSCHEDULER = 144, SETAFFINITY = 203, SETATTR = 314 };
#endif

struct task_struct {
	unsigned int flags;
	int nr_cpus_allowed;
	int pid;
	int tgid;
	u64 start_boottime;
	unsigned long nvcsw, nivcsw;
	struct cpumask cpus_mask;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	char comm[ABI_COMM];
	struct sched_entity se;
	struct sched_info sched_info;
	struct css_set *cgroups;
	struct signal_struct *signal;
} CORE;

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define PF_NO_SETAFFINITY 0x04000000
