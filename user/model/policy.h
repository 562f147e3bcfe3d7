/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the operator wants, as the configuration files say it. Pure data; store/config.h
 * reads it. */
#include <stdbool.h>

#include "user/model/cpuset.h"
#include "user/model/vm.h"

enum policy_kind { POLICY_OBSERVE, POLICY_DEDICATED, POLICY_SHARED, POLICY_IGNORE };
enum partition { PARTITION_MEMBER, PARTITION_ROOT, PARTITION_ISOLATED };
enum emulator_place { EMULATOR_OWN, EMULATOR_HOUSEKEEPING, EMULATOR_LIST };
enum numa_wish { NUMA_PREFER, NUMA_SINGLE, NUMA_ANY };
enum memory_wish { MEMORY_LEAVE, MEMORY_FOLLOW };
enum smt_wish { SMT_PREFER, SMT_REQUIRE, SMT_ISOLATE };

/* [defaults] of the host, overridden key by key by [vm] of one VM. */
struct policy {
	enum policy_kind kind;
	enum partition partition; /* for vCPU groups */
	enum emulator_place emulator;
	struct cpuset emulator_cpus; /* with EMULATOR_LIST */
	enum numa_wish numa;
	enum smt_wish smt;
	enum memory_wish memory;
};

struct pin {
	unsigned int index; /* of the vCPU or iothread */
	struct cpuset cpus;
};

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

struct config {
	bool has_housekeeping;
	struct cpuset housekeeping;
	struct policy defaults;
	char listen[64];       /* [exporter] listen, ADDRESS:PORT */
	struct vm_policy *vms; /* ascending by name, each once */
	size_t n_vms;
};

/* observe, isolated, emulator own, numa prefer, smt prefer, memory leave, 127.0.0.1:9753,
 * no VM. */
void config_init(struct config *config);
void config_deinit(struct config *config);
void vm_policy_deinit(struct vm_policy *policy);

/* That VM's policy, or NULL where no file names it (the defaults hold). */
const struct vm_policy *config_find_vm(const struct config *config, const char *name);

/* NULL where the VM has no such pin. */
const struct cpuset *vm_policy_vcpu_pin(
	const struct vm_policy *policy, unsigned int index);
const struct cpuset *vm_policy_iothread_pin(
	const struct vm_policy *policy, unsigned int index);

const char *policy_kind_name(enum policy_kind kind);
const char *partition_name(enum partition partition);
