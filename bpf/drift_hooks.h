/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The kernel functions by which drift comes about, each kind's beginning and end. For
 * observer.bpf.c alone. */
#include "bpf/drift.h"

/* ---- CPU sets of the kernel ---- */

/* Copies the host's CPUs: beyond them a mask of the kernel may hold anything. */
static __noinline int read_cpus(u64 *to, const void *mask)
{
	u32 size = bpf_core_type_size(struct cpumask);
	struct health *h = get_health();
	u32 cpus = h ? h->cpus : 0;

	if (!to || !mask)
		return 0;
	if (size > ABI_MASK_WORDS * sizeof(u64))
		size = ABI_MASK_WORDS * sizeof(u64);
	bpf_probe_read_kernel(to, size, mask);
	for (u32 i = 0; i < ABI_MASK_WORDS; i++) {
		if (cpus <= i * 64)
			to[i] = 0;
		else if (cpus < (i + 1) * 64)
			to[i] &= (1ULL << cpus % 64) - 1;
	}
	return 0;
}

static __noinline bool has_reserved(const u64 *words)
{
	u32 key = SET_RESERVED;
	struct cpu_set_words *reserved = bpf_map_lookup_elem(&cpu_sets, &key);

	if (!words || !reserved)
		return false;
	for (u32 i = 0; i < ABI_MASK_WORDS; i++)
		if (words[i] & reserved->words[i])
			return true;
	return false;
}

/* ---- affinity ---- */

SEC("fentry/sched_setaffinity")
int BPF_PROG(cpuwarden_affinity_begin)
{
	begin_change(DRIFT_AFFINITY);
	return 0;
}

/*
 * sched_setaffinity() calls this for the thread that it has found and that the caller may
 * change: so the pid that it was given, of whatever namespace, need not be understood.
 */
SEC("fentry/security_task_setscheduler")
int BPF_PROG(cpuwarden_affinity_target, struct task_struct *p)
{
	struct drift *change = find_change(DRIFT_AFFINITY);
	struct identity id;

	if (!change)
		return 0;
	id = identify(p);
	if (!id.vm)
		return 0;
	change->vm = id.vm;
	change->number = (u64)p;
	describe_task(&change->target, p);
	read_cpus(change->before, &p->cpus_mask);
	return 0;
}

SEC("fexit/sched_setaffinity")
int BPF_PROG(cpuwarden_affinity_end, int pid, const struct cpumask *mask, long result)
{
	struct drift *change = find_change(DRIFT_AFFINITY);
	struct task_struct *p;

	if (!change)
		return 0;
	p = (struct task_struct *)change->number;
	if (p && !result) {
		/* The kernel has let go of it: it may have ended by now. */
		if ((u32)BPF_CORE_READ(p, pid) == change->target.tid)
			read_cpus(change->after,
				__builtin_preserve_access_index(&p->cpus_mask));
		note_change(change);
	}
	forget_change();
	return 0;
}

/* ---- files of a group ---- */

static __always_inline struct kernfs_node *group_node(struct kernfs_open_file *of)
{
	return parent_of(BPF_CORE_READ(of, kn));
}

/*
 * Is a group next to one that matters, or just below the root? Only there what it claims
 * can take a CPU from a VM: further down its own parent sees to that.
 */
static __always_inline bool is_beside(struct kernfs_node *node)
{
	struct kernfs_node *parent = parent_of(node);
	u64 id = BPF_CORE_READ(parent, id);

	return !parent_of(parent) || bpf_map_lookup_elem(&groups, &id);
}

static __always_inline struct cpuset *cpuset_of(struct kernfs_open_file *of)
{
	struct kernfs_node *node = group_node(of);
	struct cgroup *group = BPF_CORE_READ(node, priv);
	u32 id = bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id);
	struct cpuset *cpuset = NULL;

	bpf_probe_read_kernel(&cpuset, sizeof(cpuset),
		(void *)__builtin_preserve_access_index(&group->subsys) +
			id * sizeof(void *));
	return cpuset;
}

/* cpuset.mems, cpuset.cpus.exclusive or cpuset.cpus, by the letter that differs. */
static __always_inline u32 file_of(struct kernfs_open_file *of)
{
	const char *name = BPF_CORE_READ(of, kn, name);
	char text[24] = {};

	bpf_probe_read_kernel_str(text, sizeof(text), name);
	if (text[sizeof("cpuset.") - 1] == 'm')
		return FILE_MEMS;
	return text[sizeof("cpuset.cpus") - 1] == '.' ? FILE_EXCLUSIVE : FILE_CPUS;
}

static __always_inline const void *cpus_of(struct cpuset *cpuset, u32 file)
{
	struct cpuset___inside *inside = (void *)cpuset;

	if (file == FILE_CPUS) {
		if (bpf_core_field_exists(inside->cpus_allowed))
			return __builtin_preserve_access_index(&inside->cpus_allowed);
		return BPF_CORE_READ(cpuset, cpus_allowed);
	}
	if (bpf_core_field_exists(inside->exclusive_cpus))
		return __builtin_preserve_access_index(&inside->exclusive_cpus);
	if (bpf_core_field_exists(cpuset->exclusive_cpus))
		return BPF_CORE_READ(cpuset, exclusive_cpus);
	return NULL;
}

/* What the file says. */
static __always_inline void read_list(u64 *to, struct cpuset *cpuset, u32 file)
{
	u32 size = bpf_core_field_size(cpuset->mems_allowed);

	if (file != FILE_MEMS) {
		read_cpus(to, cpus_of(cpuset, file));
		return;
	}
	if (size > ABI_MASK_WORDS * sizeof(u64))
		size = ABI_MASK_WORDS * sizeof(u64);
	bpf_probe_read_kernel(
		to, size, __builtin_preserve_access_index(&cpuset->mems_allowed));
}

/* A write to a file of a group: whose it is, and what is written. */
static __always_inline struct drift *begin_write(
	u32 kind, struct kernfs_open_file *of, const char *text)
{
	struct drift *change = begin_change(kind);
	struct group_rule *rule;
	struct kernfs_node *node;
	u64 group;

	if (!change)
		return NULL;
	node = group_node(of);
	group = BPF_CORE_READ(node, id);
	change->group = group;
	rule = bpf_map_lookup_elem(&groups, &group);
	if (rule) {
		change->number = 1;
		change->vm = rule->vm;
	} else {
		change->beside = is_beside(node);
	}
	bpf_probe_read_kernel_str(change->text, sizeof(change->text), text);
	return change;
}

SEC("fentry/cpuset_write_resmask")
int BPF_PROG(cpuwarden_cpuset_begin, struct kernfs_open_file *of, char *text)
{
	struct drift *change = begin_write(DRIFT_CPUSET, of, text);

	if (!change)
		return 0;
	change->file = file_of(of);
	read_list(change->before, cpuset_of(of), change->file);
	return 0;
}

SEC("fexit/cpuset_write_resmask")
int BPF_PROG(cpuwarden_cpuset_end, struct kernfs_open_file *of, char *text, u64 size,
	long long offset, long result)
{
	struct drift *change = find_change(DRIFT_CPUSET);

	if (!change)
		return 0;
	read_list(change->after, cpuset_of(of), change->file);
	if (change->beside && change->file != FILE_MEMS)
		change->number =
			has_reserved(change->before) || has_reserved(change->after);
	if (result >= 0 && change->number)
		note_change(change);
	forget_change();
	return 0;
}

static __always_inline s32 partition_state(struct cpuset *cpuset)
{
	if (!bpf_core_field_exists(cpuset->partition_root_state))
		return 0;
	return BPF_CORE_READ(cpuset, partition_root_state);
}

SEC("fentry/cpuset_partition_write")
int BPF_PROG(cpuwarden_partition_begin, struct kernfs_open_file *of, char *text)
{
	struct drift *change = begin_write(DRIFT_PARTITION, of, text);
	struct cpuset *cpuset;

	if (!change)
		return 0;
	cpuset = cpuset_of(of);
	read_list(change->before, cpuset, FILE_CPUS);
	read_list(change->after, cpuset, FILE_EXCLUSIVE);
	if (change->beside)
		change->number =
			has_reserved(change->before) || has_reserved(change->after);
	change->state_before = partition_state(cpuset);
	return 0;
}

SEC("fexit/cpuset_partition_write")
int BPF_PROG(cpuwarden_partition_end, struct kernfs_open_file *of, char *text, u64 size,
	long long offset, long result)
{
	struct drift *change = find_change(DRIFT_PARTITION);

	if (!change)
		return 0;
	change->state_after = partition_state(cpuset_of(of));
	if (result >= 0 && change->number)
		note_change(change);
	forget_change();
	return 0;
}

/* ---- moves ---- */

/* Of a group in the hierarchy of cgroup v2, where p has its place, else 0. */
static __always_inline u64 destination_of(struct cgroup *group, struct task_struct *p)
{
	if (BPF_CORE_READ(group, root) != BPF_CORE_READ(p, cgroups, dfl_cgrp, root))
		return 0;
	return BPF_CORE_READ(group, kn, id);
}

SEC("fentry/cgroup_attach_task")
int BPF_PROG(cpuwarden_move_begin, struct cgroup *group, struct task_struct *leader)
{
	u64 to = destination_of(group, leader);
	struct group_rule *rule = bpf_map_lookup_elem(&groups, &to);
	struct identity id = identify(leader);
	struct drift *change;

	/* Others' moves leave no trace, and take away what a move before has left. */
	if (!to || (!rule && !id.vm)) {
		forget_change();
		return 0;
	}
	change = begin_change(DRIFT_MOVE);
	if (!change)
		return 0;
	change->vm = id.vm ? id.vm : rule ? rule->vm : 0;
	change->group_to = to;
	describe_task(&change->target, leader);
	change->group = change->target.cgroup;
	return 0;
}

SEC("fexit/cgroup_attach_task")
int BPF_PROG(cpuwarden_move_end, struct cgroup *group, struct task_struct *leader,
	bool whole, int result)
{
	struct drift *change = find_change(DRIFT_MOVE);

	if (!change)
		return 0;
	if (!result)
		note_change(change);
	forget_change();
	return 0;
}
