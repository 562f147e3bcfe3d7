/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which sections and keys the configuration files have, and what their values mean. */
#include "user/base/problem.h"
#include "user/model/policy.h"

struct key;

enum { ENTRIES_MAX = VCPUS_MAX + IOTHREADS_MAX + 16 }; /* that one file can have */

/* What the entries of the file at hand are laid over. The caller fills `present` in. */
struct target {
	const struct cpuset *present;
	const struct key *keys; /* the last one has no section */
	struct config *config;
	struct vm_policy *vm;
	struct policy *policy;
	unsigned int *given;	/* where the keys of the policy are noted, or NULL */
	struct vm_class *class; /* of the section at hand */
	size_t n_old_vcpu_pins,
		n_old_iothread_pins;	 /* of files before: these are sorted */
	const struct key *key;		 /* of the entry at hand */
	unsigned int index;		 /* its number, where it has no name */
	unsigned int lines[ENTRIES_MAX]; /* of the entries so far, 0: not given */
};

/* Before and after a file: cpuwarden.conf, or vms.d/NAME.conf (in /run: `run`). */
void target_host(struct target *target, struct config *config);
void target_host_done(struct target *target);
void target_vm(struct target *target, struct vm_policy *vm, bool run);
void target_vm_done(struct target *target);

/* For struct inifile_ops; `user` is the struct target. */
int target_section(void *user, const char *section, struct problem *problem);
int target_entry(void *user, unsigned int line, const char *section, const char *name,
	const char *value, struct problem *problem);
