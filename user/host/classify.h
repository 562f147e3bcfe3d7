/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which thread of a VM is what. Pure: from thread names, or from what QMP or libvirt
 * tells. */
#include "user/base/problem.h"
#include "user/host/libvirt.h"
#include "user/host/qmp_talk.h"
#include "user/model/vm.h"

/* An iothread, and the id that QEMU's user gave it. */
struct iothread {
	const char *id;
	struct vm_thread *thread;
	bool numbered; /* false at first */
};

/* Gives each thread its index, as libvirt and virsh count them. */
void classify_number_iothreads(struct iothread *iothreads, size_t n);

/*
 * What names don't tell, the VM's own groups may: in the leaf `vcpuN` or `iothreadN` it
 * is the oldest thread that has no name of its own, unless another is vCPU or iothread N
 * already. Only root puts a thread there. Returns how many vCPUs were told so.
 */
int classify_by_leaf(struct vm *vm);

/*
 * Sets class and index of every thread by its name. Returns 0; 1 when something could not
 * be told, with a sentence; -ENOMEM.
 */
int classify_by_name(struct vm *vm, struct problem *problem);

/*
 * Sets class and index of every thread by QMP's answer, what it does not name by name.
 * `inner` has each thread's id as QEMU sees it, parallel to vm->threads; NULL where it is
 * the same. -EBADMSG with a sentence and vm unchanged when the answer does not fit the
 * threads; -ENOMEM.
 */
int classify_by_qmp(struct vm *vm, const struct qmp_answer *answer, const pid_t *inner,
	struct problem *problem);

/*
 * As classify_by_qmp(), by libvirt's answer. It names no iothreads: the group iothreadN
 * tells them, and a thread's name where it is in no such group.
 */
int classify_by_libvirt(
	struct vm *vm, const struct libvirt_answer *answer, struct problem *problem);
