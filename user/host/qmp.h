/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Asks a QEMU for its threads, over a unix socket that its command line names. */
#include <sys/types.h>

#include "user/base/problem.h"
#include "user/host/qmp_talk.h"

enum { QMP_TIMEOUT_MS = 1000 };

/*
 * Connects to the socket `path`, as the process `pid` sees it (its root, its working
 * directory; procfd is its /proc/PID), asks for vCPUs and iothreads and hangs up. Only
 * that process may be at the other end. The whole takes at most timeout_ms.
 *
 * -ETIMEDOUT; -EBADMSG: the answer can't be believed; -EPERM: somebody else listens;
 * -ENOTSOCK; else the errno of open() or connect(). All with a sentence. The caller owns
 * the answer: qmp_answer_deinit().
 */
int qmp_query(int procfd, pid_t pid, const char *path, unsigned int timeout_ms,
	struct qmp_answer *ret_answer, struct problem *problem);
