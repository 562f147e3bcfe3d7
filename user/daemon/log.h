/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the daemon says: to the journal with fields of its own where standard error goes
 * there, else as plain lines.
 */
#include <sys/syslog.h>

#include "user/model/counters.h"

/* Fields beside the text; NULL or -1: it has none. */
struct log_fields {
	const char *vm;	   /* CPUWARDEN_VM= */
	const char *class; /* CPUWARDEN_CLASS= */
	const char *cause; /* CPUWARDEN_CAUSE= */
	int cpu;	   /* CPUWARDEN_CPU= */
};

/* To be called before the first line. */
void log_open(void);

/* `level` is one of syslog's (LOG_INFO). `fields` may be NULL. */
__attribute__((format(printf, 3, 4))) void log_say(
	int level, const struct log_fields *fields, const char *format, ...);
