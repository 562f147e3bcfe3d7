/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which CPU is whose. The observer's rules say it; where nobody observes, the partitions
 * do.
 */
#include "user/model/rules.h"
#include "user/model/tree.h"

struct owner {
	char vm[VM_NAME_SIZE];
	int vcpu; /* -1: the VM as a whole */
};

struct owners {
	struct cpuset reserved; /* CPUs with an owner */
	struct owner *items;
	size_t n_items;
	uint32_t by_cpu[CPUSET_CPUS]; /* of CPUs in `reserved`: which item */
};

/* NULL: nobody's. */
const struct owner *owners_find(const struct owners *owners, unsigned int cpu);

/* All that this VM and its vCPUs own. */
struct cpuset owners_of_vm(const struct owners *owners, const char *vm);

void owners_deinit(struct owners *owners);

/* What a VM's rules reserve. -ENOMEM. */
int owners_add_rules(struct owners *owners, const struct rule_vm *rules);

/* What valid partitions of VMs hold, also of one that has ended. What VMs of a class
 * share is nobody's. -ENOMEM. */
int owners_add_partitions(
	struct owners *owners, const struct tree *tree, const struct vms *vms);
