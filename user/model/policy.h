/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the operator wants, as the configuration files say it. Pure data; store/config.h
 * reads it. */
#include <stdbool.h>

#include "user/model/cpuset.h"
#include "user/model/vm.h"

enum policy_kind { POLICY_OBSERVE, POLICY_DEDICATED, POLICY_SHARED, POLICY_IGNORE };
enum partition { PARTITION_MEMBER, PARTITION_ROOT, PARTITION_ISOLATED };
/* Where the emulator and the iothreads run, unless pins say it. */
enum place {
	PLACE_OWN,	    /* on a CPU of the VM's own, each */
	PLACE_HOUSEKEEPING, /* with the host's own tasks */
	PLACE_LIST,
	PLACE_EMULATOR, /* iothreads: with the emulator */
};
enum numa_wish { NUMA_PREFER, NUMA_SINGLE, NUMA_ANY };
enum memory_wish { MEMORY_LEAVE, MEMORY_FOLLOW };
/* Who but the controller binds or moves the VM's threads: nobody cares, it is noted, it
 * is refused. */
enum guard { GUARD_OFF, GUARD_LOG, GUARD_DENY };
enum smt_wish { SMT_PREFER, SMT_REQUIRE, SMT_ISOLATE };

enum {
	CLASS_NAME_SIZE = 32,
	OVERCOMMIT_UNIT = 100,
	OVERCOMMIT_DEFAULT = 400,
	OVERCOMMIT_MAX = 100
};

#define CLASS_DEFAULT "shared"

/* A class of VMs that share CPUs. */
struct vm_class {
	char name[CLASS_NAME_SIZE];
	bool has_cpus; /* else as many as overcommit asks for */
	struct cpuset cpus;
	unsigned int overcommit; /* most vCPUs on OVERCOMMIT_UNIT CPUs */
};

/* [defaults] of the host, overridden key by key by [vm] of one VM. */
struct policy {
	enum policy_kind kind;
	enum partition partition; /* for vCPU groups */
	enum place emulator, iothreads;
	struct cpuset emulator_cpus, iothread_cpus; /* with PLACE_LIST */
	char class[CLASS_NAME_SIZE];		    /* with POLICY_SHARED */
	struct cpuset dedicated; /* with POLICY_SHARED: vCPUs with a CPU of their own */
	enum numa_wish numa;
	enum smt_wish smt;
	enum memory_wish memory;
	enum guard guard;
};

struct pin {
	unsigned int index; /* of the vCPU or iothread */
	struct cpuset cpus;
};

/* By index, for qsort() and bsearch(). */
int pin_compare(const void *a, const void *b);

/* One VM's wishes: the host's defaults with the VM's files laid over them. */
struct vm_policy {
	char name[VM_NAME_SIZE];
	struct policy policy;
	struct pin *vcpu_pins; /* ascending by index, each index once */
	size_t n_vcpu_pins;
	struct pin *iothread_pins;
	size_t n_iothread_pins;
	bool has_emulator_pin;
	struct cpuset emulator_pin; /* [emulatorpin]: wins over policy.emulator */
};

/* The keys of a policy, as bits. */
enum policy_key {
	POLICY_KEY_KIND = 1,
	POLICY_KEY_PARTITION = 2,
	POLICY_KEY_EMULATOR = 4,
	POLICY_KEY_IOTHREADS = 8,
	POLICY_KEY_CLASS = 16,
	POLICY_KEY_DEDICATED = 32,
	POLICY_KEY_NUMA = 64,
	POLICY_KEY_SMT = 128,
	POLICY_KEY_MEMORY = 256,
	POLICY_KEY_GUARD = 512,
};

/* [vm PATTERN] of the host's file: keys for VMs whose name the pattern (fnmatch(3))
 * matches. */
struct pattern {
	char glob[VM_NAME_SIZE];
	unsigned int given; /* enum policy_key: those that the section has */
	struct policy policy;
};

struct config {
	bool has_housekeeping;
	struct cpuset housekeeping;
	bool has_reserved; /* only these are given to VMs */
	struct cpuset reserved;
	bool measure_interrupts; /* [observer] interrupts = measure, not count */
	bool drift_off;		 /* [observer] drift = off: nobody is named */
	struct policy defaults;
	struct pattern *patterns; /* in the file's order: later ones win */
	size_t n_patterns;
	struct vm_class *classes; /* those that a section describes, ascending by name */
	size_t n_classes;
	char listen[64];       /* [exporter] listen, ADDRESS:PORT */
	struct vm_policy *vms; /* ascending by name, each once */
	size_t n_vms;
	/* VMs that were released by hand, for which `observe` holds whatever the rest
	 * says; all of them, or those of these names. */
	bool all_released;
	char (*released)[VM_NAME_SIZE];
	size_t n_released;
};

/* observe, isolated, emulator own, numa prefer, smt prefer, memory leave, guard off,
 * 127.0.0.1:9753, no VM. */
void config_init(struct config *config);
void config_deinit(struct config *config);
void vm_policy_deinit(struct vm_policy *policy);

/* Was it given back by hand? Then its pins do not hold either. */
bool config_is_released(const struct config *config, const char *name);

/* What holds for a VM of that name: its files, else defaults and patterns. */
void config_policy(
	const struct config *config, const char *name, struct policy *ret_policy);

/*
 * The same without a copy, which is large: it points into the configuration, but where
 * patterns have made another of it, which is owned. -ENOMEM.
 */
struct policy_ref {
	const struct policy *policy;
	struct policy *own;
};

int config_refer(
	const struct config *config, const char *name, struct policy_ref *ret_ref);
void policy_ref_deinit(struct policy_ref *ref);

/* Does a section describe it, or is it the one that needs none (CLASS_DEFAULT)? */
bool config_has_class(const struct config *config, const char *name);

/* As a section describes it, else with what holds for one that none describes. */
struct vm_class config_class(const struct config *config, const char *name);

/* That VM's policy, or NULL where no file names it (the defaults hold). */
const struct vm_policy *config_find_vm(const struct config *config, const char *name);

/* NULL where the VM has no such pin. */
const struct cpuset *vm_policy_vcpu_pin(
	const struct vm_policy *policy, unsigned int index);
const struct cpuset *vm_policy_iothread_pin(
	const struct vm_policy *policy, unsigned int index);

const char *policy_kind_name(enum policy_kind kind);
const char *partition_name(enum partition partition);
const char *guard_name(enum guard guard);

/* Does it ask for a guard, of any VM that there may be? */
bool config_wants_guard(const struct config *config);
