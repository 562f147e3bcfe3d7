/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The file in which libvirt keeps what it knows of a running VM: its process and vCPU
 * threads. Bounded, every field checked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "user/base/problem.h"
#include "user/host/told.h"

#define LIBVIRT_DIR "/run/libvirt/qemu"

enum { LIBVIRT_BYTES_MAX = 4 << 20 };

/* In libvirt's pid namespace. */
struct libvirt_answer {
	pid_t pid;
	struct told_vcpu *vcpus; /* by libvirt's numbers, those of virsh */
	size_t n_vcpus;		 /* 0: libvirt does not know them (yet) */
	bool starting; /* it is not done with the start: groups and pins are being made */
};

void libvirt_answer_deinit(struct libvirt_answer *answer);

/*
 * Pure. -EBADMSG with a sentence: it is no such file, or names what cannot be; -ENOMEM.
 * The caller owns the answer: libvirt_answer_deinit().
 */
int libvirt_parse(const char *text, size_t len, struct libvirt_answer *ret_answer,
	struct problem *problem);

/*
 * Reads the file of the VM of that name, as libvirt knows it (unescaped), below dir; at
 * least one vCPU is named in it. The other outcomes come with a sentence. 1: libvirt
 * tells nothing: there is no file, we may not read it, or no vCPU is in it. 2: it is
 * still starting the VM. -ESTALE: it is of another process than pid. -EBADMSG: it is not
 * to be believed; else the errno of reading it.
 */
int libvirt_read(const char *dir, const char *name, pid_t pid,
	struct libvirt_answer *ret_answer, struct problem *problem);
