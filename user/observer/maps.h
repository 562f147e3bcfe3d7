/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to this room: the pinned maps, mapped into memory. */
#include <limits.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "user/observer/observer.h"

/* One row a flat map: field and map name, element type. */
#define FLAT_MAPS(row)                                                                  \
	row(cpu_rules, struct cpu_rule) row(cpu_counters, struct cpu_counters) row(     \
		cpu_runs, struct cpu_run) row(cpu_sets, struct cpu_set_words)           \
		row(tasks, struct task) row(task_index, struct task_bucket) row(        \
			filter, struct filter) row(vms, struct vm_slot)                 \
			row(health, struct health) row(controllers, struct controllers) \
				row(drifts, struct drift)                               \
					row(interrupts, struct interrupts)

struct observer {
#define FIELD(map, type) volatile type *map;
	FLAT_MAPS(FIELD)
#undef FIELD
#define FIELD(map, type) u32 n_##map;
	FLAT_MAPS(FIELD)
#undef FIELD
	u32 n_cpus;
	int task_counters; /* fds of the others */
	int culprits;
	int groups;
	int events;
	/* Of its pins. No fd of a link or program is kept: who holds one keeps that
	 * attached when another takes over. */
	char *dir;
};

/* Between what is written to the maps before and what after, for whoever reads them. */
static inline void observer_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* -ENAMETOOLONG. */
int observer_pin_path(char path[PATH_MAX], const char *dir, const char *name);

/* Of a pin in the observer's folder: an fd, the caller's, or -errno. */
int observer_open_pin(const char *dir, const char *name);

/* Returns when no program that runs now is left running: what it has looked up may go. */
void observer_wait_for_readers(void);

/* Slot of a VM, or 0. */
u32 observer_find_vm(const struct observer *observer, pid_t pid, uint64_t start_time);

/* Whose a CPU is by the rule in force: slot of the VM, or 0. */
u32 observer_owner(const struct observer *observer, u32 cpu);

/* Slot of a thread in tasks, or 0. */
u32 observer_find_task(const struct observer *observer, pid_t tid);

/* Adds or changes a thread of a VM. `used` as of observer_intern_set(). -ENOSPC, -errno.
 */
int observer_write_task(struct observer *observer, const struct rule_vm *vm, u32 vm_slot,
	const struct rule_thread *thread, bool *used);

/* From here on the program finds it no more; to be erased when no reader is left. */
void observer_unindex_task(struct observer *observer, u32 slot);

/*
 * Erases the tasks of a VM that the index does not name: those taken out of it, and what
 * a killed run left half made.
 */
void observer_erase_unindexed(struct observer *observer, u32 vm);

/* Makes the filter let through the processes in tasks, and no others. */
void observer_set_filter(struct observer *observer);
bool observer_filter_has(const struct observer *observer, u32 tgid);

/* The name of the VM in a slot, "" for one that is none. */
void observer_name_vm(
	const struct observer *observer, u32 slot, char ret_name[VM_NAME_SIZE]);

/* Adds the map `culprits` to what was read. -ENOMEM. */
int observer_read_culprits(const struct observer *observer, struct counters *counters);

/* As observer_open(), for what listen.h needs alone. */
int observer_open_to_hear(
	const char *dir, struct observer **ret_observer, struct problem *problem);

/* Takes away those of a VM, whose slot is to be another's. */
void observer_forget_culprits(const struct observer *observer, u32 slot);

/* A comm is anybody's choice, and may have been cut within a character. */
void observer_copy_comm(char to[ABI_COMM], const char from[ABI_COMM]);

void observer_to_culprit(const struct observer *observer, const struct event *event,
	struct culprit *culprit);

/* Before the slot is another VM's: what was noted of this one stays, without its name. */
void observer_forget_drift(struct observer *observer, u32 slot);

/* Erases the groups of a VM. */
void observer_forget_groups(struct observer *observer, u32 slot);

void cpuset_from_words(
	const volatile struct cpu_set_words *words, struct cpuset *ret_set);

/* Which slots of cpu_sets somebody refers to. NULL: out of memory. The caller frees. */
bool *observer_sets_in_use(const struct observer *observer);

/* The slot of a set with these CPUs, a free one if need be, or 0 when there is none. */
u32 observer_intern_set(struct observer *observer, bool *used, const struct cpuset *set);
