/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The observer: loads, attaches and pins the BPF program; writes rules, reads counters.
 * It lives in the kernel, held by its pins; a struct observer is only a view of it.
 * Nothing here judges.
 */
#include "user/base/problem.h"
#include "user/model/counters.h"
#include "user/model/drift.h"
#include "user/model/interrupts.h"
#include "user/model/rules.h"

#define OBSERVER_DIR "/sys/fs/bpf/cpuwarden"

struct observer;

/*
 * Opens the one that runs. -ENOENT: there is none; -ESTALE: what is pinned is partial or
 * of another version; -EPERM, -EACCES: not allowed. The caller owns the view:
 * observer_close().
 */
int observer_open(
	const char *dir, struct observer **ret_observer, struct problem *problem);

/* As observer_open(), for observer_read_mapped() alone: nothing can be written through
 * it, whoever has it. */
int observer_open_to_read(
	const char *dir, struct observer **ret_observer, struct problem *problem);

/* What is asked of it. */
struct observer_wish {
	unsigned int cpus; /* possible ones of the host */
	bool drift;	   /* note who changes where VMs' threads may run */
	bool interrupts;   /* measure how long interrupts take, too */
	bool guard;	   /* watch over drift: see rule_vm.guard */
	/* The kernel's own counters, from which on a new one counts; NULL: from the boot.
	 */
	const struct interrupt_counts *base;
};

/*
 * Loads, attaches and pins a new one, with no rule in it. Takes the place of what
 * observer_open() calls stale. One that runs another program, or with other wishes, is
 * taken over: counters and rules stay, and no switch is missed or counted twice. On
 * failure nothing is left behind, and one that ran goes on. -EOPNOTSUPP: this kernel
 * cannot run it.
 */
int observer_start(const char *dir, const struct observer_wish *wish,
	struct observer **ret_observer, struct problem *problem);

/* Does it run this program, with these wishes, and is all of it attached still? Else
 * observer_start() would change it. */
bool observer_is_current(
	const struct observer *observer, const struct observer_wish *wish);

/* Closes the view; the observer goes on. NULL is fine. */
void observer_close(struct observer *observer);
#define cleanup_observer __attribute__((cleanup(observer_close_p)))
void observer_close_p(struct observer **observer);

/* Detaches it and removes its pins and directory. 0 where there is none. */
int observer_remove(const char *dir, struct problem *problem);

/* Of the library in use, such as `1.1`. Static. */
const char *observer_libbpf_version(void);

/*
 * Changes a VM's rules, in two halves around the change of the VM itself.
 * observer_begin(): the new rules are in force, and what the change explains counts as
 * settling, for SETTLE_SECONDS at most. observer_commit(): only the new rules. Two calls
 * in a row are a change without a transition. -ENOSPC: a map is full.
 */
enum { SETTLE_SECONDS = 10 };
int observer_begin(
	struct observer *observer, const struct rule_vm *vm, struct problem *problem);
int observer_commit(
	struct observer *observer, const struct rule_vm *vm, struct problem *problem);

/*
 * While partitions are changed the kernel binds its own threads anew, wherever it likes:
 * those that could run elsewhere then count as settling on every reserved CPU, for
 * SETTLE_SECONDS at most.
 */
void observer_loosen(struct observer *observer, bool loose);

/* Says which programs are libvirt: to their processes rule_vm.libvirt_pins applies. Only
 * the first ABI_EXES count. */
void observer_set_libvirt(
	struct observer *observer, const struct program_file *files, size_t n);

/* Was a guard asked for that cannot be had? Then the problem is a sentence that says why.
 */
bool observer_lacks_guard(const struct observer *observer, struct problem *problem);

/* Is there one? */
bool observer_has_guard(const struct observer *observer);

/*
 * Takes the guard away, also that of an observer that observer_open() calls stale: to
 * that one nobody can say who he is. From when it returns on nobody is refused.
 */
void observer_unguard(const char *dir);

/* Forgets a VM: it owns nothing, its threads are nobody's. 0 where it is not known. */
int observer_forget(struct observer *observer, pid_t pid, uint64_t start_time);

/*
 * The rules in force. -ENOENT where the VM is not known. *ret_settling: a change was
 * begun and not committed. The caller owns the result: rule_vm_deinit().
 */
int observer_get_vm(const struct observer *observer, pid_t pid, uint64_t start_time,
	struct rule_vm *ret_vm, bool *ret_settling);

/* The VMs that it knows, ended ones too: names, pids and start times only. The caller
 * frees *ret_vms. */
int observer_list_vms(
	const struct observer *observer, struct rule_vm **ret_vms, size_t *ret_n);

/* All counters. The caller owns the result: counters_deinit(). */
int observer_read(const struct observer *observer, struct counters *ret_counters);

/*
 * What a view that is open already shows to anybody, also without privileges: all but
 * what the kernel knows of the programs (those misses, their number, whether interrupts
 * are measured), who the culprits were, and runs that are still on, so that no figure
 * ever gets less. The caller owns: counters_deinit().
 */
int observer_read_mapped(const struct observer *observer, struct counters *ret_counters);

/* Which program counts: a hash of its object file. */
uint64_t observer_build(const struct observer *observer);

/* Switches examined so far, on all CPUs. */
uint64_t observer_examined(const struct observer *observer);

/* A cgroup whose files and members matter. */
struct watched_group {
	uint64_t id;
	bool shared; /* not the VM's alone: above its groups */
};

/*
 * Drift is noted of these groups, and no longer of others of that VM. Forgotten with the
 * VM; shared ones with the last VM. How often there was no room for all is counted,
 * see struct counters. -ENOENT: the VM is not known.
 */
int observer_watch_groups(struct observer *observer, pid_t pid, uint64_t start_time,
	const struct watched_group *groups, size_t n);

/*
 * Of a VM, the fingerprint of what was wanted of its groups when its placement was last
 * made; 0: not known, or a change was not finished. Noted once it is made; `repaired`: it
 * had to be put right, see struct vm_tally.
 */
uint64_t observer_fingerprint(
	const struct observer *observer, pid_t pid, uint64_t start_time);
void observer_note_placed(struct observer *observer, pid_t pid, uint64_t start_time,
	uint64_t fingerprint, bool repaired);

/* What this process does to the host is our own doing, no drift; pid 0: nobody's is. For
 * who holds the lock. */
void observer_set_controller(struct observer *observer, pid_t pid, uint64_t start_time);

/* As observer_set_controller(), for one beside whoever holds the lock. It is never taken
 * back: the oldest of 15 gives way. */
void observer_add_controller(struct observer *observer, pid_t pid, uint64_t start_time);

/*
 * The drift that is kept (the latest 256, none of our own), newest first, and how many
 * there were since the observer's start. `after`: only those with a greater number. The
 * caller frees *ret_notes.
 */
int observer_read_drift(const struct observer *observer, uint64_t after,
	struct drift_note **ret_notes, size_t *ret_n, uint64_t *ret_total);

/* What it can do on this kernel beside counting. Names and texts are static. */
enum { OBSERVER_PARTS = 6 };
struct observer_part {
	const char *name;
	bool found;
	const char *without; /* what is so without it: a few words */
};
void observer_find_parts(struct observer_part ret_parts[OBSERVER_PARTS]);
