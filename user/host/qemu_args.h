/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What QEMU's command line says about a VM. Pure; the arguments are untrusted. */
#include <stdbool.h>
#include <stddef.h>

#include "user/model/vm.h"

enum {
	QEMU_ARGS_MAX = 1 << 20, /* bytes of a command line */
	QEMU_ARGS_SOCKETS = 4,	 /* QMP sockets of one VM; more are not looked at */
	QEMU_ARGS_IOTHREADS = IOTHREADS_MAX,
};

struct qemu_args {
	char *name; /* of the VM as it was given, NULL: none; owned */
	char *qmp_paths[QEMU_ARGS_SOCKETS]; /* on which QEMU listens, none of libvirt's;
					       owned */
	size_t n_qmp_paths;
	bool libvirt; /* it has libvirt's monitor, which is libvirt's alone */
	bool probe;   /* `-machine none`: asked for its capabilities, runs no guest */
	bool daemonize;
	unsigned int n_vcpus; /* at its start; 0: the command line does not tell */
	struct guest_smp smp;
	char **iothreads; /* ids; owned */
	size_t n_iothreads;
};

/*
 * Reads an argument vector as /proc/PID/cmdline has it: NUL after every argument. -E2BIG
 * above QEMU_ARGS_MAX; what is no option of interest or is malformed is passed over.
 */
int qemu_args_parse(const char *vector, size_t len, struct qemu_args *ret_args);
void qemu_args_deinit(struct qemu_args *args);

/*
 * A VM's name made fit for a file name: bytes outside of [A-Za-z0-9_.:@+-] and a leading
 * '.' become `\xNN`, so that different names stay different up to the cut at
 * VM_NAME_SIZE. "" gives "".
 */
void qemu_args_file_name(const char *name, char ret_name[VM_NAME_SIZE]);
