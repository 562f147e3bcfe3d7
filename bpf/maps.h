/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The maps (layouts: abi.h) and how things are looked up in them. For observer.bpf.c
 * alone. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "bpf/abi.h"
#include "bpf/types.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Buckets of task_index less one (a power of two less one); set before load. */
const volatile u32 index_mask = 0;

/* User space sizes them before load, but for health. */
#define FLAT_MAP(map, value_type)                  \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, u32);                  \
		__type(value, value_type);         \
	} map SEC(".maps")

FLAT_MAP(cpu_rules, struct cpu_rule);
FLAT_MAP(cpu_counters, struct cpu_counters);
FLAT_MAP(cpu_runs, struct cpu_run);
FLAT_MAP(cpu_sets, struct cpu_set_words);
FLAT_MAP(tasks, struct task);
FLAT_MAP(task_index, struct task_bucket);
FLAT_MAP(vms, struct vm_slot);
FLAT_MAP(health, struct health);
FLAT_MAP(controllers, struct controllers);
FLAT_MAP(drifts, struct drift);
FLAT_MAP(interrupts, struct interrupts);

struct filter filter;

#define HASH_MAP(map, key_type, value_type)      \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, 1);          \
		__type(key, key_type);           \
		__type(value, value_type);       \
	} map SEC(".maps")

HASH_MAP(task_counters, u32, struct task_counters);
HASH_MAP(culprits, struct culprit_key, struct culprit_runs);
HASH_MAP(groups, u64, struct group_rule);
/*
 * Changes that are being made, by the tid of who makes them. `number` is what is needed
 * until the end: with DRIFT_AFFINITY the target's task_struct, otherwise whether the
 * change concerns us at all.
 */
HASH_MAP(changes, u32, struct drift);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} news SEC(".maps");

static __always_inline struct health *get_health(void)
{
	u32 key = 0;

	return bpf_map_lookup_elem(&health, &key);
}

/* May the process be a VM? One bit, shared by tgids that are 65,536 apart. */
static __always_inline bool filter_has(u32 tgid)
{
	return filter.words[tgid / 64 % ABI_FILTER_WORDS] >> (tgid % 64) & 1;
}

static __always_inline bool set_has(u32 set, u32 cpu)
{
	struct cpu_set_words *words = bpf_map_lookup_elem(&cpu_sets, &set);

	return words && (words->words[cpu / 64 % (ABI_CPUS / 64)] >> (cpu % 64) & 1);
}

/* The slot of a tid in tasks, or 0. */
static __always_inline u32 find_slot(u32 tid)
{
	u32 key = tid & index_mask;
	struct task_bucket *bucket = bpf_map_lookup_elem(&task_index, &key);

	if (!bucket)
		return 0;
#pragma unroll
	for (int i = 0; i < ABI_BUCKET; i++)
		if (bucket->entries[i].tid == tid)
			return bucket->entries[i].task;
	return 0;
}

static __always_inline struct task *get_task(u32 slot)
{
	return bpf_map_lookup_elem(&tasks, &slot);
}

/* By cpu_fast.vm. */
static __always_inline bool is_reserved(u32 vm)
{
	return vm & ~CPU_TAKEOVER;
}
