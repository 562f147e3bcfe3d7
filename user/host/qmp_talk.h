/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The conversation with a QMP monitor, without its socket: bytes in, next command and
 * answer out. Pure. What comes in is untrusted: bounded in size, depth and number, every
 * field checked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "user/base/problem.h"
#include "user/host/told.h"

enum {
	QMP_BYTES_MAX = 4 << 20, /* of all that one monitor says */
	QMP_DEPTH_MAX = 32,
	QMP_EVENTS_MAX = 1000, /* that come in between */
	QMP_ID_SIZE = 128,
};

struct qmp_iothread {
	char id[QMP_ID_SIZE]; /* a longer one is cut; not for printing */
	pid_t tid;
};

/* Threads as QEMU numbers them: in its own pid namespace. */
struct qmp_answer {
	struct told_vcpu *vcpus; /* at least one */
	size_t n_vcpus;
	struct qmp_iothread
		*iothreads; /* at most IOTHREADS_MAX, in the order that QEMU gave */
	size_t n_iothreads;
};

void qmp_answer_deinit(struct qmp_answer *answer);

struct qmp_talk;

/* NULL: no memory. */
struct qmp_talk *qmp_talk_new(void);
void qmp_talk_free(struct qmp_talk *talk);

/* Takes what the monitor said. -EBADMSG with a sentence: it isn't to be believed;
 * -ENOMEM. */
int qmp_talk_hear(
	struct qmp_talk *talk, const char *bytes, size_t len, struct problem *problem);

/* What is to be said now: each command once, NULL when it is the monitor's turn. */
const char *qmp_talk_say(struct qmp_talk *talk);

/* What the monitor is expected to send, for a sentence: "greeting", "query-cpus-fast"...
 */
const char *qmp_talk_awaits(const struct qmp_talk *talk);

/* True when all was said; *ret_answer is then the caller's, qmp_answer_deinit(). */
bool qmp_talk_done(struct qmp_talk *talk, struct qmp_answer *ret_answer);
