/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who gets which CPU. Each VM with policy `dedicated` claims sets: one a vCPU, one for
 * the emulator, one an iothread with a place of its own; one with policy `shared` runs on
 * the CPUs of its class, but for vCPUs that have their own. Pins are honoured or the VM's
 * claim as a whole is refused, with the reason. Where policy leaves the choice, a VM
 * keeps what it has, else the allocator chooses.
 *
 * Who is there already goes before who comes: pins to what a VM holds, then what running
 * VMs have been given, then other pins, then what is left to choose.
 *
 * Of a VM in libvirt's groups only vCPUs get CPUs of their own. Its other threads stay on
 * the CPUs that libvirt gave them, less those of the vCPUs.
 */
#include "user/model/allocator.h"
#include "user/model/desired.h"
#include "user/model/layout.h"

struct claim_set {
	enum thread_class class; /* vcpu, emulator or iothread */
	int index;
	bool pinned; /* somebody wrote it down */
	/* Its group sets no CPUs: it runs on whatever its VM's partitions leave
	 * (libvirt's only). */
	bool floats;
	bool shares;		   /* it runs on what its class shares */
	bool open;		   /* it runs on housekeeping CPUs */
	bool kept;		   /* it has its CPU from before */
	const struct group *group; /* as it is; NULL: there is none */
	struct cpuset cpus;
};

struct claim {
	const struct vm *vm;
	const struct vm_policy *pins; /* NULL: none */
	struct policy_ref wish;
	enum layout layout;
	enum scheme scheme;
	char *top; /* its groups are below; NULL: unknown, and refused; owned */
	const struct group *group;     /* as it is; NULL: there is none */
	const struct found_vm *record; /* of this very process; NULL: there is none */
	struct claim_set *sets; /* the emulator's first, then vCPUs, then iothreads */
	size_t n_sets;
	struct cpuset spare; /* its own, with nobody on them */
	struct cpuset all;   /* what partitions of it hold: nobody else may have it */
	struct cpuset held;  /* what its group has, or has claimed as exclusive, by now */
	char *reason;	     /* refused, and why; owned */
	bool admitted;	     /* its class has CPUs for it */
	bool moved;	     /* it was given other CPUs than it has, on demand */
	bool stays;	     /* although it was demanded: it would have been refused */
	/* Refused since the kernel cannot; what libvirt has pinned can be watched all the
	 * same. */
	bool pins_hold;
	struct explanation explanation; /* of the VM that was asked for */
};

/* The CPUs of a class. */
struct claim_class {
	struct vm_class wish;
	char *path;	      /* owned */
	struct cpuset shared; /* on which its VMs float */
	struct cpuset all;    /* with those that single vCPUs of them have alone */
	struct cpuset held;   /* what its group has by now */
	size_t n_vms;	      /* that were not refused */
};

struct claims {
	struct claim *items; /* by VM name: those with policy `dedicated` or `shared` */
	size_t n_items;
	struct claim_class *classes; /* by name: those that VMs ask for */
	size_t n_classes;
};

int claims_compute(const struct desired_input *input, struct claims *ret_claims);
void claims_deinit(struct claims *claims);
const struct claim *claims_find(const struct claims *claims, const char *vm_name);
