/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <errno.h>
#include <stdbool.h>

/* Failures of ours or of the host's, which no QEMU brings about: they end discovery. */
static inline bool is_fatal(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EACCES ||
	       r == -EPERM || r == -ENODATA || r == -EXDEV;
}
