// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/log.h"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "user/base/problem.h"

enum { TEXT_MAX = 1024, LINE_MAX_BYTES = TEXT_MAX + 32, FIELDS_MAX = 6 };

static bool to_journal;

/* systemd says in JOURNAL_STREAM which file standard error was when it was the journal.
 */
void log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	to_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		     !fstat(STDERR_FILENO, &st) && st.st_dev == device &&
		     st.st_ino == inode;
}

static void send(int level, const struct log_fields *fields, const char *text)
{
	static const struct log_fields none = {.cpu = -1};
	const struct log_fields *from = fields ? fields : &none;
	char lines[FIELDS_MAX][LINE_MAX_BYTES];
	struct iovec iov[FIELDS_MAX];
	int n = 0;

	snprintf(lines[n++], LINE_MAX_BYTES, "PRIORITY=%d", level);
	snprintf(lines[n++], LINE_MAX_BYTES, "MESSAGE=%s", text);
	if (from->vm && *from->vm)
		snprintf(lines[n++], LINE_MAX_BYTES, "CPUWARDEN_VM=%s", from->vm);
	if (from->class)
		snprintf(lines[n++], LINE_MAX_BYTES, "CPUWARDEN_CLASS=%s", from->class);
	if (from->cause)
		snprintf(lines[n++], LINE_MAX_BYTES, "CPUWARDEN_CAUSE=%s", from->cause);
	if (from->cpu >= 0)
		snprintf(lines[n++], LINE_MAX_BYTES, "CPUWARDEN_CPU=%d", from->cpu);
	for (int i = 0; i < n; i++)
		iov[i] = (struct iovec){lines[i], strlen(lines[i])};
	sd_journal_sendv(iov, n);
}

void log_say(int level, const struct log_fields *fields, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	make_printable(text);
	if (to_journal)
		send(level, fields, text);
	else if (fields && fields->vm && *fields->vm)
		fprintf(stderr, "cpuwarden: %s: %s\n", fields->vm, text);
	else
		fprintf(stderr, "cpuwarden: %s\n", text);
}
