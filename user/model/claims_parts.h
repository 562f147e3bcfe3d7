/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to the claims (claims.h). */
#include "user/model/claims.h"
#include "user/model/pools.h"

/*
 * Whose each CPU is: somebody's number, or 0. A VM is 1 + its index among the claims, a
 * class comes after them. What is claimed is to be had; what is held a group has by now.
 */
struct ledger {
	const struct desired_input *input;
	struct claims *claims;
	struct pools pools;
	struct cpuset available; /* to be given: nobody's, and not kept from VMs */
	struct allocator *allocator;
	uint16_t claimed[CPUSET_CPUS], held[CPUSET_CPUS];
};

/* claims_sets.c: refuses the claim unless it is refused already. -ENOMEM. */
__attribute__((format(printf, 2, 3))) int claim_refuse(
	struct claim *claim, const char *format, ...);

/* "vCPU 3". */
void claim_set_describe(const struct claim_set *set, char *buf, size_t size);

/* Do its vCPU groups become partitions? */
bool claim_partitions(const struct claim *claim);

/* Fills in layout, scheme, top and sets, and refuses what cannot be by itself. -ENOMEM.
 */
int claim_init(struct claim *claim, const struct desired_input *input,
	const struct pools *pools);

/* When its sets have CPUs: `all`, and what is left to the threads that share. -ENOMEM. */
int claim_sum_up(struct claim *claim, const struct desired_input *input);

/* claims_pins.c: refuses pins to CPUs that are offline or housekeeping's, or that two of
 * its sets cannot have both. -ENOMEM. */
int claim_check_pins(struct claim *claim, const struct desired_input *input,
	const struct pools *pools);

/* claims_ledger.c: the numbers of a VM and of its class (0: it has none); the name for
 * sentences. */
uint16_t ledger_number(const struct ledger *ledger, const struct claim *claim);
uint16_t ledger_class_number(
	const struct ledger *ledger, const struct claim_class *class);
/* Of whoever holds the CPUs of the VM's groups: the VM or its class. */
uint16_t ledger_holder(const struct ledger *ledger, const struct claim *claim);
struct claim_class *ledger_class_of(
	const struct ledger *ledger, const struct claim *claim);
void ledger_describe(
	const struct ledger *ledger, uint16_t number, char *buf, size_t size);

/* The group below the slice in which the VM is although it is to be in another one; NULL:
 * there is none. As long as the VM is not refused, it is cleared away before all else. */
const struct group *claim_former_home(
	const struct ledger *ledger, const struct claim *claim);

/* -ENOMEM. The ledger borrows both. */
int ledger_init(struct ledger *ledger, const struct desired_input *input,
	const struct pools *pools, struct claims *claims);
void ledger_deinit(struct ledger *ledger);

/* The first of these CPUs that somebody else claims or, `held`, has by now; or -1. */
int ledger_meets(const struct cpuset *cpus, const uint16_t *whose, uint16_t number);

/* Takes CPUs for somebody, or gives back what he had claimed of them. */
void ledger_claim(struct ledger *ledger, const struct cpuset *cpus, uint16_t number);
void ledger_return(struct ledger *ledger, const struct cpuset *cpus, uint16_t number);

/* What can be given to `number` now, who has what `holder` holds. */
struct cpuset ledger_available(const struct ledger *ledger, const struct cpuset *held,
	uint16_t holder, uint16_t number);

/* claims_kernel.c: refuses what it got where this kernel cannot make partitions of it.
 * -ENOMEM. */
int claim_check_kernel(struct claim *claim, const struct ledger *ledger);

/* claims_choose.c: what the VM keeps, before others ask; then CPUs for the sets that have
 * none; then, for the VM that was asked for, how that came about. -ENOMEM. */
int claim_keep(struct claim *claim, struct ledger *ledger);
int claim_choose(struct claim *claim, struct ledger *ledger);
int claim_explain(struct claim *claim, const struct desired_input *input);

/* What a VM asks the allocator for: the sets that are its own, fixed where they have
 * CPUs. The request borrows from both. */
struct wanted {
	struct want *wants;
	struct claim_set **sets; /* by wants */
	bool choice;		 /* there is something to be chosen */
};

int wanted_init(struct wanted *wanted, struct claim *claim, struct request *ret_request);
void wanted_deinit(struct wanted *wanted);
/* The sets get what was found for them, and the claim its spare CPUs. */
void wanted_give(
	struct wanted *wanted, const struct placement *placement, struct claim *claim);

/* claims_host.c: who would take the host's last CPU is refused; threads on housekeeping
 * CPUs get those that are nobody's. -ENOMEM. */
int claims_leave_some(struct ledger *ledger);
int claims_open_sets(struct ledger *ledger);

/* claims_rebalance.c: other CPUs for VMs that run, where the host gets tidier by it. */
int claims_rebalance(struct ledger *ledger);

/* claims_classes.c: the classes that VMs ask for; refuses VMs of one, those that are new
 * if there are any, else all; then the CPUs of each. -ENOMEM. */
int classes_collect(struct claims *claims, const struct desired_input *input);
int class_refuse_new(
	const struct ledger *ledger, const struct claim_class *class, const char *why);
int classes_keep(struct ledger *ledger);
int classes_choose(struct ledger *ledger);
/* Last: what the VMs of a class share. */
void classes_lend(struct ledger *ledger);
