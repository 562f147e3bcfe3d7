/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who gets which CPU. Each VM with policy `dedicated` claims sets: one a vCPU, one for
 * the emulator, one an iothread with a pin of its own. Pins are honoured or the VM's
 * claim as a whole is refused, with the reason. Where policy leaves the choice, a VM
 * keeps what it has, else gets the lowest free CPU.
 *
 * Of a VM in libvirt's groups only vCPUs get CPUs of their own. Its other threads stay on
 * the CPUs that libvirt gave them, less those of the vCPUs.
 */
#include "user/model/desired.h"
#include "user/model/layout.h"

struct claim_set {
	enum thread_class class; /* vcpu, emulator or iothread */
	int index;
	bool pinned; /* somebody wrote it down */
	/* Its group sets no CPUs: it runs on whatever its VM's partitions leave
	 * (libvirt's only). */
	bool floats;
	struct cpuset cpus;
};

struct claim {
	const struct vm *vm;
	const struct vm_policy *pins; /* NULL: none */
	struct policy policy;
	enum layout layout;
	char *top; /* its groups are below; NULL: unknown, and refused; owned */
	struct claim_set *sets; /* the emulator's first, then vCPUs, then iothreads */
	size_t n_sets;
	struct cpuset all; /* what partitions of it hold: nobody else may have it */
	bool granted;	   /* its pins do not meet another's */
	char *reason;	   /* refused, and why; owned */
	/* Refused since the kernel cannot; what libvirt has pinned can be watched all the
	 * same. */
	bool pins_hold;
};

struct claims {
	struct claim *items; /* by VM name: those with policy `dedicated` */
	size_t n_items;
};

int claims_compute(const struct desired_input *input, struct claims *ret_claims);
void claims_deinit(struct claims *claims);
const struct claim *claims_find(const struct claims *claims, const char *vm_name);
