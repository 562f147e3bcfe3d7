/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The programs that are libvirt to those who ask whose a process is. */
#include "user/base/problem.h"
#include "user/model/rules.h"

enum { LIBVIRT_DAEMONS = 8 };

/*
 * libvirt's daemons that run QEMU: those that are installed, and those that run, which
 * after an upgrade may still be of a file that was replaced; only files that root alone
 * can change. Returns how many.
 */
size_t libvirt_daemons(struct program_file ret_files[LIBVIRT_DAEMONS]);

/*
 * What the kernel knows the file by, which stat() does not tell on every file system.
 * -EPERM: somebody else than root could have written it; -EINVAL: it is no regular file;
 * else the errno of open().
 */
int program_file_read(const char *path, struct program_file *ret_file);
